"""Carries a plan out: in parallel where it may, in order where it must, and on after a crash.

One thread schedules; workers create, wait and run roles. How many of a kind are made at once on
a platform is the platform's ``jobs.KIND``; roles of one member run one at a time. When a node
fails, what depends on it is blocked and everything else goes on. Applying twice changes nothing.
"""

from __future__ import annotations

import heapq
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from provisioner.applied import Applied, Happening, deployment_of
from provisioner.clock import Clock, SystemClock
from provisioner.creation import Creation, place_for
from provisioner.deployment import Timing
from provisioner.driver import Access, Driver, Handle, Owner, State
from provisioner.errors import PlatformError, Unsupported
from provisioner.features import Power
from provisioner.insides import Inside, Shared, Shell, facts_of, reachable
from provisioner.ledger import Ledger
from provisioner.params import Param
from provisioner.plan import Node, Plan
from provisioner.removal import Removal
from provisioner.replay import Entry
from provisioner.resources import AttachmentSpec, Kind, Ref
from provisioner.roles import Roles
from provisioner.waiting import Cancel, Cancelled

__all__ = ["Applied", "Executor", "Happening", "OpenShell"]

MOST_THREADS = 1024  # waiting threads cost little; two for each of 500 members

OpenShell = Callable[[str, Handle, Access], Shell]


class Executor:
    """Applies plans of one run.

    Args:
        drivers: by platform name.
        ledger: of the run, open.
        owner: whose resources.
        clock: where time comes from.
        shell: opens a way into a machine; None leaves machines alone and refuses roles.
        jobs: threads; 0 is as many as the plan can use, 1 is one after the other, in order.
        cancel: asks to stop.
        tell: told of everything that happens, from any thread.
        interval: first and longest pause between two polls of a resource, in seconds.
        boot_s: how long a ready machine may take to let us in, in seconds.
        others: how many machines others of this run make meanwhile; limits hold for all together.
    """

    def __init__(
        self,
        drivers: Mapping[str, Driver],
        ledger: Ledger,
        owner: Owner,
        *,
        clock: Clock | None = None,
        shell: OpenShell | None = None,
        jobs: int = 0,
        cancel: Cancel | None = None,
        tell: Callable[[Happening], None] = lambda happening: None,
        interval: tuple[float, float] = (0.5, 2.0),
        boot_s: float = 600.0,
        others: Callable[[], int] = lambda: 0,
    ) -> None:
        self.ledger = ledger
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.shell = shell
        self.jobs = jobs
        self.cancel = cancel if cancel is not None else Cancel()
        self.boot_s = boot_s
        self._others = others
        self._tell = tell
        self._begun = self.clock.monotonic()
        self._limits = {name: driver.describe().limits for name, driver in drivers.items()}
        self.places = {
            name: place_for(driver, owner, self.clock, self.cancel, self._limits[name])
            for name, driver in drivers.items()
        }
        removal = Removal(self.places, ledger, self.clock, jobs=1, interval=interval)
        self._creation = Creation(
            ledger, self.clock, cancel=self.cancel, interval=interval, remove=removal.one
        )
        self._shells: dict[str, Shell] = {}

    def apply(
        self, plan: Plan, params: Mapping[str, Param] | None = None, key: Path = Path("key")
    ) -> Applied:
        """Make everything of *plan* stand."""
        self._begun = self.clock.monotonic()
        work = _Work(self, plan, dict(params or {}))
        try:
            return work.run(key)
        finally:
            for shell in self._shells.values():
                shell.close()
            self._shells.clear()

    def tell(self, node: Node, what: str, detail: str = "") -> None:
        """Tell that something happened to a node."""
        at = round(self.clock.monotonic() - self._begun, 3)
        self._tell(Happening(at=at, platform=node.platform, node=node.id, what=what, detail=detail))

    def limit(self, node: Node) -> int:
        """How many nodes of this one's slot may be under way at once; 0 is any."""
        if node.task is not None:
            return 1
        limit = int(self._limits[node.platform].get(f"jobs.{node.kind}", 0))
        if limit and node.kind == Kind.MACHINE:
            return max(1, limit - self._others())
        return limit


