"""The machines of a platform: claimed, installed, read and given back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from provisioner.clock import Clock
from provisioner.driver import State, Status, Step
from provisioner.drivers.metal.bmc import Bmc, SerialLog
from provisioner.drivers.metal.boot.service import BootService
from provisioner.drivers.metal.registry import Claim, Registry
from provisioner.drivers.metal.settings import MetalSettings
from provisioner.drivers.metal.states import machine_state
from provisioner.errors import Capacity, NotFound, PlatformError
from provisioner.reach import Dialer
from provisioner.resources import MachineSpec


class Machines:
    """Every machine of the inventory, with its BMC and console. Thread-safe."""

    def __init__(
        self,
        settings: MetalSettings,
        registry: Registry,
        service: BootService,
        dialer: Dialer,
        *,
        platform: str,
        clock: Clock,
    ) -> None:
        self._settings, self._registry, self._service = settings, registry, service
        self._dialer, self.platform, self._clock = dialer, platform, clock
        self._guard = threading.Lock()
        self._bmcs: dict[str, Bmc] = {}
        self._consoles: dict[str, SerialLog] = {}
        self._busy: dict[str, threading.Lock] = {}

    def create(self, step: Step, spec: MachineSpec, number: str, token: str) -> Claim:
        """Claim a machine and have it installed; the same *number* is the same machine.

        Raises:
            Capacity: every fitting machine is taken.
            NotFound: the key is gone.
        """
        keys: tuple[str, ...] = ()
        if spec.key is not None:
            key = self._registry.thing(step.bound[spec.key].id)
            if key is None:
                raise NotFound(f"no key {step.bound[spec.key].id}", self.platform)
            keys = (str(key.facts["public_key"]),)
        with self._one_at_a_time(number):
            claim = self._claimed(step, number, keys, token)
            life = self._registry.life(claim)
            service = self._service.expect(claim, spec.user_data)
            if not life.registered and life.service != service:
                self._install(claim, service)
        return claim

    def read(self, claim: Claim) -> State:
        """What a claimed machine is now."""
        model = self._settings.machine(claim.machine)
        if model is None:
            return State(status=Status.FAILED, tags=claim.tags, reason="not in the inventory")
        try:
            self._install_again(claim, self._service.ensure())
        except PlatformError:
            if not self._registry.life(claim).ready:  # what is installed does without the service
                raise
        power = str(self.bmc(claim.machine).call("power"))
        return machine_state(
            self._settings, model, claim, self._registry, power, self._dialer, self._clock
        )

    def delete(self, claim: Claim) -> None:
        """Switch off, detach and give back."""
        self.bmc(claim.machine).call("set_power", state="off")
        number = f"{claim.machine}.{claim.instance}"
        for joined in self._registry.things("attachment"):
            if joined.facts.get("instance") == number:
                self._registry.remove(joined.id)
        self._registry.release(claim)
        self._service.forget(claim)

    def close(self) -> None:
        """Let go of every BMC and console."""
        with self._guard:
            bmcs, consoles = list(self._bmcs.values()), list(self._consoles.values())
            self._bmcs.clear()
            self._consoles.clear()
        for console in consoles:
            console.close()
        for bmc in bmcs:
            bmc.close()

    def bmc(self, machine: str) -> Bmc:
        """The BMC of a machine."""
        model = self._settings.machine(machine)
        if model is None:
            raise NotFound(f"no machine {machine} in the inventory", self.platform)
        with self._guard:
            if machine not in self._bmcs:
                self._bmcs[machine] = Bmc(model.bmc, machine, self.platform)
            return self._bmcs[machine]

    def console(self, machine: str) -> SerialLog:
        """What a machine prints."""
        bmc = self.bmc(machine)
        with self._guard:
            if machine not in self._consoles:
                path = self._registry.folder / "consoles" / f"{machine}.log"
                self._consoles[machine] = SerialLog(bmc.about, path)
            return self._consoles[machine]

    def _claimed(self, step: Step, number: str, keys: tuple[str, ...], token: str) -> Claim:
        """The claim of this token; a new one on the first machine that nobody has."""
        for old in self._registry.claims():
            if old.instance == number:
                return old
        for name in step.body["machines"]:
            claim = Claim(
                machine=name,
                instance=number,
                token=token,
                at=self._clock.time(),
                image=step.body["image"],
                hostname=step.body["hostname"],
                tags=step.resource.tags,
                keys=keys,
                user_data=bool(cast(MachineSpec, step.resource.spec).user_data),
            )
            if self._registry.claim(claim):
                return claim
        raise Capacity("every fitting machine of the inventory is taken", self.platform)

    def _install(self, claim: Claim, service: str) -> None:
        """Boot from the network, once; the boot service does the rest."""
        bmc = self.bmc(claim.machine)
        model = self._settings.machine(claim.machine)
        bmc.call("set_power", state="off")
        if bmc.protocols()[0] == "ipmi":
            self.console(claim.machine).start(fresh=True)
        uefi = model is not None and model.firmware == "uefi"
        bmc.call("set_boot", device="network", persistent=False, uefi=uefi)
        self._registry.live(
            claim,
            lambda old: replace(old, started=self._clock.time(), service=service),
        )
        bmc.call("set_power", state="on")

    def _install_again(self, claim: Claim, service: str) -> None:
        """An installation whose service died on the way begins anew with the one there is now.

        Not where user-data was with the dead process: only its creator can give it again.
        """
        with self._one_at_a_time(claim.instance):
            life = self._registry.life(claim)
            lost = life.started and not life.registered and life.service != service
            if lost and not claim.user_data:
                self._service.expect(claim, b"")
                self._install(claim, service)

    @contextlib.contextmanager
    def _one_at_a_time(self, number: str) -> Iterator[None]:
        """The same creation in two threads is one creation."""
        with self._guard:
            lock = self._busy.setdefault(number, threading.Lock())
        with lock:
            yield
