"""A machine that exists only in memory: instant, observable; for tests of what sits on machines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from provisioner.features import BootChoice


@dataclass(slots=True, kw_only=True, eq=False)
class MemoryMachine:
    """A machine without a guest, unless *booted* plays one; see ``LabMachine`` for the methods.

    Attributes:
        booted: called in a thread of its own at each boot, with the choice.
        stopped: called when it goes off.
        obeys: whether the power button works.
        history: what was done to it, oldest first.
        typed: what was written to its console.
    """

    name: str = "m1"
    uuid: str = "7d4b0a52-0000-4000-8000-000000000001"
    serial: str = "SN-0001"
    product: str = "Memory Server"
    manufacturer: str = "Interop Lab"
    macs: tuple[str, ...] = ("52:54:00:77:00:01",)
    cpu: int = 1
    memory_mib: int = 512
    booted: Callable[[BootChoice], None] | None = None
    stopped: Callable[[], None] | None = None
    obeys: bool = True
    history: list[str] = field(default_factory=list)
    typed: bytearray = field(default_factory=bytearray)
    _on: bool = False
    _kept: bytearray = field(default_factory=bytearray)
    _listeners: list[Callable[[bytes], None]] = field(default_factory=list)
    _last: BootChoice | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def power(self) -> bool:
        return self._on

    def power_on(self, boot: BootChoice) -> None:
        with self._lock:
            if not self._on:
                self._on = True
                self._kept.clear()
                self._boot("on", boot)

    def power_off(self) -> None:
        with self._lock:
            if self._on:
                self.history.append("off")
                self._stop()

    def shutdown(self) -> None:
        with self._lock:
            self.history.append("button")
            if self._on and self.obeys:
                self._stop()

    def reset(self, boot: BootChoice) -> None:
        with self._lock:
            if self._on:
                self._boot("reset", boot)

    def nmi(self) -> None:
        self.history.append("nmi")

    def console(self) -> bytes:
        return bytes(self._kept)

    def console_attach(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def console_write(self, data: bytes) -> None:
        if self._on:
            self.typed += data

    def booted_from(self) -> BootChoice | None:
        return self._last

    def say(self, data: bytes) -> None:
        """Print on the console, as a guest would."""
        self._kept += data
        for listener in list(self._listeners):
            listener(data)

    def _stop(self) -> None:
        self._on = False
        if self.stopped is not None:
            self.stopped()

    def _boot(self, how: str, boot: BootChoice) -> None:
        self._last = boot
        self.history.append(f"{how}:{boot.device}")
        if self.booted is not None:
            threading.Thread(target=self.booted, args=(boot,), daemon=True).start()
