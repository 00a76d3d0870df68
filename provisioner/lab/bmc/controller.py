"""One management controller: what it knows of its machine and what it does with it.

IPMI and Redfish are two ways to the same object. Actions on the machine run one after another in a
thread of the controller, so that a slow machine never stops a protocol.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from provisioner.clock import Clock, SystemClock
from provisioner.features import BootChoice
from provisioner.lab.bmc import defects as faults
from provisioner.lab.bmc.accounts import Account, Accounts
from provisioner.lab.bmc.boot import BootOptions
from provisioner.lab.bmc.eventlog import ACPI_POWER, BOOT_INITIATED, SESSION_AUDIT, EventLog
from provisioner.lab.bmc.fru_area import fru_area
from provisioner.lab.bmc.sensors import BY_NUMBER, reading
from provisioner.lab.machine import LabMachine

_log = logging.getLogger(__name__)

COLD_RESET_S = 2.0  # how long a controller is away after a cold reset
POWER_SENSOR, BOOT_SENSOR, AUDIT_SENSOR = 0x40, 0x41, 0x42
POWER_ON, POWER_OFF = 0, 6  # offsets of an ACPI power state: working, soft-off
HARD_RESET, BAD_PASSWORD = 1, 2


class Controller:
    """What one BMC is.

    Args:
        board: the machine.
        users: name, password and privilege (2 user, 3 operator, 4 administrator) of each account.
        clock: where time comes from.
        defects: faults it is to have, by the names of ``defects.DEFECTS``.
        sessions: how many sessions of a protocol may be open at once.
    """

    def __init__(
        self,
        board: LabMachine,
        users: Iterable[tuple[str, str, int]],
        *,
        clock: Clock | None = None,
        defects: Iterable[str] = (),
        sessions: int = 8,
    ) -> None:
        self.board = board
        self.clock: Clock = SystemClock() if clock is None else clock
        self.defects = faults.known(defects)
        self.sessions = 1_000_000 if "sessions-unlimited" in self.defects else sessions
        self.accounts = Accounts(users)
        self.guid = uuid.uuid5(uuid.NAMESPACE_URL, f"interop:bmc:{board.uuid}").bytes
        self.boot = BootOptions(
            self.clock.monotonic,
            persists="one-shot-boot-persists" in self.defects,
            forgets="persistent-boot-forgotten" in self.defects,
        )
        self._clock_offset = -3600.0 if "clock-off" in self.defects else 0.0
        self.log = EventLog(self.now)
        self.fru = bytearray(
            fru_area(
                manufacturer=board.manufacturer,
                product=board.product,
                serial="X-0000" if "wrong-serial" in self.defects else board.serial,
            )
        )
        self.identify_until = 0.0
        self.started = self.clock.monotonic()
        self.away_until = 0.0
        self.resets = 0
        self.on_reset: list[Callable[[], None]] = []
        self._looking = threading.Lock()
        self._was_on = False
        self._noted = board.power()  # the power state of the last entry in the log
        self._hands = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"bmc-{board.name}")

    def close(self) -> None:
        """Finish what is being done to the machine and stop."""
        self._hands.shutdown(wait=True, cancel_futures=True)

    # -- time ---------------------------------------------------------------------------------

    def now(self) -> float:
        """The controller's own clock, seconds since the epoch."""
        return self.clock.time() + self._clock_offset

    def set_now(self, epoch: float) -> None:
        """Set the controller's clock."""
        self._clock_offset = epoch - self.clock.time()

    @property
    def away(self) -> bool:
        """Whether the controller is restarting and answers nothing."""
        return self.clock.monotonic() < self.away_until

    def cold_reset(self) -> None:
        """Restart the controller: sessions end; settings are kept; the machine does not notice."""
        self.away_until = self.clock.monotonic() + COLD_RESET_S
        self.resets += 1
        if "boot-lost-on-reset" in self.defects:
            self.boot.clear()
        for end in self.on_reset:
            end()

    # -- power --------------------------------------------------------------------------------

    def power(self) -> bool:
        """What the controller says of the machine's power."""
        self.look()
        on = self.board.power()
        self._was_on = self._was_on or on
        return on or ("power-lies" in self.defects and self._was_on)

    def look(self) -> None:
        """Notice that the machine went off by itself: its guest shut down."""
        with self._looking:
            on = self.board.power()
            if on != self._noted:
                self._noted = on
                self._note(ACPI_POWER, POWER_SENSOR, POWER_ON if on else POWER_OFF)

    def on(self) -> Future[None]:
        """Power on; nothing happens when it is on."""
        return self._do("power on", self._on)

    def off(self) -> Future[None]:
        """Power off, hard."""
        return self._do("power off", self._off)

    def cycle(self) -> Future[None]:
        """Hard off, then on."""

        def act() -> None:
            self._off()
            self._on()

        return self._do("power cycle", act)

    def reset(self) -> Future[None]:
        """Hard reset."""

        def act() -> None:
            if self.board.power():
                self._note(BOOT_INITIATED, BOOT_SENSOR, HARD_RESET)
                self.board.reset(self.boot.take())

        return self._do("reset", act)

    def soft_off(self) -> Future[None]:
        """Press the power button."""
        return self._do("shut down", self.board.shutdown)

    def diag(self) -> Future[None]:
        """Send the guest a diagnostic interrupt."""
        return self._do("interrupt", self.board.nmi)

    def next_boot(self) -> BootChoice:
        """Where the next boot goes."""
        return self.boot.override.choice()

    def _on(self) -> None:
        if not self.board.power():
            self.look()
            self.board.power_on(self.boot.take())
            self.look()

    def _off(self) -> None:
        if self.board.power():
            self.look()
            self.board.power_off()
            self.look()

    def _do(self, what: str, act: Callable[[], None]) -> Future[None]:
        self.boot.commanded()

        def guarded() -> None:
            try:
                act()
            except Exception:
                _log.exception("%s: cannot %s", self.board.name, what)
                raise

        return self._hands.submit(guarded)

    # -- the rest -----------------------------------------------------------------------------

    def refused(self, name: str) -> None:
        """Somebody gave a wrong name or password."""
        _log.info("%s: login of %r refused", self.board.name, name)
        self._note(SESSION_AUDIT, AUDIT_SENSOR, BAD_PASSWORD)

    def checked(self, name: str, password: str) -> Account | None:
        """The account for that name and password."""
        if "any-password" in self.defects:
            return self.accounts.named(name)
        return self.accounts.checked(name, password)

    def sensor(self, number: int) -> int | None:
        """A sensor's raw reading, None when it has none. Raises KeyError for an unknown one."""
        return reading(BY_NUMBER[number], on=self.board.power(), dead="dead-sensor" in self.defects)

    def clear_log(self) -> None:
        """Clear the event log."""
        if "event-log-never-clears" not in self.defects:
            self.log.clear()

    def _note(self, sensor_type: int, sensor: int, offset: int) -> None:
        if "silent-event-log" not in self.defects:
            self.log.note(sensor_type, sensor, offset)
