"""Plain JSON to the cluster's API, so that no client's leniency hides a fault.

What a check makes begins with the check's id, is owned by one config map that the run's ledger
knows, and is removed when the check ends: a run that dies leaves nothing that `reap` and the
cluster's own garbage collector would not find.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.driver import Handle
from provisioner.errors import Lost, Quota
from provisioner.features import RawCall
from provisioner.resources import Kind
from suites.claims import claim, same
from suites.kubernetes import nodes
from suites.seams import Evidence, Subject
from suites.waits import Stopwatch, until

SPACE = "namespaces/{namespace}"
CORE, APPS, BATCH = f"/api/v1/{SPACE}", f"/apis/apps/v1/{SPACE}", f"/apis/batch/v1/{SPACE}"
MAPS = f"{CORE}/configmaps"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
LABEL = "interop-check"  # its value is the name of the group of things that one check made
AWAY = (429, 502, 503, 504)
LOOK_S = 15.0  # of waiting, after which it is asked whether every node is there
KEPT = 2000  # characters of an answer that are kept as evidence
Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said; *reason* and *message* are those of a refusal."""

    status: int
    body: Any
    reason: str
    message: str

    @property
    def text(self) -> str:
        """The body as text, whatever it looked like."""
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The config map that owns everything, and the names with which everything begins."""

    name: str
    uid: str
    groups: list[str] = field(default_factory=list)

    @property
    def reference(self) -> Object:
        """As what it owns has it."""
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": self.name, "uid": self.uid}


class Wire:
    """Calls the API for one check.

    Args:
        check: the check's id.
        anchor: owner of everything.
    """

    def __init__(self, subject: Subject, evidence: Evidence, check: str, anchor: Anchor) -> None:
        nothing = Handle(platform=subject.name, kind=Kind.CONFIG, id="")
        self._api = subject.driver.feature(RawCall, nothing)  # type: ignore[type-abstract]
        self._subject = subject
        self._evidence = evidence
        self._made: list[str] = []
        self._anchor = anchor.reference
        self.group = f"{check.lower()}-{secrets.token_hex(3)}"
        anchor.groups.append(self.group)

    def __call__(self, operation: str, *, quiet: bool = False, **parameters: Any) -> Answer:
        """One call, such as ``wire(f"GET {MAPS}", query={"limit": 1})``."""
        said = self._api.call(operation, parameters)
        answer = Answer(
            status=int(said["status"]),
            body=said["body"],
            reason=str(said["code"]),
            message=str(said["message"]),
        )
        if not quiet:
            self._evidence(operation, f"{answer.status} {answer.text[:KEPT]}")
        return answer

    def given(self, status: int | tuple[int, ...], what: str, operation: str, **more: Any) -> Any:
        """The body of a call that must succeed with that status."""
        answer = self(operation, **more)
        self._told(answer, status, what)
        return answer.body

    def refused(
        self, status: int | tuple[int, ...], what: str, operation: str, **more: Any
    ) -> Answer:
        """A call that must be refused with that status."""
        answer = self(operation, **more)
        self._told(answer, status, what)
        return answer

    def name(self, ending: str = "") -> str:
        """A name for a thing of this check; the same for the same ending."""
        return f"{self.group}-{ending}" if ending else self.group

    def body(self, ending: str = "", **more: Any) -> Object:
        """A new object of ours; ``metadata`` among *more* is laid over its own."""
        metadata = {
            "name": self.name(ending),
            "labels": {LABEL: self.group},
            "ownerReferences": [self._anchor],
        }
        return {**more, "metadata": metadata | more.pop("metadata", {})}

    def make(self, top: str, ending: str = "", **more: Any) -> Object:
        """Create an object in the collection *top*; removed when the check ends."""
        body = self.body(ending, **more)
        name = str(body["metadata"].get("name", self.name(ending)))
        self.note(top, name)
        made = self.given(201, f"a new {top.rpartition('/')[2]} {name}", f"POST {top}", body=body)
        return dict(made)

    def note(self, top: str, name: str) -> None:
        """Have something removed at the end that was made otherwise."""
        self._made.append(f"{top}/{name}")

    def see(self, top: str, name: str) -> Object | None:
        """An object, or None where there is none; nothing is kept as evidence."""
        answer = self(f"GET {top}/{name}", quiet=True)
        claim(
            answer.status in (200, 404),
            f"read of {name}",
            expected="200 or 404",
            actual=answer.status,
        )
        return dict(answer.body) if answer.status == 200 else None

    def ours(self, top: str, group: str = "") -> list[Object]:
        """What this check made in a collection."""
        query = {"labelSelector": f"{LABEL}={group or self.group}"}
        answer = self(f"GET {top}", quiet=True, query=query)
        self._told(answer, 200, f"list of {top.rpartition('/')[2]}")
        return list(answer.body["items"])

    def wait(
        self, top: str, name: str, right: Callable[[Object], object], seconds: float
    ) -> Object:
        """The object once it is right, or as it was last; empty where it is not there.

        Raises:
            Lost: it is not, and a node does not answer.
        """
        watch = Stopwatch()
        while True:
            wait_s = min(LOOK_S, seconds - watch.seconds)
            seen = until(lambda: self.see(top, name) or {}, lambda one: bool(right(one)), wait_s)
            if right(seen) or watch.seconds >= seconds:
                break
            if gone := nodes.lost(self._subject):
                raise Lost(f"waiting for {name}: {nodes.told(gone)}", self._subject.name)
        self._evidence(f"{name} as last seen", json.dumps(_short(seen))[:KEPT])
        return seen

    def remove(self, top: str, name: str, **options: Any) -> Answer:
        """Delete an object; *options* are those of DeleteOptions."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        return self(f"DELETE {top}/{name}", body=body)

    def clear(self) -> None:
        """Remove what was made, with everything that hangs on it, at once."""
        options = {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        for path in reversed(self._made):
            left = self(f"DELETE {path}", quiet=True, body=body)
            if isinstance(left.body, Mapping) and left.body.get("metadata", {}).get("finalizers"):
                change = {"metadata": {"finalizers": None}}
                self(f"PATCH {path}", quiet=True, body=change, content_type=MERGE)

    def _told(self, answer: Answer, status: int | tuple[int, ...], what: str) -> None:
        """Claim a status; a quota, or a server that is too busy or away, is no verdict."""
        allowed = (status,) if isinstance(status, int) else status
        if answer.status in allowed:
            return
        told = f"{answer.status} {answer.message[:200]}".strip()
        if answer.status == 403 and "exceeded quota" in answer.message:
            raise Quota(f"{what}: {told}", self._subject.name)
        if answer.status in AWAY:
            raise Lost(f"{what}: {told}", self._subject.name)
        same(what, expected=" or ".join(map(str, allowed)), actual=told)


def labels(one: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of an object."""
    return one["metadata"].get("labels") or {}


def names(items: list[Object]) -> list[str]:
    """The names of objects."""
    return [str(item["metadata"]["name"]) for item in items]


def _short(one: Object) -> Object:
    """What matters of an object that was waited for."""
    return {key: one[key] for key in ("metadata", "status") if key in one}
