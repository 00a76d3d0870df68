"""The recorded life of the victim: one reboot, one soft stop, one pulled plug, for all checks.

A boot of a real machine takes many seconds, and a dozen checks want to know what it did. Each
transition happens once, when the first check asks; it records what was before and after, what the
API said meanwhile, and what the guest had written. If it goes wrong, each check that asks gets
the same error.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.deployment import Member
from provisioner.errors import Lost, PlatformError, PlatformFault, Timeout, Unsupported
from provisioner.features import BootChoice, BootDevice, Power
from suites.seams import Bench, Inside, Patience, Subject
from suites.turn import SAMPLE_S, Look, Sampler, Turn
from suites.volumes import find_volume
from suites.waits import Stopwatch, until

CONFIG = "/var/lib/interop/probe.json"
MARK = "/var/lib/interop/mark"
OFFSETS = {"reboot": 1 << 20, "soft": 2 << 20, "hard": 3 << 20}  # of marks on the raw volume
PARTS = ("identity", "addressing", "disks", "service")


@dataclass(slots=True, kw_only=True)
class Lifetime:
    """Makes the transitions; see the module."""

    bench: Bench
    inside: Inside
    subject: Subject
    patience: Patience
    member: Member
    _turns: dict[str, Turn | PlatformError] = field(default_factory=dict)
    _served: bool = False
    stuck: Turn | None = None  # a pulled plug after which the power was never told to be off

    def done(self, name: str) -> Turn | None:
        """A transition that happened already, or None."""
        turn = self._turns.get(name)
        return turn if isinstance(turn, Turn) else None

    def reboot(self) -> Turn:
        """The platform's reboot, or the guest's own where the platform has none."""
        return self._once("reboot", self._reboot)

    def soft(self) -> Turn:
        """A soft stop, then a start from the network for once if the boot device can be set."""
        return self._once("soft", self._soft)

    def hard(self) -> Turn:
        """The plug pulled right after a synced write, then a start; the disk chosen for good."""
        return self._once("hard", self._hard)

    def power(self) -> Power:
        """The victim's power. Raises Unsupported."""
        return self.subject.driver.feature(Power, self.member.handle)  # type: ignore[type-abstract]

    def look(self) -> Look:
        """The victim now."""
        seen = self.inside(self.member).observe("facts", parts=list(PARTS))
        asked = time.time()
        clock = self.inside(self.member).observe("clock")
        return Look(
            state=self.member.state,
            clock=clock,
            asked=asked,
            answered=time.time(),
            **{p: seen[p] for p in PARTS},
        )

    def volume_path(self, disks: Mapping[str, Any]) -> str:
        """The node of the data volume, or an empty text without one."""
        for handle in self.member.volumes.values():
            state = self.subject.driver.read(handle)
            found = find_volume(disks, handle, state.facts if state else {})
            if found is not None:
                return str(found.device["node"])
        return ""

    # -- transitions -----------------------------------------------------------------------------

    def _once(self, name: str, make: Callable[[], Turn]) -> Turn:
        if name not in self._turns:
            try:
                self._turns[name] = make()
            except PlatformError as error:
                self._turns[name] = error
        turn = self._turns[name]
        if isinstance(turn, PlatformError):
            raise turn
        return turn

    def _begin(self, name: str) -> Turn:
        """Have the probe serve, leave marks on disk, volume and console, and look around."""
        machine = self.inside(self.member)
        if not self._served:
            config = b'{"name": "victim", "role": "none"}'
            self._must(f"mkdir -p /var/lib/interop && cat > {CONFIG}", stdin=config)
            self._must(f"cd /opt/interop && python3 -m probe enable --config {CONFIG}")
            self._served = True
        token = f"{name}-{secrets.token_hex(8)}"
        before = self.look()
        if "console" in self.subject.description.features:
            machine.observe("say", text=f"interop-before-{token}")
        machine.observe("write-pattern", path=f"{MARK}-{name}", token=token)
        if node := self.volume_path(before.disks):
            machine.observe("write-pattern", path=node, token=token, offset=OFFSETS[name])
        return Turn(name=name, before=before, after=before, token=token, began=time.time())

    def _must(self, command: str, stdin: bytes = b"") -> None:
        done = self.inside(self.member).run(
            command, self.patience("command"), sudo=True, stdin=stdin
        )
        if done.code != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise PlatformFault(f"{self.member.name}: {command} ended with {done.code}: {said}")

    def _reboot(self) -> Turn:
        turn = self._begin("reboot")
        with self._sampled(turn):
            try:
                self.power().reboot()
            except Unsupported:
                self.inside(self.member).run("sync; (sleep 1; reboot) >/dev/null 2>&1 &", sudo=True)
            self._come_back(turn, "reboot")
        return turn

    def _soft(self) -> Turn:
        power = self.power()
        turn = self._begin("soft")
        with self._sampled(turn):
            turn.began = time.time()
            power.soft_off()
            self._see_off(turn, power)
            if turn.off_status != "off":  # nobody listened: go on all the same
                power.off()
                until(power.status, lambda told: told == "off", self.patience("power"))
            if "boot-device" in self.subject.description.features:
                device = self._boot_device()
                device.set(BootChoice(device="network"))
                turn.boot_device["set"] = device.get()
            self._start(turn, power)
            if "boot-device" in self.subject.description.features:
                turn.boot_device["after"] = self._boot_device().get()
        return turn

    def _hard(self) -> Turn:
        power = self.power()
        turn = self._begin("hard")
        with self._sampled(turn):
            turn.began = time.time()
            power.off()
            self._see_off(turn, power)
            if turn.off_status != "off":  # it may not be started then, for it is said to be on
                self.stuck = turn
            if "boot-device" in self.subject.description.features:
                self._boot_for_good(turn)
            self._start(turn, power)
            if "kept" in turn.boot_device:
                turn.boot_device["after"] = self._boot_device().get()
                self._boot_device().set(BootChoice(device="default"))
        return turn

    def _boot_for_good(self, turn: Turn) -> None:
        """Choose the disk for every boot to come; not every controller can."""
        device = self._boot_device()
        with contextlib.suppress(Unsupported):
            device.set(BootChoice(device="disk", persistent=True))
            turn.boot_device["kept"] = device.get()

    def _boot_device(self) -> BootDevice:
        driver, handle = self.subject.driver, self.member.handle
        return driver.feature(BootDevice, handle)  # type: ignore[type-abstract]

    def _see_off(self, turn: Turn, power: Power) -> None:
        """Wait until the power is told to be off, then look whether it is."""
        turn.off_status = until(power.status, lambda told: told == "off", self.patience("stop"))
        turn.off_at = time.time()
        turn.silent = self._silent()
        turn.state_when_off = until(
            self._status, lambda status: status == "stopped", self.patience("power")
        )

    def _silent(self) -> bool:
        """Whether nobody answers inside any more."""
        try:
            self.inside(self.member).run("true", self.patience("power") / 2)
        except (Lost, Timeout):
            return True
        return False

    def _start(self, turn: Turn, power: Power) -> None:
        turn.on_at = time.time()
        power.on()
        turn.on_status = until(power.status, lambda told: told == "on", self.patience("power"))
        self._come_back(turn, "boot")

    def _come_back(self, turn: Turn, what: str) -> None:
        """Wait until a new boot can be seen inside; the old one if no new one ever comes."""
        clock, limit = Stopwatch(), self.patience(what)
        while True:
            left = max(1.0, limit - clock.seconds)
            try:
                self.member = self.bench.reconnect(self.member, left)
                booted = self.inside(self.member).observe("identity")["boot"]
            except (Lost, Timeout):
                if clock.seconds >= limit:
                    raise
                time.sleep(SAMPLE_S)
                continue
            if booted != turn.before.boot or clock.seconds >= limit:
                break
            time.sleep(SAMPLE_S)
        turn.back_at = time.time()
        self._serving()
        self.member = self.bench.refresh(self.member)
        turn.after = self.look()
        machine, name = self.inside(self.member), turn.name
        turn.kept["root"] = machine.observe("read-pattern", path=f"{MARK}-{name}", token=turn.token)
        if node := self.volume_path(turn.after.disks):
            turn.kept["volume"] = machine.observe(
                "read-pattern", path=node, token=turn.token, offset=OFFSETS[name]
            )

    def _serving(self) -> None:
        """Give the services a moment to start; life-01 asserts that they did."""
        until(
            lambda: bool(self.inside(self.member).observe("service")["running"]),
            bool,
            self.patience("command"),
        )

    def _status(self) -> str:
        state = self.subject.driver.read(self.member.handle)
        return str(state.status) if state is not None else "gone"

    def _sampled(self, turn: Turn) -> Sampler:
        return Sampler(self._status, turn.samples)
