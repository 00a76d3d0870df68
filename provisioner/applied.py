"""How an apply went: what happened, what stands, and what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provisioner.deployment import Deployment, Member, Timing
from provisioner.driver import Handle, State
from provisioner.errors import PlatformError
from provisioner.plan import Plan
from provisioner.resources import Ref
from provisioner.waiting import Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened to a node. ``at`` counts from the begin of the apply, in seconds."""

    at: float
    platform: str
    node: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How an apply went. The deployment has the members that stand, also when not all do."""

    deployment: Deployment
    errors: Mapping[str, PlatformError] = field(default_factory=dict)
    blocked: tuple[str, ...] = ()
    cancelled: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything of the plan stands."""
        return not (self.errors or self.blocked or self.cancelled)

    def check(self) -> Deployment:
        """The deployment when it is complete.

        Raises:
            PlatformError: the first thing that went wrong, as it was raised.
            Cancelled: work was stopped.
        """
        for error in self.errors.values():
            raise error
        if self.cancelled:
            raise Cancelled("the apply was cancelled")
        return self.deployment


def deployment_of(
    plan: Plan,
    handles: Mapping[Ref, Handle],
    states: Mapping[Ref, State],
    shared: Mapping[str, Any],
    timings: Sequence[Timing],
    key: Path,
) -> Deployment:
    """What stands of a plan, secrets by reference only."""
    standing = [m for m in plan.members if m.ref in handles]
    members = tuple(
        Member(
            name=member.name,
            group=member.group,
            index=member.index,
            platform=member.platform,
            handle=handles[member.ref],
            state=states[member.ref],
            roles=member.roles,
            volumes={name: handles[ref] for name, ref in member.volumes.items() if ref in handles},
        )
        for member in standing
    )
    told = {
        name: {"secret": name} if name in plan.secrets else value
        for name, value in sorted(shared.items())
    }
    return Deployment(
        run=plan.run,
        workload=plan.workload,
        version=plan.version,
        digest=plan.digest,
        platform="+".join(plan.platforms),
        members=members,
        handles=dict(handles),
        shared=told,
        key=key,
        timings=tuple(sorted(timings, key=lambda timing: timing.started)),
    )
