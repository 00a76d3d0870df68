"""The seam between a lab's machine and what sits on it: BMCs of any protocol.

A BMC never knows QEMU. It holds the boot override, the users, the logs; the machine holds power,
the console and what a label on its case says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from provisioner.features import BootChoice


class LabMachine(Protocol):
    """One server. Every method may block for some seconds and may be called from any thread."""

    @property
    def name(self) -> str:
        """The lab's name for it, such as ``m1``."""

    @property
    def uuid(self) -> str:
        """SMBIOS system UUID, lower case."""

    @property
    def serial(self) -> str:
        """SMBIOS system serial number, as on the label."""

    @property
    def product(self) -> str:
        """SMBIOS product name."""

    @property
    def manufacturer(self) -> str:
        """SMBIOS manufacturer."""

    @property
    def macs(self) -> tuple[str, ...]:
        """Hardware addresses, lower case with colons; the first one boots."""

    @property
    def cpu(self) -> int:
        """Number of processors."""

    @property
    def memory_mib(self) -> int:
        """Memory in MiB."""

    def power(self) -> bool:
        """Whether it is on, as a look at the machine says, not as was last asked."""

    def power_on(self, boot: BootChoice) -> None:
        """Switch on and boot from there; does nothing if it is on.

        ``default`` is the firmware's own order: first disk, then network.
        """

    def power_off(self) -> None:
        """Pull the plug; does nothing if it is off."""

    def shutdown(self) -> None:
        """Press the power button; the guest decides. Does nothing if it is off."""

    def reset(self, boot: BootChoice) -> None:
        """Press the reset button and boot from there; does nothing if it is off."""

    def nmi(self) -> None:
        """Send a diagnostic interrupt; does nothing if it is off."""

    def console(self) -> bytes:
        """The serial output kept since the machine was last switched on (the last 1 MiB)."""

    def console_attach(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        """Call *listener* with each piece of serial output from now on; returns how to stop.

        The listener runs on the machine's reading thread: it must return at once.
        """

    def console_write(self, data: bytes) -> None:
        """Type *data* on the serial line; lost if the machine is off."""

    def booted_from(self) -> BootChoice | None:
        """What the last power-on or reset asked the firmware for; None before the first."""
