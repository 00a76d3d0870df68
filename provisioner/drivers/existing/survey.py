"""What a lent host says of itself, asked over SSH with one command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from provisioner.driver import Offer
from provisioner.errors import Lost
from provisioner.remote import Remote

LIMIT_S = 20.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's words in ours

_ASK = (
    "nproc; awk '/^MemTotal/{print int($2/1024)}' /proc/meminfo; uname -m; uname -r;"
    ' . /etc/os-release 2>/dev/null; echo "${ID:-}"; echo "${VERSION_ID:-}"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One host's own words."""

    host: str
    cpu: int
    memory_mib: int
    arch: str
    kernel: str
    os: str
    version: str

    def size(self) -> Offer:
        """The host as a size to choose."""
        facts = {"cpu": self.cpu, "memory_mib": self.memory_mib, "arch": self.arch}
        return Offer(id=self.host, name=self.host, facts=facts, source="guest: nproc, meminfo")


def survey(name: str, remote: Remote) -> Survey:
    """Ask one host.

    Raises:
        Lost, Timeout, Unauthorized: it cannot be asked, or its answer cannot be read.
    """
    done = remote.run(_ASK, timeout_s=LIMIT_S)
    lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines()]
    try:
        cpu, memory, arch, kernel, system, version = lines
        return Survey(
            host=name,
            cpu=int(cpu),
            memory_mib=int(memory),
            arch=ARCHITECTURES.get(arch, arch),
            kernel=kernel,
            os=system,
            version=version,
        )
    except ValueError as error:
        raise Lost(f"{name} gave an unreadable answer of {len(lines)} lines") from error


def images(found: Iterable[Survey]) -> tuple[Offer, ...]:
    """What is installed on the hosts, each system once."""
    systems = {(one.os, one.version, one.arch) for one in found}
    return tuple(
        Offer(
            id=f"{system} {version} {arch}",
            name=f"{system} {version}",
            facts={"os": system, "version": version, "arch": arch},
            source="guest: /etc/os-release",
        )
        for system, version, arch in sorted(systems)
    )
