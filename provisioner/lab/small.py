"""The small guest: a few dozen programs and Python of the Debian tree, and the installer's initrd.

Where the processor is emulated, a whole Debian takes minutes to boot. The small guest is chosen
file by file from the same tree, has busybox as init, and boots in seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab.cpio import Entry, archive, entry_of
from provisioner.lab.rootfs import GUEST, overlay


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PROGRAMS = _words(
    "bin/busybox bin/bash bin/ip bin/ss bin/ps bin/ping bin/mount bin/umount bin/findmnt bin/lsblk"
    " bin/ls bin/stat bin/date bin/df bin/id bin/readlink bin/timeout bin/mountpoint bin/sync"
    " sbin/blkid sbin/mke2fs sbin/e2fsck sbin/resize2fs sbin/sysctl usr/bin/python3.11"
    " usr/bin/sudo usr/bin/ssh-keygen usr/sbin/sshd usr/lib/openssh/sftp-server usr/bin/extlinux"
    " usr/libexec/sudo/sudoers.so usr/libexec/sudo/libsudo_util.so.0"
    " lib/x86_64-linux-gnu/security/pam_permit.so lib/x86_64-linux-gnu/security/pam_deny.so"
)
FILES = _words(
    "etc/protocols etc/services etc/mke2fs.conf etc/ld.so.conf etc/ld.so.conf.d usr/lib/EXTLINUX"
    " usr/lib/locale/C.utf8"
)
LINKS = {
    "usr/bin/python3": "python3.11",
    "usr/bin/sh": "busybox",
    "usr/sbin/init": "../bin/busybox",
    "usr/sbin/mkfs.ext4": "mke2fs",
    "usr/sbin/fsck.ext4": "e2fsck",
    "usr/bin/interop-init": "../sbin/interop-init",
    "etc/mtab": "/proc/self/mounts",
    "usr/share/udhcpc/default.script": "../../lib/interop/udhcpc",
}
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
FOLDERS = _words(
    "boot dev proc sys run tmp root var/log var/lib var/tmp home mnt opt srv etc/sudoers.d"
    " usr/lib/interop usr/local/bin usr/local/sbin"
)
PYTHON = "usr/lib/python3.11"
# what no program of a guest imports: build support, and extensions whose libraries are not here
PYTHON_WITHOUT = re.compile(
    r"(test|idlelib|lib2to3|ensurepip|pydoc_data|distutils|tkinter|turtledemo)(/|$)"
    r"|config-3.*|lib-dynload/(_test|_curses|_dbm|_xx|xx|nis|ossaudio|readline|_tkinter).*"
)
# What the kernel of a machine is told, apart from where the boot service is. QEMU translates a
# program anew wherever it lies: with its address drawn by lot that took half of an installation,
# and programs never ran fast. Four page levels instead of five, and no trial of ciphers nobody
# uses, spare some more; BIOS calls for disks (EDD), second UARTs and audit are of no use here.
ARGUMENTS = (
    "console=ttyS0 loglevel=6 net.ifnames=0 mitigations=off norandmaps nokaslr no5lvl"
    " cryptomgr.notests no_timer_check random.trust_cpu=on edd=off 8250.nr_uarts=1 audit=0"
)
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "evdev", "button")


def libraries(tree: Path, programs: Iterable[str]) -> set[str]:
    """The shared libraries, relative to *tree*, that the programs in it are linked with.

    Raises:
        PlatformFault: one of them is missing in the tree.
    """
    command = ["chroot", str(tree), "ldd", *(f"/{program}" for program in programs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "not found" in done.stdout or not done.stdout:
        missing = re.search(r"(\S+) => not found", done.stdout)
        what = missing[1] if missing else done.stderr.strip()
        raise PlatformFault(f"small guest: {what}: not in {tree}")
    return {found.lstrip("/") for found in re.findall(r"(/\S+) \(0x", done.stdout)}


def merged(name: str) -> str:
    """Where a file lies in a tree whose /bin, /sbin and /lib are links into /usr."""
    top, _, rest = name.partition("/")
    return f"{MERGED[top]}/{rest}" if top in MERGED and rest else name


def kernel(tree: Path) -> Path:
    """The one kernel of a tree."""
    return max((tree / "boot").glob("vmlinuz-*"))


def modules(tree: Path, wanted: Iterable[str] = MODULES) -> list[Path]:
    """The modules' files, each after those it needs; what is built in has none."""
    top = tree / "lib/modules" / kernel(tree).name.removeprefix("vmlinuz-")
    needs: dict[str, list[str]] = {}
    for line in (top / "modules.dep").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        needs[name] = rest.split()
    by_name = {Path(name).stem.replace("-", "_"): name for name in needs}
    ordered: list[str] = []

    def visit(name: str) -> None:
        for needed in needs[name]:
            visit(needed)
        if name not in ordered:
            ordered.append(name)

    for name in wanted:
        if found := by_name.get(name.replace("-", "_")):
            visit(found)
    return [top / name for name in ordered]


