"""A plan: what would be created and run, in which order, and what it would cost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.driver import Step
from provisioner.errors import BadRequest
from provisioner.resources import Kind, Ref, Resource, Support
from provisioner.spec import RoleModel


class Unmet(BadRequest):
    """The plan cannot be carried out; ``problems`` has every reason, not only the first."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        count = len(problems)
        super().__init__(f"{count} unmet: " + "; ".join(problems))
        self.args = (problems,)
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleTask:
    """One role on one member. ``values`` are the member's parameters, late ones not expanded."""

    member: str
    role: str
    spec: RoleModel
    values: Mapping[str, Any]
    leader: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing to do: make a resource, or run a role. ``after`` has ids of nodes."""

    id: str
    platform: str
    after: tuple[str, ...]
    step: Step | None = None
    task: RoleTask | None = None

    @property
    def kind(self) -> str:
        """The resource's kind, or ``role``."""
        return str(self.step.resource.kind) if self.step is not None else "role"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMember:
    """A member that will stand. ``volumes`` maps the workload's names to planned volumes."""

    name: str
    group: str
    index: int
    platform: str
    roles: tuple[str, ...] = ()
    volumes: Mapping[str, Ref] = field(default_factory=dict)
    networks: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """Its machine."""
        return Ref(Kind.MACHINE, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Nodes in an order in which they can be done, one after the other.

    ``contents`` are the files roles copy, ``texts`` their steps; ``notes`` what the plan does
    without and why. After ``wall_s`` seconds the budget is used up; None is never.
    """

    run: str
    workload: str
    version: str
    digest: str
    nodes: tuple[Node, ...]
    members: tuple[PlannedMember, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, bytes] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    wall_s: float | None = None

    @property
    def platforms(self) -> tuple[str, ...]:
        """Platforms with something on them, in order of first use."""
        return tuple(dict.fromkeys(node.platform for node in self.nodes))

    @property
    def price_per_hour(self) -> float:
        """What everything costs an hour, in the platforms' currency."""
        return sum(node.step.price_per_hour for node in self.nodes if node.step is not None)

    def lines(self) -> Iterator[str]:
        """The plan for people: one line a node, in order."""
        for number, node in enumerate(self.nodes, 1):
            notes = ""
            verb = "run"
            if node.step is not None:
                verb = "create" if node.step.support is Support.MANAGED else "use"
                notes = ", ".join(node.step.notes)
            after = f"after {', '.join(node.after)}" if node.after else ""
            parts = [f"{number:4} {node.platform:16} {verb:6} {node.id}", notes, after]
            yield "  ".join(part for part in parts if part)


def digest_of(resource: Resource) -> str:
    """Of the wish, to notice that another one is made now. Tags do not count."""
    return hashlib.sha256(repr(resource.spec).encode()).hexdigest()[:16]


def ordered(nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    """The nodes in a stable topological order.

    Raises:
        Unmet: there is a cycle; the message goes round it once.
    """
    done: dict[str, Node] = {}
    path: dict[str, None] = {}
    for first in nodes:
        stack: list[tuple[str, Iterator[str]]] = []
        if first not in done:
            path[first] = None
            stack.append((first, iter(nodes[first].after)))
        while stack:
            name, rest = stack[-1]
            for after in rest:
                if after in done:
                    continue
                if after in path:
                    names = list(path)
                    cycle = " -> ".join([*names[names.index(after) :], after])
                    raise Unmet((f"waits for itself: {cycle}",))
                path[after] = None
                stack.append((after, iter(nodes[after].after)))
                break
            else:
                stack.pop()
                del path[name]
                done[name] = nodes[name]
    return tuple(done.values())
