"""Keeps one instance's guest the way the API wants it: one thread per instance."""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from provisioner.errors import PlatformError
from provisioner.lab.aws.fabric import Fabric
from provisioner.lab.aws.namespaces import inside
from provisioner.lab.aws.world import Instance
from provisioner.lab.guests.guest import REBOOTED, Drive, Guest, Wiring

LOG = logging.getLogger(__name__)
HALT_S = 60.0  # a guest that was asked to halt or reboot is given this long
BOOT_S = 30.0  # others may begin to boot after this, answer or not
ANSWER_S = 60.0  # a guest that runs so long is called running, though nothing answers
LOOK_S = 0.25  # between looks at a guest that boots
CALM_S = 5.0  # between looks at one that is up
RETRIES = 3


class Phase(enum.Enum):
    """Where a guest is on its way."""

    OFF = "off"
    STARTING = "starting"
    UP = "up"
    HALTING = "halting"
    GONE = "gone"


class Wish(enum.Enum):
    """What the API wants of it."""

    ON = "on"
    OFF = "off"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What keepers share.

    Attributes:
        fabric: plugs guests into their network.
        slots: how many guests may boot at once; more only slow each other.
        devices: what is attached to an instance.
        plug_pulled: told after a hard stop.
        powered_off: told when a guest switched itself off.
        changed: told after each change of phase.
    """

    fabric: Fabric
    slots: threading.Semaphore
    plugging: threading.Lock
    devices: Callable[[str], Sequence[Drive]]
    plug_pulled: Callable[[str], None]
    powered_off: Callable[[str], None]
    changed: Callable[[], None]


class Keeper:
    """One instance's guest and what is wished of it.

    Args:
        instance: as the API has it now; ``update`` replaces it.
        guest: the guest; it belongs to this keeper's thread.
        means: what is shared.
    """

    def __init__(self, instance: Instance, guest: Guest, means: Means) -> None:
        self.instance = instance
        self.guest = guest
        self.phase = Phase.OFF
        self.healthy = False
        self.answered = False  # since its last start
        self.boots = 0
        self.stops = 0
        self._means = means
        self._wish = Wish.OFF
        self._hard = False
        self._reboot = False
        self._self_off = False
        self._started = 0.0
        self._asked = 0.0  # when a reboot was asked for that has not come yet
        self._failures = 0
        self._stir = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keep-{instance.id}", daemon=True)
        self._thread.start()

    # -- from other threads --------------------------------------------------------------------

    def update(self, instance: Instance) -> None:
        """Take over what the API says now."""
        self.instance = instance
        wish = Wish.ON if instance.wanted else Wish.GONE if instance.gone else Wish.OFF
        if wish is not self._wish:
            self._wish = wish
            self._stir.set()

    def stop_hard(self) -> None:
        """The next stop pulls the plug."""
        self._hard = True
        self._stir.set()

    def reboot(self) -> None:
        """Reboot once."""
        self._reboot = True
        self._stir.set()

    def end(self) -> None:
        """Remove the guest; ``join`` waits for it."""
        self._hard = True
        self._wish = Wish.GONE
        self._stir.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the guest is gone."""
        self._thread.join(timeout_s)

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while self.phase is not Phase.GONE:
            busy = self.phase in (Phase.STARTING, Phase.HALTING)
            self._stir.wait(LOOK_S if busy else CALM_S if self.healthy else LOOK_S * 2)
            self._stir.clear()
            try:
                self._step()
            except (OSError, PlatformError) as error:
                LOG.error("%s: %s", self.instance.id, error)
                self._failures += 1
                time.sleep(1.0)

    def _step(self) -> None:
        if self.phase in (Phase.STARTING, Phase.UP) and not self.guest.on:
            if self.guest.ended() is None:
                self._to(Phase.OFF)  # it could not be started; once more
            else:
                self._ended_by_itself()
        if self._wish is not Wish.ON:
            self._self_off = False
            self._switch_off()
        elif self.phase is Phase.OFF and not self._self_off:
            self._boot()
        elif self.phase in (Phase.STARTING, Phase.UP):
            if self._reboot:
                self._reboot = False
                self._restart()
            elif self._asked and time.monotonic() - self._asked > HALT_S:
                LOG.info("%s: does not reboot by itself", self.instance.id)
                self.guest.pull_plug()
                self._again()
            else:
                self._look()

    def _to(self, phase: Phase) -> None:
        if phase is not self.phase:
            LOG.info("%s: %s", self.instance.id, phase.value)
            self.phase = phase
            self._means.changed()

    def _boot(self) -> None:
        """Start the guest and hold a slot until it answers."""
        with self._means.slots:
            if self._wish is not Wish.ON:
                return
            self._to(Phase.STARTING)
            try:
                with self._means.plugging:
                    wiring = self._means.fabric.plug(self.instance)
                self._power_on(wiring)
            except (OSError, PlatformError):
                self._to(Phase.OFF)  # tried again at the next step
                raise
            deadline = time.monotonic() + BOOT_S
            while self._wish is Wish.ON and time.monotonic() < deadline:
                if self.guest.ended() is not None:
                    return
                self._look()
                if self.healthy:
                    return
                time.sleep(LOOK_S)

    def _power_on(self, wiring: Wiring) -> None:
        self.guest.start(wiring, self._means.devices(self.instance.id))
        self.boots += 1
        self._hard = self._reboot = False
        self.answered = False
        self._started = time.monotonic()
        self._asked = 0.0

    def _restart(self) -> None:
        self.healthy = False
        self._means.changed()
        if self.guest.ask_to_reboot():
            self._asked = time.monotonic()
        else:
            self.guest.pull_plug()
            self._again()

    def _again(self) -> None:
        """Boot once more in the namespace that is there."""
        self.guest.forget()
        self.healthy = False
        with self._means.plugging:
            wiring = self._means.fabric.plug(self.instance)
        self._power_on(wiring)

    def _ended_by_itself(self) -> None:
        code = self.guest.ended()
        self.healthy = False
        if code == REBOOTED:
            self._again()
            return
        early = time.monotonic() - self._started < 2.0
        if code and early and self._failures < RETRIES:
            LOG.error("%s: guest ended at once with %s", self.instance.id, code)
            self._failures += 1
            self._again()
            return
        self.guest.forget()
        self._self_off = self._wish is Wish.ON
        self._to(Phase.OFF)
        if self._self_off:
            LOG.info("%s: switched itself off (%s)", self.instance.id, code)
            self._means.powered_off(self.instance.id)

    def _switch_off(self) -> None:
        if self.guest.on:
            hard = self._hard
            self._to(Phase.HALTING)
            self.healthy = False
            if not hard:
                self.guest.ask_to_halt()
                deadline = time.monotonic() + HALT_S
                while self.guest.on and not self._hard and time.monotonic() < deadline:
                    time.sleep(0.05)
            if self.guest.on:
                self.guest.pull_plug()
                self._means.plug_pulled(self.instance.id)
        self.guest.forget()
        self._hard = self._reboot = False
        if self.phase is not Phase.OFF:
            with self._means.plugging:
                self._means.fabric.unplug(self.instance.id)
            self.stops += 1
            self._to(Phase.OFF)
        if self._wish is Wish.GONE:
            self.guest.erase()
            self._to(Phase.GONE)

    def _look(self) -> None:
        namespace = self._means.fabric.namespace(self.instance.vpc)
        answer = inside(namespace, lambda: knock(self.instance.private))
        healthy = answer == "ssh"
        if healthy is not self.healthy:
            self.healthy = healthy
            self.answered = self.answered or healthy
            self._means.changed()
        waited = time.monotonic() - self._started
        if self.phase is Phase.STARTING and (answer or waited > ANSWER_S):
            self._to(Phase.UP)


def knock(address: str, port: int = 22) -> str:
    """What a guest's SSH port says: ``ssh``, ``refused``, ``open``, or nothing at all."""
    with contextlib.suppress(OSError), socket.socket() as line:
        line.settimeout(0.5)
        try:
            line.connect((address, port))
        except ConnectionRefusedError:
            return "refused"
        with contextlib.suppress(OSError):
            return "ssh" if line.recv(4) == b"SSH-" else "open"
        return "open"
    return ""