def initrd(tree: Path) -> Iterator[bytes]:
    """The archive both installs a machine and boots it from its disk."""
    return archive(_initrd_entries(tree))


def _initrd_entries(tree: Path) -> Iterator[Entry]:
    programs = ["bin/busybox", "usr/bin/zstd"]
    yield entry_of(GUEST / "initrd/init", "init")
    yield entry_of(GUEST / "initrd/udhcpc", "udhcpc")
    for name in ("dev", "proc", "sys", "run", "new", "etc"):
        yield Entry(name=name, mode=stat.S_IFDIR | 0o755)
    yield Entry(name="dev/console", mode=stat.S_IFCHR | 0o600, device=(5, 1))
    yield entry_of(tree / "bin/busybox", "bin/busybox")
    yield entry_of(tree / "usr/bin/zstd", "bin/zstd")
    yield Entry(name="bin/sh", mode=stat.S_IFLNK | 0o777, data=b"busybox")
    for name in sorted(libraries(tree, programs)):
        yield entry_of((tree / name).resolve(), name)
    yield entry_of(tree / "usr/lib/EXTLINUX/mbr.bin", "mbr.bin")
    files = modules(tree)
    for path in files:
        yield entry_of(path, f"modules/{path.name}")
    order = "".join(f"{path.name}\n" for path in files).encode()
    yield Entry(name="modules/order", mode=stat.S_IFREG | 0o644, data=order)


def select(tree: Path, target: Path) -> None:
    """Copy the small guest's files from the Debian *tree* into the empty folder *target*."""
    for folder in MERGED.values():
        (target / folder).mkdir(parents=True, exist_ok=True)
    for name, link in MERGED.items():
        (target / name).symlink_to(link)
    for name in FOLDERS:
        (target / name).mkdir(parents=True, exist_ok=True)
    (target / "root").chmod(0o700)
    (target / "tmp").chmod(0o1777)
    extensions = [
        str(path.relative_to(tree))
        for path in sorted((tree / PYTHON / "lib-dynload").glob("*.so"))
        if not PYTHON_WITHOUT.match(str(path.relative_to(tree / PYTHON)))
    ]
    for name in (*PROGRAMS, *sorted(libraries(tree, (*PROGRAMS, *extensions)))):
        _copy((tree / name).resolve(), target / merged(name))
    for name in FILES:
        _copy(tree / name, target / name)
    _copy(tree / PYTHON, target / PYTHON)
    for path in sorted((target / PYTHON).rglob("*"), reverse=True):
        if PYTHON_WITHOUT.match(str(path.relative_to(target / PYTHON))):
            path.rmdir() if path.is_dir() else path.unlink()
    for name, link in LINKS.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(link)
    for source, name in (*overlay("common"), *overlay("small")):
        _lay(source, target / name)
    _lay(GUEST / "initrd/udhcpc", target / "usr/lib/interop/udhcpc")
    (target / "etc/shadow").chmod(0o600)
    (target / "etc/sudoers").chmod(0o440)
    _applets(tree, target)


def _applets(tree: Path, target: Path) -> None:
    """Links to busybox for every program that is not there as itself."""
    command = ["chroot", str(tree), "/bin/busybox", "--list-full"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        place = merged(name)
        elsewhere = [target / folder / Path(name).name for folder in ("usr/bin", "usr/sbin")]
        if Path(name).name in ("rpm", "rpm2cpio") or any(
            path.exists() or path.is_symlink() for path in elsewhere
        ):
            continue
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (target / place).symlink_to("/usr/bin/busybox")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    elif not target.exists():
        shutil.copy2(source, target)


def _lay(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
