"""The Debian 12 root file system that every guest of the lab comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from provisioner.errors import PlatformFault

SUITE = "bookworm"
PACKAGES = str.split(
    "systemd systemd-sysv dbus udev kmod linux-image-cloud-amd64 extlinux"  # boots
    " cloud-init cloud-guest-utils openssh-server sudo"  # is initialised and logged in to
    " python3 procps iproute2 iputils-ping netbase e2fsprogs fdisk busybox zstd"  # is looked at
)
OPTIONS = (
    "--variant=minbase", "--mode=root",
    '--aptopt=Acquire::Languages "none"', "--aptopt=Acquire::Retries 3",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)  # fmt: skip
GUEST = Path(__file__).parent / "guest"  # files that are laid over the packages
UNITS_WANTED = {
    "multi-user.target.wants/systemd-networkd.service": "systemd-networkd.service",
    "sockets.target.wants/systemd-networkd.socket": "systemd-networkd.socket",
    "network-online.target.wants/systemd-networkd-wait-online.service":
        "systemd-networkd-wait-online.service",
    "dbus-org.freedesktop.network1.service": "systemd-networkd.service",
    "paths.target.wants/interop-resolv.path": "interop-resolv.path",
    "default.target": "multi-user.target",
}  # fmt: skip
UNITS_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "getty@tty1.service", "systemd-pstore.service",
    "systemd-update-utmp.service", "cloud-init-hotplugd.socket",
)  # fmt: skip
REMOVED = (
    "etc/ssh/ssh_host_*", "boot/initrd.img*", "boot/System.map*", "initrd.img*", "etc/resolv.conf",
    "etc/hostname", "var/cache/debconf/*-old", "var/lib/dbus/machine-id", "var/log/*.log",
)  # fmt: skip


def sources() -> list[str]:
    """The lines of sources.list: the host's own mirrors, or those that the environment names.

    ``INTEROP_DEBIAN_MIRROR`` and ``INTEROP_DEBIAN_SECURITY`` are for hosts of another release.

    Raises:
        PlatformFault: neither apt nor the environment knows a mirror of the release.
    """
    known = _mirrors()
    mirror = os.environ.get("INTEROP_DEBIAN_MIRROR") or known.get(SUITE)
    security = os.environ.get("INTEROP_DEBIAN_SECURITY") or known.get(f"{SUITE}-security")
    if mirror is None:
        raise PlatformFault(f"apt has no mirror of {SUITE}: name one in INTEROP_DEBIAN_MIRROR")
    lines = [f"deb {mirror} {SUITE} main"]
    if f"{SUITE}-updates" in known or "INTEROP_DEBIAN_MIRROR" in os.environ:
        lines.append(f"deb {mirror} {SUITE}-updates main")
    if security is not None:
        lines.append(f"deb {security} {SUITE}-security main")
    return lines


def _mirrors() -> dict[str, str]:
    """Release to mirror, as the host's apt is set up; empty where there is no apt."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
    try:
        done = subprocess.run(
            [*command, "Created-By: Packages"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        uri, release, component = line.split()
        if component == "main" and release.startswith(SUITE):
            found.setdefault(release, uri.rstrip("/"))
    return found


def recipe() -> str:
    """Everything the packages' part of the tree depends on."""
    return "\n".join((SUITE, *sorted(PACKAGES), *OPTIONS))


def overlay(name: str) -> Iterator[tuple[Path, str]]:
    """The files to be laid over: (file, its place in the tree), sorted."""
    top = GUEST / name
    for path in sorted(top.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path, str(path.relative_to(top))


def build_packages(tree: Path, progress: Callable[[str], None]) -> None:
    """Fetch and unpack Debian into the empty folder *tree*.

    Raises:
        PlatformFault: mmdebstrap is not installed or did not succeed.
    """
    if shutil.which("mmdebstrap") is None:
        raise PlatformFault("mmdebstrap: not installed; `apt-get install mmdebstrap` has it")
    command = ["mmdebstrap", *OPTIONS, f"--include={','.join(PACKAGES)}", SUITE, str(tree)]
    log = tree.with_name(f"{tree.name}.log")
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TMPDIR": str(tree.parent)}
    with log.open("w+b") as out:
        built = subprocess.Popen(
            [*command, *sources()], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env=environment,
        )  # fmt: skip
        while True:
            try:
                code = built.wait(timeout=2)
                break
            except subprocess.TimeoutExpired:
                progress(f"debian packages: {_last(log)}")
            except BaseException:
                built.terminate()
                built.wait()
                raise
    if code:
        errors = [line for line in _lines(log) if line.startswith(("E:", "Err:"))]
        said = errors[0] if errors else _last(log)
        raise PlatformFault(f"mmdebstrap exited with {code}: {said}; the whole log is {log}")
    log.unlink()


def _lines(log: Path) -> list[str]:
    text = log.read_bytes()[-200_000:].decode(errors="replace").replace("\r", "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _last(log: Path) -> str:
    return (_lines(log) or ["starting"])[-1][:70]


def customise(tree: Path) -> None:
    """Make a tree of fresh packages a guest's root: our files, units, nothing of one machine."""
    for pattern in REMOVED:
        for path in tree.glob(pattern):
            path.unlink()
    for source, name in (*overlay("rootfs"), *overlay("common")):
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    units = tree / "etc/systemd/system"
    for name, unit in UNITS_WANTED.items():
        _link(units / name, f"/lib/systemd/system/{unit}")
    for name in UNITS_MASKED:
        _link(units / name, "/dev/null")
    (tree / "etc/machine-id").write_text("")  # made anew at the first boot
    (tree / "etc/hostname").write_text("localhost\n")
    (tree / "etc/resolv.conf").write_text("")
    (tree / "etc/fstab").write_text("")  # only a machine with disks has one


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
