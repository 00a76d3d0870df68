"""The dnsmasq of each network: its files, its process, and the leases it must forget.

It outlives neutron's process; the next one ends it and starts its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from provisioner.lab.openstack.net import leases
from provisioner.lab.openstack.net.wires import within


class Servers:
    """All of them, by network. Used by one thread at a time.

    Args:
        folder: where each network has a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._files: dict[Path, str] = {}

    def folder(self, network: str) -> Path:
        """Where a network's files are."""
        path = self._folder / network
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def well(self, network: str) -> bool:
        """Whether it runs."""
        process = self._running.get(network)
        return process is not None and process.poll() is None

    def serve(self, network: str, namespace: str, files: Mapping[str, str]) -> None:
        """Have the network's server run and know *files* (``dnsmasq.conf`` and what it names)."""
        folder = self.folder(network)
        main = folder / "dnsmasq.conf"
        before = {name: self._files.get(folder / name) for name in files}
        changed = {name for name, text in files.items() if before[name] != text}
        for name in sorted(changed):
            self._write(folder / name, files[name])
        gone = machines(before.get(leases.HOSTS) or "") - machines(files[leases.HOSTS])
        if main.name in changed or gone or not self.well(network):
            self.stop(network)
            self._forget(folder / "leases", {mac for mac, _ in gone})
            self._start(network, namespace, main)
        elif changed:
            self._running[network].send_signal(signal.SIGHUP)

    def _write(self, path: Path, text: str) -> None:
        fresh = path.with_name(f".{path.name}")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
        self._files[path] = text

    def _forget(self, file: Path, macs: set[str]) -> None:
        """Take leases away; dnsmasq reads them only when it starts."""
        if not macs or not file.exists():
            return
        lines = file.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not any(f" {mac} " in line for mac in macs)]
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def _start(self, network: str, namespace: str, main: Path) -> None:
        with (main.parent / "log").open("ab") as log:
            self._running[network] = subprocess.Popen(
                within(namespace, ["dnsmasq", "-C", str(main), "-k", "--log-facility=-"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def stop(self, network: str) -> None:
        """End it, also one that an earlier process of neutron's started."""
        process = self._running.pop(network, None)
        if process is not None:
            process.terminate()
            process.wait()
            return
        folder = self._folder / network
        with contextlib.suppress(OSError, ValueError):
            pid = int((folder / "pid").read_text())
            line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(folder / "dnsmasq.conf") in line:
                os.kill(pid, signal.SIGTERM)
                _gone(pid)

    def forget(self, network: str) -> None:
        """End it and remove its files."""
        self.stop(network)
        folder = self._folder / network
        for path in [path for path in self._files if path.parent == folder]:
            del self._files[path]
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()

    def known(self) -> set[str]:
        """The networks that have files, of whatever process."""
        return {path.name for path in self._folder.iterdir()} if self._folder.is_dir() else set()

    def close(self) -> None:
        """End those that this process started."""
        for network in list(self._running):
            self.stop(network)


def machines(text: str) -> set[tuple[str, str]]:
    """Hardware address and address of each line of a hosts file."""
    parts = [line.split(",") for line in text.splitlines() if line]
    return {(part[0], part[-2]) for part in parts}


def _gone(pid: int) -> None:
    """Wait for a process that is not our child to end; its socket is in the way of the next."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            import select

            select.select([handle], [], [], 5.0)
        finally:
            os.close(handle)
