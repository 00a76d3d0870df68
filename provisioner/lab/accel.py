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
        seen, reason = _try(kernel)
        text = reason if seen else f"/dev/kvm is there but {reason}: guests are emulated"
        for old in cache.glob("kvm-*"):
            old.unlink(missing_ok=True)
        kept.write_text(f"{'kvm' if seen else TCG}\n{text}\n", encoding="utf-8")
    accelerator, reason = kept.read_text(encoding="utf-8").splitlines()[:2]
    return Verdict(accelerator=accelerator, reason=reason)


def _try(kernel: Path) -> tuple[bool, str]:
    """Whether the kernel's first line came, and what was seen."""
    command = [
        "qemu-system-x86_64", "-accel", "kvm", "-machine", "pc", "-cpu", "host", "-m", "256",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(kernel),
        "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interop-kvm-") as folder:
        serial, said = Path(folder) / "serial", Path(folder) / "said"
        serial.touch()
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [*command, "-serial", f"file:{serial}"],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            )  # fmt: skip
        try:
            while time.monotonic() - began < PATIENCE_S:
                code = process.poll()
                if SEEN in serial.read_bytes():
                    return True, f"a guest ran under KVM after {time.monotonic() - began:.1f} s"
                if code is not None:
                    lines = said.read_text(errors="replace").strip().splitlines()
                    told = (
                        lines[0].removeprefix("qemu-system-x86_64: ") if lines else f"code {code}"
                    )
                    return False, f"qemu ended before a guest ran under KVM ({told})"
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
    return False, f"no guest ran under KVM within {PATIENCE_S:.0f} s"
