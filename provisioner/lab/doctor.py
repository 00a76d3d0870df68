"""What this machine lacks for a lab, one line each, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab import up
from provisioner.lab.accel import KVM, find
from provisioner.lab.images import Images
from provisioner.lab.kubernetes import providers
from provisioner.lab.openstack import wanting
from provisioner.lab.space import Space

# program -> Debian package, and what for
PROGRAMS = {
    "ip": ("iproute2", "namespaces and bridges"),
    "nsenter": ("util-linux", "starting programs in the lab's namespace"),
    "losetup": ("util-linux", "block devices of volumes"),
    "mmdebstrap": ("mmdebstrap", "building images"),
    "mke2fs": ("e2fsprogs", "file systems of images"),
    "dnsmasq": ("dnsmasq-base", "DHCP, TFTP and names"),
    "qemu-system-x86_64": ("qemu-system-x86", "metal machines"),
    "qemu-img": ("qemu-utils", "disks"),
    "systemd-nspawn": ("systemd-container", "instances"),
    "genisoimage": ("genisoimage", "configuration drives"),
    "nft": ("nftables", "security groups"),
}
FILES = {
    Path("/usr/lib/ipxe/qemu/efi-virtio.rom"): ("ipxe-qemu", "network boot"),
    Path("/usr/share/seabios/bios-256k.bin"): ("seabios", "firmware"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"):
        ("debian-archive-keyring", "verifying packages of images"),
    Path("/dev/net/tun"): ("", "taps; load the module tun"),
}  # fmt: skip
MODULES = {
    "moto": "lab",
    "werkzeug": "lab",
    "cryptography": "lab",
    "boto3": "aws",
    "openstack": "openstack",
    "pyghmi": "metal",
}
FREE_GIB = 6
MEMORY_MIB = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: whether it is well, and what to know."""

    well: bool
    text: str


def examine(images: Images) -> list[Finding]:
    """Look at everything, change nothing but the cache's note on KVM."""
    found = [_user()]
    packages: dict[str, None] = {}
    for program, (package, purpose) in PROGRAMS.items():
        if shutil.which(program) is None:
            packages[package] = None
            text = f"{program} is missing ({purpose}): apt-get install {package}"
            found.append(Finding(well=False, text=text))
    for path, (package, purpose) in FILES.items():
        if not path.exists():
            how = f": apt-get install {package}" if package else ""
            if package:
                packages[package] = None
            found.append(Finding(well=False, text=f"{path} is missing ({purpose}){how}"))
    for module, extra in MODULES.items():
        if importlib.util.find_spec(module) is None:
            text = f"python module {module} is missing: pip install 'interop-harness[{extra}]'"
            found.append(Finding(well=False, text=text))
    if packages:
        text = f"all of it: apt-get install --no-install-recommends {' '.join(packages)}"
        found.append(Finding(well=False, text=text))
    found += [_room(images), _memory(), _kvm(images)]
    for name, size in images.status():
        found.append(Finding(well=True, text=f"image {name}: {size >> 20} MiB"))
    if not images.status():
        text = f"no image in {images.cache} yet: the first `lab up` builds them"
        found.append(Finding(well=True, text=text))
    found.append(_kubernetes())
    if why := wanting.lacking():
        found.append(Finding(well=False, text=why))
    return found + _labs()


def _kubernetes() -> Finding:
    """Not having it is no fault: the other platforms do without."""
    provider = providers.choose()
    if provider is None:
        return Finding(well=True, text=providers.HINT)
    if why := providers.lacking():
        return Finding(well=False, text=why)
    can = ", ".join(sorted(provider.capabilities))
    return Finding(well=True, text=f"Kubernetes ({provider.name}): {can}")


def lacking() -> str:
    """Why no lab can be here, in one line; empty when one can."""
    if os.geteuid():
        return "a lab needs root"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    missing += [str(path) for path in FILES if not path.exists()]
    return f"a lab needs {', '.join(missing)}" if missing else ""


def _user() -> Finding:
    if os.geteuid() == 0:
        return Finding(well=True, text="runs as root")
    return Finding(well=False, text="not root: namespaces, bridges and taps need it; use sudo")


def _room(images: Images) -> Finding:
    there = next(path for path in (images.cache, *images.cache.parents) if path.exists())
    free = shutil.disk_usage(there).free >> 30
    well = free >= FREE_GIB
    wanted = "" if well else f", wanted {FREE_GIB} GiB"
    return Finding(well=well, text=f"{free} GiB free for {images.cache}{wanted}")


def _memory() -> Finding:
    words = Path("/proc/meminfo").read_text(encoding="utf-8").split()
    free = int(words[words.index("MemAvailable:") + 1]) >> 10
    well = free >= MEMORY_MIB
    wanted = "" if well else f", wanted {MEMORY_MIB} MiB"
    return Finding(well=well, text=f"{free} MiB of memory available{wanted}")


def _kvm(images: Images) -> Finding:
    if not KVM.exists():
        return Finding(well=True, text="no /dev/kvm: guests of metal are emulated, and slower")
    done = [name for name, _ in images.status() if name.startswith("small-")]
    if not done or shutil.which("qemu-system-x86_64") is None:
        return Finding(well=True, text="/dev/kvm is there; known to work once a guest was tried")
    try:
        verdict = find(images.cache, images.cache / done[-1] / "kernel")
    except (OSError, PlatformFault) as error:
        return Finding(well=False, text=f"KVM could not be tried: {error}")
    return Finding(well=True, text=verdict.reason)


def _labs() -> list[Finding]:
    found = []
    for name in up.labs():
        space = Space(name=name)
        parts = up.status(space)
        dead = [part.name for part in parts if part.state == "dead"]
        if dead or not parts:
            what = f"{', '.join(dead)} dead" if dead else "no process"
            left = len(up.leftovers(space))
            text = f"lab {name}: {what}, {left} leftovers: `interop lab down --name {name}`"
            found.append(Finding(well=False, text=text))
        else:
            text = f"lab {name} is up: {', '.join(part.name for part in parts)}"
            found.append(Finding(well=True, text=text))
    return found
