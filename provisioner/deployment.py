"""What stands after an apply: members, handles, shared values. Written as the lease file.

Everything here is plain and JSON-serialisable, so that another process can pick a deployment up.
Secret values are never in it: ``shared`` has ``{"secret": "role.name"}`` in their place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from provisioner.driver import Access, Handle, State, Status
from provisioner.errors import BadRequest
from provisioner.resources import Kind, Ref

SCHEMA = "interop.lease/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one step took. ``started`` counts from the begin of the apply; both in seconds."""

    step: str
    kind: str
    started: float
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One machine or pod of a workload. ``volumes`` maps the workload's volume names to handles."""

    name: str
    group: str
    index: int
    platform: str
    handle: Handle
    state: State
    roles: tuple[str, ...] = ()
    volumes: Mapping[str, Handle] = field(default_factory=dict)

    def address(self, which: str = "private") -> str:
        """The member's address of that sort, or any it has, or an empty text."""
        return self.state.addresses.get(which) or next(iter(self.state.addresses.values()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A workload that stands. ``key`` is the file of the run's private SSH key."""

    run: str
    workload: str
    version: str
    digest: str
    platform: str
    members: tuple[Member, ...]
    handles: Mapping[Ref, Handle]
    shared: Mapping[str, Any] = field(default_factory=dict)
    key: Path = Path("key")
    timings: tuple[Timing, ...] = ()

    def member(self, name: str) -> Member:
        """The member of that name. Raises KeyError."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a lease file. Raises BadRequest when it is none."""
        return from_json(path.read_text(encoding="utf-8"), str(path))

    def save(self, path: Path) -> None:
        """Write the lease file whole, or not at all."""
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(to_json(self), encoding="utf-8")
        fresh.replace(path)


def handle_to_json(handle: Handle) -> dict[str, Any]:
    """A handle as plain values."""
    return {
        "platform": handle.platform,
        "kind": str(handle.kind),
        "id": handle.id,
        "name": handle.name,
        "run": handle.run,
        "extra": dict(handle.extra),
    }


def handle_from_json(value: Mapping[str, Any]) -> Handle:
    """The handle of plain values. Raises KeyError, ValueError or TypeError for anything else."""
    return Handle(
        platform=str(value["platform"]),
        kind=Kind(value["kind"]),
        id=str(value["id"]),
        name=str(value.get("name", "")),
        run=str(value.get("run", "")),
        extra={str(k): str(v) for k, v in dict(value.get("extra", {})).items()},
    )


def state_to_json(state: State) -> dict[str, Any]:
    """A state as plain values."""
    access = None if state.access is None else asdict(state.access)
    return {
        "status": str(state.status),
        "addresses": dict(state.addresses),
        "access": access,
        "tags": dict(state.tags),
        "facts": dict(state.facts),
        "raw": dict(state.raw),
        "version": state.version,
        "reason": state.reason,
    }


def state_from_json(value: Mapping[str, Any]) -> State:
    """The state of plain values."""
    access = value.get("access")
    if access is not None:
        access = Access(**{**access, "host_keys": tuple(access.get("host_keys", ()))})
    return State(
        status=Status(value["status"]),
        addresses=dict(value.get("addresses", {})),
        access=access,
        tags=dict(value.get("tags", {})),
        facts=dict(value.get("facts", {})),
        raw=dict(value.get("raw", {})),
        version=str(value.get("version", "")),
        reason=str(value.get("reason", "")),
    )


def to_json(deployment: Deployment) -> str:
    """The lease file's text."""
    document = {
        "schema": SCHEMA,
        "run": deployment.run,
        "workload": deployment.workload,
        "version": deployment.version,
        "digest": deployment.digest,
        "platform": deployment.platform,
        "members": [
            {
                "name": m.name,
                "group": m.group,
                "index": m.index,
                "platform": m.platform,
                "handle": handle_to_json(m.handle),
                "state": state_to_json(m.state),
                "roles": list(m.roles),
                "volumes": {name: handle_to_json(h) for name, h in m.volumes.items()},
            }
            for m in deployment.members
        ],
        "handles": [
            {"kind": str(ref.kind), "name": ref.name, "handle": handle_to_json(handle)}
            for ref, handle in deployment.handles.items()
        ],
        "shared": dict(deployment.shared),
        "key": str(deployment.key),
        "timings": [asdict(timing) for timing in deployment.timings],
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def from_json(text: str, source: str = "lease") -> Deployment:
    """Read a lease file.

    Raises:
        BadRequest: the text is not a lease; names *source* and what is wrong.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError(f"expected a document with schema {SCHEMA}")
        return Deployment(
            run=document["run"],
            workload=document["workload"],
            version=document["version"],
            digest=document["digest"],
            platform=document["platform"],
            members=tuple(_member(value) for value in document["members"]),
            handles={
                Ref(Kind(v["kind"]), v["name"]): handle_from_json(v["handle"])
                for v in document["handles"]
            },
            shared=document["shared"],
            key=Path(document["key"]),
            timings=tuple(Timing(**timing) for timing in document["timings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"missing key {error}" if isinstance(error, KeyError) else str(error)
        raise BadRequest(f"{source}: not a lease file: {what}") from error


def _member(value: Mapping[str, Any]) -> Member:
    return Member(
        name=value["name"],
        group=value["group"],
        index=int(value["index"]),
        platform=value["platform"],
        handle=handle_from_json(value["handle"]),
        state=state_from_json(value["state"]),
        roles=tuple(value["roles"]),
        volumes={name: handle_from_json(v) for name, v in value["volumes"].items()},
    )