class _Work:
    """One apply under way."""

    def __init__(self, executor: Executor, plan: Plan, params: dict[str, Param]) -> None:
        self.executor = executor
        self.plan = plan
        self.clock = executor.clock
        self.handles: dict[Ref, Handle] = {}
        self.states: dict[Ref, State] = {}
        self.shared = Shared()
        self.timings: list[Timing] = []
        self.members = {member.name: member for member in plan.members}
        self.known = executor.ledger.snapshot().newest()
        self.roles = Roles(
            plan,
            params,
            executor.ledger,
            self.shared,
            self.clock,
            executor.cancel,
            executor.boot_s,
        )

    # -- scheduling ----------------------------------------------------------------------------

    def run(self, key: Path) -> Applied:
        nodes = self.plan.nodes
        number = {node.id: i for i, node in enumerate(nodes)}
        missing = [len(node.after) for node in nodes]
        next_of: list[list[int]] = [[] for _ in nodes]
        for i, node in enumerate(nodes):
            for after in node.after:
                next_of[number[after]].append(i)
        ready = [i for i, count in enumerate(missing) if count == 0]
        heapq.heapify(ready)
        busy: dict[str, int] = {}
        errors: dict[str, PlatformError] = {}
        blocked: set[int] = set()
        cancelled = False
        finished: queue.SimpleQueue[tuple[int, BaseException | None]] = queue.SimpleQueue()
        running = 0
        bug: BaseException | None = None
        jobs = self.executor.jobs
        threads = jobs or max(1, min(MOST_THREADS, len(nodes)))
        pool = ThreadPoolExecutor(threads) if threads > 1 else None
        try:
            while ready or running:
                cancelled = cancelled or self.executor.cancel.requested
                held: list[int] = []
                while ready and running < threads and not cancelled and bug is None:
                    i = heapq.heappop(ready)
                    slot, limit = _slot(nodes[i]), self.executor.limit(nodes[i])
                    if limit and busy.get(slot, 0) >= limit:
                        held.append(i)
                        continue
                    busy[slot] = busy.get(slot, 0) + 1
                    running += 1
                    if pool is None:
                        finished.put((i, self._node(nodes[i])))
                    else:
                        pool.submit(self._report, i, finished)
                for i in held:
                    heapq.heappush(ready, i)
                if not running:
                    break
                i, error = finished.get()
                running -= 1
                busy[_slot(nodes[i])] -= 1
                if error is None:
                    for j in next_of[i]:
                        missing[j] -= 1
                        if missing[j] == 0:
                            heapq.heappush(ready, j)
                    continue
                if isinstance(error, Cancelled):
                    cancelled = True
                elif isinstance(error, PlatformError):
                    errors[nodes[i].id] = error
                else:
                    bug = bug or error
                if bug is not None and pool is None:
                    break
                self._block(i, next_of, blocked)
        finally:
            if pool is not None:
                pool.shutdown(wait=True)
        if bug is not None:
            raise bug
        names = tuple(nodes[i].id for i in sorted(blocked))
        return Applied(
            deployment=deployment_of(
                self.plan, self.handles, self.states, self.shared.values(), self.timings, key
            ),
            errors=errors,
            blocked=names,
            cancelled=cancelled,
        )

    def _block(self, i: int, next_of: list[list[int]], blocked: set[int]) -> None:
        """Everything that depends on a failed node will not be done."""
        todo = list(next_of[i])
        while todo:
            j = todo.pop()
            if j not in blocked:
                blocked.add(j)
                node = self.plan.nodes[j]
                self.executor.tell(node, "blocked", f"by {self.plan.nodes[i].id}")
                todo += next_of[j]

    def _report(
        self, i: int, finished: queue.SimpleQueue[tuple[int, BaseException | None]]
    ) -> None:
        finished.put((i, self._node(self.plan.nodes[i])))

    def _node(self, node: Node) -> BaseException | None:
        """Do one node; what it raised is the answer. A simulated crash goes through."""
        begun = self.clock.monotonic()
        outcome = "ready"
        try:
            if node.step is not None:
                self._create(node)
            else:
                self._role(node)
        except PlatformError as error:
            outcome = "failed"
            self.executor.tell(node, "failed", f"{type(error).__name__}: {error}")
            return error
        except Cancelled as error:
            outcome = "cancelled"
            return error
        except BaseException as error:
            outcome = "failed"
            return error
        finally:
            self.timings.append(
                Timing(
                    step=node.id,
                    kind=node.kind,
                    started=round(begun - self.executor._begun, 3),
                    seconds=round(self.clock.monotonic() - begun, 3),
                    outcome=outcome,
                )
            )
        self.executor.tell(node, "done")
        return None

    # -- the work ------------------------------------------------------------------------------

    def _create(self, node: Node) -> None:
        step = node.step
        assert step is not None  # noqa: S101 - the caller looked
        ref = step.resource.ref
        place = self.executor.places[node.platform]
        known: Entry | None = self.known.get((node.platform, ref))
        executor = self.executor
        handle, state = executor._creation.create(
            place, step, self.handles, known, lambda what, detail: executor.tell(node, what, detail)
        )
        kept = known is not None and known.open and known.handle == handle
        if ref.kind is Kind.MACHINE and not kept:
            executor.ledger.forget_steps(ref.name)
        self.handles[ref], self.states[ref] = handle, state
        if ref.kind is Kind.MACHINE and executor.shell is not None and state.access is not None:
            shell = executor.shell(node.platform, handle, state.access)
            executor._shells[ref.name] = shell
            executor.tell(node, "knocking", state.access.host)
            reachable(shell, self.clock, executor.cancel, ref.name, executor.boot_s)
        if isinstance(step.resource.spec, AttachmentSpec):
            self._look_again(node.platform, step.resource.spec.machine)

    def _look_again(self, platform: str, machine: Ref) -> None:
        """What is joined changes the machine: an address comes, a pod begins anew elsewhere."""
        state = self.executor.places[platform].driver.read(self.handles[machine])
        if state is not None:
            self.states[machine] = state

    def _role(self, node: Node) -> None:
        task = node.task
        assert task is not None  # noqa: S101 - the caller looked
        shell = self.executor._shells.get(task.member)
        member = self.members[task.member]
        if shell is None:
            raise Unsupported(f"role {task.role} on {task.member}: no way in", node.platform)
        inside = Inside(
            member=member,
            state=self.states[member.ref],
            volumes={name: self._volume(ref) for name, ref in member.volumes.items()},
            shell=shell,
            reboot=lambda: self._reboot(node.platform, member.ref, shell),
        )
        self.roles.run(
            task,
            inside,
            self._others(task.spec.wants),
            lambda what, detail: self.executor.tell(node, what, detail),
        )

    def _volume(self, ref: Ref) -> dict[str, Any]:
        """What templates see as a volume: its facts and those of its attachment."""
        joined = self.states.get(Ref(Kind.ATTACHMENT, ref.name))
        state = self.states.get(ref)
        facts = dict(state.facts) if state is not None else {}
        facts |= dict(joined.facts) if joined is not None else {}
        return {"id": self.handles[ref].id if ref in self.handles else "", **facts}

    def _others(self, wants: list[str]) -> dict[str, list[dict[str, Any]]]:
        """The members of the groups a role wants; all of them for ``members``."""
        groups = {want.split(".")[1] for want in wants if want.startswith("members.")}
        every = "members" in wants
        found: dict[str, list[dict[str, Any]]] = {}
        for member in self.members.values():
            if (every or member.group in groups) and member.ref in self.states:
                volumes = {name: self._volume(ref) for name, ref in member.volumes.items()}
                seen = facts_of(member, self.states[member.ref], volumes)
                found.setdefault(member.group, []).append(seen)
        return found

    def _reboot(self, platform: str, ref: Ref, shell: Shell) -> None:
        """By the platform where it can, else from inside."""
        try:
            driver = self.executor.places[platform].driver
            power = driver.feature(Power, self.handles[ref])  # type: ignore[type-abstract]
            power.reboot()
        except Unsupported:
            shell.run("(sleep 1; reboot) >/dev/null 2>&1 &", sudo=True)


def _slot(node: Node) -> str:
    """What a node occupies: its platform's kind, or its member."""
    if node.task is not None:
        return f"member/{node.task.member}"
    return f"{node.platform}/{node.kind}"
