"""What a boot of a bare-metal machine of the lab costs: seconds of QEMU's processor by its console.

`python tests/bench_metal.py [LAB]` brings a lab up, installs one machine over the network, starts
it from its disk, and prints each line of its console with the seconds, of the wall and of the
processor, from power-on until it came. Needs root; other work on the machine spoils the wall only.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from harness.config import load_platforms
from harness.keys import public_key, run_key
from provisioner.bench import Bench
from provisioner.driver import Owner, Status
from provisioner.drivers.metal import open_driver
from provisioner.features import Power
from provisioner.lab import up
from provisioner.lab.space import Space
from provisioner.lab.state import State
from provisioner.ledger import Ledger
from provisioner.resources import MachineSpec

HERTZ = os.sysconf("SC_CLK_TCK")
EVERY_S = 0.05


class Watch:
    """Notes when each line came on the consoles of a lab with one machine switched on."""

    def __init__(self, logs: Path, state: State) -> None:
        self._logs, self._state = logs, state
        self._began, self._end = time.monotonic(), threading.Event()
        self._lines: list[tuple[float, float, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, what: str) -> None:
        """Stop, and print what came."""
        self._end.set()
        self._thread.join()
        self._lines.append((time.monotonic() - self._began, self._processor(), f"=== {what}"))
        for wall, processor, line in self._lines:
            print(f"{wall:7.1f} s {processor:7.1f} s  {line[:90]}")

    def _run(self) -> None:
        seen = sum(len(log.read_bytes()) for log in self._logs.glob("*.log"))
        while not self._end.wait(EVERY_S):
            data = b"".join(log.read_bytes() for log in self._logs.glob("*.log"))
            *lines, rest = data[seen:].split(b"\n")
            seen = len(data) - len(rest)
            for line in lines:
                text = re.sub(r"[^ -~]|\[[0-9;?]*[A-Za-z]", "", line.decode("ascii", "replace"))
                if text.strip():
                    when = time.monotonic() - self._began
                    self._lines.append((when, self._processor(), text.strip()))

    def _processor(self) -> float:
        """What the machine that is on has used since it was switched on."""
        for process in self._state.processes():
            if re.fullmatch(r"m\d", process.name) and process.alive():
                stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                return (int(stat[11]) + int(stat[12])) / HERTZ
        return 0.0


def main() -> None:
    """Measure and print."""
    space = Space(name=sys.argv[1] if len(sys.argv) > 1 else "bench-metal")
    platforms = up.up(space, ["metal"], lambda platform, text: None)
    try:
        config = load_platforms([platforms])["lab-metal"]
        logs = Path(config.settings["boot"]["work"]) / "consoles"
        driver = open_driver(config)
        with tempfile.TemporaryDirectory() as folder, closing(driver):
            owner = Owner(run=f"bench-{secrets.token_hex(3)}", expires="2030-01-01T00:00:00Z")
            public = public_key(run_key(Path(folder)))
            ledger = Ledger(Path(folder) / "ledger.jsonl", owner.run or "", expires=owner.expires)
            with closing(ledger), Bench(driver, ledger, owner, public) as bench:
                watch = Watch(logs, State(space))
                member = bench.machine("one", MachineSpec())
                watch.show("installed over the network, answers ssh")
                power = driver.feature(Power, member.handle)  # type: ignore[type-abstract]
                power.off()
                time.sleep(1)
                watch = Watch(logs, State(space))
                power.on()
                bench.refresh(member, Status.READY, 300)
                watch.show("started from its disk, answers ssh")
    finally:
        up.down(space)


if __name__ == "__main__":
    main()
