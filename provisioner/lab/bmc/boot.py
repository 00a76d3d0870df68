"""The boot override of a controller: valid bit with its timer, one-shot or persistent, firmware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from provisioner.features import BootChoice

VALID_FOR_S = 60.0
DEVICES = {0: "default", 1: "network", 2: "disk"}  # the others are kept, but boot nothing here
NO_TIMEOUT = 0x08  # boot option 3: keep the valid bit when no chassis command comes in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Boot flags as they were written (boot option 5), byte for byte."""

    flags: bytes = bytes(5)

    @property
    def valid(self) -> bool:
        return bool(self.flags[0] & 0x80)

    @property
    def persistent(self) -> bool:
        return bool(self.flags[0] & 0x40)

    @property
    def uefi(self) -> bool:
        return bool(self.flags[0] & 0x20)

    @property
    def device(self) -> int:
        """The device's code."""
        return (self.flags[1] >> 2) & 0x0F

    def choice(self) -> BootChoice:
        """What to boot from, in the words of the machine."""
        name = DEVICES.get(self.device, "default") if self.valid else "default"
        return BootChoice(device=name, persistent=self.persistent, uefi=self.uefi)


def encoded(device: int, *, persistent: bool, uefi: bool) -> Override:
    """A valid override."""
    first = 0x80 | (0x40 if persistent else 0) | (0x20 if uefi else 0)
    return Override(flags=bytes([first, device << 2, 0, 0, 0]))


class BootOptions:
    """The boot options of one machine. *monotonic* gives seconds for the valid bit's timer."""

    def __init__(
        self, monotonic: Callable[[], float], *, persists: bool = False, forgets: bool = False
    ) -> None:
        self._monotonic = monotonic
        self._override = Override()
        self._until: float | None = None
        self._persists = persists  # defect: one-shot is kept
        self._forgets = forgets  # defect: persistent is lost
        self.clearing = 0  # boot option 3
        self.info = b"\0\0"  # boot option 4: acknowledge
        self.changes = 0

    @property
    def override(self) -> Override:
        """The override now; one that nobody used within 60 s is not valid any more."""
        if self._until is not None and self._monotonic() >= self._until:
            flags = self._override.flags
            self._override = replace(self._override, flags=bytes([flags[0] & 0x7F]) + flags[1:])
            self._until = None
        return self._override

    def set(self, override: Override) -> None:
        """Write the boot flags; the valid bit's timer starts unless option 3 stopped it."""
        self._override = override
        self.changes += 1
        timed = override.valid and not override.persistent and not self.clearing & NO_TIMEOUT
        self._until = self._monotonic() + VALID_FOR_S if timed else None

    def take(self) -> BootChoice:
        """What the boot that begins now is from; a one-shot override is used up by it."""
        override = self.override
        choice = override.choice()
        self._until = None
        once = override.valid and not override.persistent
        if (once and not self._persists) or (override.valid and self._forgets):
            self._override = Override()
        self.clearing = 0
        return choice

    def commanded(self) -> None:
        """A chassis command came: the timer stops."""
        self._until = None

    def clear(self) -> None:
        """Forget the override."""
        self._override, self._until = Override(), None
