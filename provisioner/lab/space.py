"""One lab's network namespace: a bridge for machines and no way out.

Nothing of the host's network is touched. The namespace has no link to the outside and nothing
forwards between its bridge and anything else, so a guest cannot leave and nobody can come in
except through a socket that the broker opened inside.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import BadRequest, PlatformFault

RUN = Path("/run/interop")  # state of running labs, one folder per lab
NETNS = Path("/run/netns")
MOUNT_MARK = RUN / ".netns-mount-is-ours"  # `ip netns add` made /run/netns a mount for us
BRIDGE = "br-metal"
ADDRESS = "10.77.0.1/23"
ADDRESS6 = "fd77::1/64"  # iPXE waits 16 s for a router advertisement unless one can be sent
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The namespace of the lab called *name*."""

    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise BadRequest(
                f"lab name {self.name!r}: expected up to 24 lower-case letters, digits and hyphens,"
                " beginning with a letter or digit"
            )

    @property
    def namespace(self) -> str:
        """Name of the network namespace, as ``ip netns`` lists it."""
        return f"interop-{self.name}"

    @property
    def state_dir(self) -> Path:
        """Where the lab keeps what is true only while it runs."""
        return RUN / self.name

    @property
    def broker_socket(self) -> Path:
        """The local socket on which the lab's broker listens."""
        return self.state_dir / "broker.sock"

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command that runs *argv* within the namespace, changing nothing else."""
        return ["nsenter", f"--net={NETNS / self.namespace}", "--", *argv]

    def exists(self) -> bool:
        """Whether the namespace is there."""
        return (NETNS / self.namespace).exists()

    def create(self) -> None:
        """Make the namespace and its bridge.

        Raises:
            PlatformFault: a command failed; what was made before it is removed again.
        """
        RUN.mkdir(mode=0o755, exist_ok=True)
        was_mount = _is_mount(NETNS)
        run("ip", "netns", "add", self.namespace)
        if not was_mount:
            MOUNT_MARK.touch()
        try:
            self._furnish()
        except PlatformFault:
            self.remove()
            raise

    def _furnish(self) -> None:
        inside = ("ip", "-n", self.namespace)
        run(*self.inside(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]))
        run(*inside, "link", "set", "lo", "up")
        # no spanning tree and no forward delay: a port must pass DHCP from its first second
        run(*inside, "link", "add", BRIDGE, "type", "bridge", "stp_state", "0",
            "forward_delay", "0", "mcast_snooping", "0")  # fmt: skip
        run(*inside, "addr", "add", ADDRESS, "dev", BRIDGE)
        run(*inside, "addr", "add", ADDRESS6, "dev", BRIDGE, "nodad")
        run(*inside, "link", "set", BRIDGE, "up")

    def add_tap(self, tap: str) -> None:
        """Make the tap device *tap* as a port of the bridge; one that is there is kept."""
        inside = ("ip", "-n", self.namespace)
        if quiet(*inside, "link", "show", tap):
            return
        run(*self.inside(["ip", "tuntap", "add", "dev", tap, "mode", "tap"]))
        run(*inside, "link", "set", tap, "master", BRIDGE, "up")

    def namespaces(self) -> list[str]:
        """The lab's namespaces that exist: its own, and those of its guests (``NAME--*``).

        A lab's name may be the beginning of another's, hence the two hyphens.
        """
        if not NETNS.is_dir():
            return []
        return sorted(
            entry.name
            for entry in NETNS.iterdir()
            if entry.name == self.namespace or entry.name.startswith(f"{self.namespace}--")
        )

    def pids(self) -> set[int]:
        """Every process that lives in one of the lab's namespaces, whoever started it."""
        identities = set()
        for name in self.namespaces():
            status = (NETNS / name).stat()
            identities.add((status.st_dev, status.st_ino))
        found = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                status = (entry / "ns" / "net").stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) in identities:
                found.add(int(entry.name))
        return found - {os.getpid()}

    def remove(self) -> None:
        """Delete the lab's namespaces with all that is in them; none there is fine."""
        for name in self.namespaces():
            run("ip", "netns", "del", name)
        if MOUNT_MARK.exists() and _is_mount(NETNS) and not any(NETNS.iterdir()):
            run("umount", str(NETNS))
            MOUNT_MARK.unlink()


def _is_mount(path: Path) -> bool:
    """Whether something is mounted there; unlike ``Path.is_mount`` it knows bind mounts."""
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as lines:
        return any(line.split()[4] == str(path) for line in lines)


def run(*argv: str) -> str:
    """What the system command said.

    Raises:
        PlatformFault: it is not installed, or did not succeed.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PlatformFault(f"{argv[0]}: not installed") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise PlatformFault(f"{' '.join(argv)}: {said}")
    return done.stdout


def quiet(*argv: str) -> bool:
    """Whether the system command succeeded."""
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
