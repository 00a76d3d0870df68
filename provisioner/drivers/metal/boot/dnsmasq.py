"""dnsmasq for the machines of one platform: configuration, process, addresses and names."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from provisioner.drivers.metal.boot.render import render
from provisioner.drivers.metal.settings import BootModel
from provisioner.errors import PlatformFault, Unsupported

START_S = 5.0
LOADERS = Path("/usr/lib/ipxe")
STAGE_ONE = ("undionly.kpxe", "snponly.efi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine's place on the network; without *macs* only its name is known."""

    machine: str
    macs: tuple[str, ...]
    address: str
    hostname: str


class Dnsmasq:
    """One dnsmasq. ``start`` must be called in a thread that outlives it: it dies with that."""

    def __init__(self, boot: BootModel, work: Path, platform: str) -> None:
        self._boot, self._work, self._platform = boot, work, platform
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, hosts: Iterable[Host]) -> None:
        """Write everything dnsmasq reads; nothing in it is secret."""
        (self._work / "tftp").mkdir(parents=True, exist_ok=True)
        loaders = [LOADERS / name for name in STAGE_ONE if (LOADERS / name).is_file()]
        for loader in loaders:
            shutil.copyfile(loader, self._work / "tftp" / loader.name)
        first, last = self._boot.range
        text = render(
            "dnsmasq.conf.j2",
            interface=self._boot.interface,
            domain=self._boot.domain,
            work=self._work,
            first=first,
            last=last,
            netmask=ipaddress.IPv4Interface(self._boot.address).netmask,
            host=self._boot.host,
            url=self._boot.url,
            tftp=bool(loaders),
        )
        (self._work / "dnsmasq.conf").write_text(text, encoding="utf-8")
        self._write(hosts)

    def start(self) -> None:
        """Start it and see that it serves.

        Raises:
            Unsupported: it is not installed.
            PlatformFault: it ended at once; has its last words.
        """
        if shutil.which("dnsmasq") is None:
            message = "dnsmasq is not installed (apt install dnsmasq-base)"
            raise Unsupported(message, self._platform)
        self._end_leftover()
        log = self._work / "dnsmasq.log"
        log.unlink(missing_ok=True)
        command = ["dnsmasq", f"--conf-file={self._work / 'dnsmasq.conf'}",
                   f"--log-facility={log}"]  # fmt: skip
        if self._boot.namespace:
            command = ["nsenter", f"--net=/run/netns/{self._boot.namespace}", "--", *command]
        if shutil.which("setpriv"):  # it must not outlive us, whatever ends us
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                words = self._process.stderr.read() if self._process.stderr else b""
                self.stop()
                told = words.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
                raise PlatformFault(f"dnsmasq ended: {told[0].strip()}", self._platform)
            if log.exists() and "started" in log.read_text("utf-8", "replace"):
                return
            time.sleep(0.02)
        self.stop()
        raise PlatformFault(f"dnsmasq did not start within {START_S:.0f} s", self._platform)

    def refresh(self, hosts: Iterable[Host]) -> None:
        """Other addresses or names are valid from now on."""
        self._write(hosts)
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGHUP)

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(3)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process = None

    def _end_leftover(self) -> None:
        """End the one of a process that was killed; known by its own configuration file."""
        try:
            pid = int((self._work / "dnsmasq.pid").read_text("ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if f"--conf-file={self._work / 'dnsmasq.conf'}".encode() not in command.split(b"\0"):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + START_S
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.02)

    def _write(self, hosts: Iterable[Host]) -> None:
        leases, names = [], []
        for host in hosts:
            if host.macs:
                leases.append(",".join([*host.macs[:1], host.address, host.hostname, "infinite"]))
            names.append(f"{host.address} {host.hostname}.{self._boot.domain} {host.hostname}")
        for name, lines in (("hosts", leases), ("names", names)):  # read again at SIGHUP only
            text = "".join(f"{line}\n" for line in lines)
            (self._work / name).write_text(text, encoding="utf-8")
