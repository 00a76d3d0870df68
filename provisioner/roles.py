"""Runs a role on a member: copies its files, runs its steps, publishes what it provides.

A step is a script for ``sh -s`` run as root. Its exit code says what comes next:
0 done, 64 reboot me (then done), 128 call me again, 192 reboot me and call me again.
A line ``::provide NAME=VALUE`` on its output provides a value. A step that was running when its
process died is run again, so steps must bear being repeated; one that is done is not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.clock import Clock
from provisioner.documents import BadWorkload
from provisioner.errors import BadRequest, Lost, PlatformError, PlatformFault
from provisioner.insides import Inside, Shared, Shell, facts_of
from provisioner.ledger import Ledger
from provisioner.params import Param, check_value, expand
from provisioner.plan import Plan, RoleTask
from provisioner.templates import BadTemplate, nested, render
from provisioner.waiting import Cancel, wait

DONE, REBOOT, AGAIN, REBOOT_AGAIN = 0, 64, 128, 192
MOST_CALLS = 20
PROVIDE = re.compile(rb"^::provide ([a-z][a-z0-9_.]*)=(.*)$", re.MULTILINE)
# pid 1's start, besides the boot id: in a container the kernel, and so its boot id, stays.
IDENTITY = "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat"


class Roles:
    """Runs roles for one plan."""

    def __init__(
        self,
        plan: Plan,
        params: Mapping[str, Param],
        ledger: Ledger,
        shared: Shared,
        clock: Clock,
        cancel: Cancel,
        boot_s: float = 600.0,
    ) -> None:
        self.plan = plan
        self.params = params
        self.ledger = ledger
        self.shared = shared
        self.clock = clock
        self.cancel = cancel
        self.boot_s = boot_s

    def run(
        self,
        task: RoleTask,
        inside: Inside,
        others: Mapping[str, list[dict[str, Any]]],
        tell: Callable[[str, str], None],
    ) -> None:
        """Bring one role up on one member; what is done already is not done again.

        Raises:
            PlatformFault: a step failed; has its last words, secrets masked.
            BadRequest: a template or a provided value is wrong.
            PlatformError: the member cannot be reached.
        """
        context = self._context(task, inside, others)
        done = self.ledger.snapshot()
        provided: dict[str, Any] = {}
        plans = []
        for step in task.spec.steps:
            text = self._render(self.plan.texts[step], context, f"role {task.role}: {step}")
            mark = hashlib.sha256(text.encode()).hexdigest()[:16]
            plans.append((step, text, f"{task.role}/{step}#{mark}"))
        files = self._files_mark(task)
        again = not self._remembered(task, done.notes, provided)
        if again or done.steps.get(f"{task.member}/{files}") != "done":
            for file in task.spec.files:
                tell("copying", file.to)
                data = self.plan.contents[file.source]
                inside.shell.put(data, file.to, mode=int(file.mode, 8), sudo=True)
            self.ledger.step_done(task.member, files, "done")
        for step, text, mark in plans:
            if not again and done.steps.get(f"{task.member}/{mark}") == "done":
                tell("kept", step)
                continue
            provided |= self._step(task, step, text, inside, tell)
            self.ledger.step_done(task.member, mark, "done")
        if task.leader or not task.spec.cardinality.leader:
            self._publish(task, context, provided)

    # -- inside --------------------------------------------------------------------------------

    def _context(
        self, task: RoleTask, inside: Inside, others: Mapping[str, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        """What the role's templates see: what it wants, and nothing else."""
        facts = facts_of(inside.member, inside.state, inside.volumes)
        member = {**facts, "leader": task.leader}
        late = {
            "member": member,
            "run": self.plan.run,
            "workload": {"name": self.plan.workload, "version": self.plan.version},
            "fact": dict(inside.state.facts),
        }
        published = self.shared.values()
        try:
            values = expand(
                dict(task.values), self.params, {**late, "members": others, **nested(published)}
            )
        except BadWorkload as error:
            raise BadRequest(f"role {task.role} on {task.member}: {error}") from error
        wanted: dict[str, Any] = {}
        for want in (*task.spec.wants, *task.spec.provides):
            if want in published:
                wanted[want] = published[want]
            elif want in values:
                wanted[want] = values[want]
        return {**late, **nested(wanted), "members": dict(others)}

    def _render(self, text: str, context: Mapping[str, Any], where: str) -> str:
        try:
            return render(text, context, where)
        except BadTemplate as error:
            raise BadRequest(str(error)) from error

    def _files_mark(self, task: RoleTask) -> str:
        total = hashlib.sha256()
        for file in task.spec.files:
            total.update(f"{file.to}\0{file.mode}\0".encode())
            total.update(hashlib.sha256(self.plan.contents[file.source]).digest())
        return f"{task.role}/files#{total.hexdigest()[:16]}"

    def _remembered(
        self, task: RoleTask, notes: Mapping[str, Any], provided: dict[str, Any]
    ) -> bool:
        """Take printed values of an earlier apply. False when a secret has to be made again."""
        known = True
        for name, spec in task.spec.provides.items():
            if spec.value:
                continue
            key = f"provide/{task.member}/{name}"
            if key in notes:
                provided[name] = notes[key]
            elif spec.secret:
                known = False
        return known

    def _step(
        self,
        task: RoleTask,
        step: str,
        text: str,
        inside: Inside,
        tell: Callable[[str, str], None],
    ) -> dict[str, Any]:
        """Run one step to its end, over reboots and repetitions."""
        provided: dict[str, Any] = {}
        for _ in range(MOST_CALLS):
            self.cancel.check()
            tell("running", step)
            done = inside.shell.run(
                "sh -s", stdin=text.encode(), timeout_s=task.spec.timeout, sudo=True
            )
            for name, value in PROVIDE.findall(done.stdout):
                provided[name.decode()] = value.decode("utf-8", "replace")
            if done.code not in (DONE, REBOOT, AGAIN, REBOOT_AGAIN):
                told = done.stderr.strip() or done.stdout.strip()
                last = " | ".join(told.decode("utf-8", "replace").splitlines()[-3:])[-400:]
                message = f"role {task.role} on {task.member}: {step} exited {done.code}"
                raise PlatformFault(f"{message}: {self._masked(last) or 'no output'}")
            if done.code in (REBOOT, REBOOT_AGAIN):
                self._reboot(task, inside, tell)
            if done.code in (DONE, REBOOT):
                return provided
        message = f"role {task.role} on {task.member}: {step} asked {MOST_CALLS} times to go on"
        raise PlatformFault(message)

    def _reboot(self, task: RoleTask, inside: Inside, tell: Callable[[str, str], None]) -> None:
        """Reboot the member and wait until it is another boot that answers."""
        before = self._identity(inside.shell)
        tell("rebooting", task.member)
        inside.reboot()

        def look() -> str:
            try:
                now = self._identity(inside.shell)
            except PlatformError:
                return "away"
            return "back" if now and now != before else "the same boot"

        wait(
            look,
            target=["back"],
            timeout_s=self.boot_s,
            clock=self.clock,
            why=f"{task.member} to come back from a reboot",
            interval=(1.0, 5.0),
            cancel=self.cancel,
        )

    def _identity(self, shell: Shell) -> str:
        done = shell.run(IDENTITY, timeout_s=20)
        if done.code != 0:
            raise Lost("the member does not say which boot it is")
        return done.stdout.decode("ascii", "replace").strip()

    def _publish(
        self, task: RoleTask, context: Mapping[str, Any], provided: Mapping[str, Any]
    ) -> None:
        """Set the role's values for the others, each checked against its type."""
        undeclared = sorted(set(provided) - set(task.spec.provides))
        if undeclared:
            message = f"role {task.role} on {task.member}: provides {undeclared[0]}"
            raise BadRequest(f"{message}, which it does not declare")
        for name, spec in task.spec.provides.items():
            where = f"role {task.role} on {task.member}: provides {name}"
            if spec.value:
                value: Any = self._render(spec.value, context, where)
            elif name in provided:
                value = provided[name]
            else:
                raise BadRequest(f"{where}: no step printed ::provide {name}=...")
            value = _typed(spec.type, value)
            problem = check_value(Param(name=name, type=spec.type, secret=spec.secret), value)
            if problem:
                raise BadRequest(f"{where}: {problem}")
            if not spec.value and not spec.secret:
                self.ledger.note(f"provide/{task.member}/{name}", provided[name])
            self.shared.publish(name, value)

    def _masked(self, text: str) -> str:
        """*text* without any secret value that is known here."""
        secrets = [
            str(value)
            for name, value in self.shared.values().items()
            if name in self.plan.secrets and len(str(value)) > 3
        ]
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _typed(kind: str, value: object) -> object:
    """A text as the declared type; what does not read as it stays and is refused later."""
    if not isinstance(value, str) or kind == "string":
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
