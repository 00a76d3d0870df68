"""Which accelerator QEMU may use, found by running a guest.

/dev/kvm that opens proves nothing: there are hosts where a machine can be created and then never
executes an instruction of a stock kernel.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from provisioner.lab.qemu import TCG

KVM = Path("/dev/kvm")
SEEN = b"Linux version"
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """QEMU's ``-accel``, and why."""

    accelerator: str
    reason: str


def find(cache: Path, kernel: Path) -> Verdict:
    """The accelerator to use on this boot of this host; a trial's outcome is kept in *cache*.

    Args:
        cache: a folder.
        kernel: a Linux kernel to try with.
    """
    if not KVM.exists():
        return Verdict(accelerator=TCG, reason="no /dev/kvm: guests are emulated")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    kept = cache / f"kvm-{boot}"
    if not kept.exists():
        seen, seconds = _try(kernel)
        text = f"a kernel spoke under KVM after {seconds:.1f} s" if seen else (
            f"no guest spoke under KVM within {seconds:.0f} s although /dev/kvm is there:"
            " guests are emulated"
        )  # fmt: skip
        for old in cache.glob("kvm-*"):
            old.unlink(missing_ok=True)
        kept.write_text(f"{'kvm' if seen else TCG}\n{text}\n", encoding="utf-8")
    accelerator, reason = kept.read_text(encoding="utf-8").splitlines()[:2]
    return Verdict(accelerator=accelerator, reason=reason)


def _try(kernel: Path) -> tuple[bool, float]:
    """Whether the kernel's first line came, and after how many seconds that was known."""
    command = [
        "qemu-system-x86_64", "-accel", "kvm", "-machine", "pc", "-cpu", "host", "-m", "256",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(kernel),
        "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip
    began = time.monotonic()
    with tempfile.NamedTemporaryFile(prefix="interop-kvm-") as out:
        process = subprocess.Popen(
            [*command, "-serial", f"file:{out.name}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while time.monotonic() - began < PATIENCE_S:
                ended = process.poll() is not None
                if SEEN in Path(out.name).read_bytes():
                    return True, time.monotonic() - began
                if ended:
                    break
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    return False, time.monotonic() - began
