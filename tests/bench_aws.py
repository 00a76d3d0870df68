"""How long many instances of the lab's AWS take: from the first call until all of them answer ssh.

``python tests/bench_aws.py [COUNT] [COMMAND]`` (root) brings a lab up, asks for COUNT (50)
containers through the driver as a run does, runs COMMAND in each, and prints a table: seconds,
memory of the lab with its guests (proportional set size), seconds to remove them, what is left.
The promise is 60 s and 2 GB for 50 on two idle cores; the load is printed, for it decides.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out

from lab_memory import memory_mb

from harness.config import load_platforms
from harness.keys import public_key, run_key
from provisioner.census import census
from provisioner.clock import SystemClock
from provisioner.creation import place_for
from provisioner.driver import Access, Handle, Owner
from provisioner.drivers.aws import open_driver
from provisioner.executor import Executor
from provisioner.lab import up
from provisioner.lab.space import Space
from provisioner.ledger import Ledger
from provisioner.planner import make_plan
from provisioner.remote import Remote, open_remote
from provisioner.removal import Removal
from provisioner.site import Inputs, Site
from provisioner.workload import load_workload

WORKLOAD = """\
workload: many
version: 2026.11
networks: {{members: {{"cidr?": 10.99.0.0/24}}}}
firewall: [{{from: harness, ports: ["22/tcp"]}}]
groups: {{app: {{count: {count}, image: {{os: debian, version: "12"}}, roles: [ask]}}}}
roles: {{ask: {{wants: [], provides: {{}}}}}}
"""
ASK = "grep -c nameserver /etc/resolv.conf"


def main() -> int:
    """Measure and print; 1 if a promise was not kept or something is left."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    command = sys.argv[2] if len(sys.argv) > 2 else ASK
    load, space, clock = os.getloadavg()[0], Space(name="bench-aws"), SystemClock()
    platforms = up.up(space, ["aws"], lambda platform, text: None)
    try:
        config = load_platforms([platforms])["lab-aws"]
        owner = Owner(run=f"bench-{os.getpid()}", expires="2030-01-01T00:00:00Z")
        with tempfile.TemporaryDirectory() as folder, closing(open_driver(config)) as driver:
            key = run_key(Path(folder))
            (Path(folder) / "workload.yaml").write_text(WORKLOAD.format(count=count), "utf-8")
            plan = make_plan(
                load_workload(folder),
                [Site(driver=driver, description=driver.describe())],
                Inputs(owner=owner, public_key=public_key(key)),
            )

            def shell(platform: str, handle: Handle, access: Access) -> Remote:
                return open_remote(config, driver, handle, access, key)

            with Ledger(Path(folder) / "ledger.jsonl", owner.run or "", clock=clock) as ledger:
                begun = time.monotonic()
                executor = Executor({config.name: driver}, ledger, owner, clock=clock, shell=shell)
                executor.apply(plan).check()
                took, held = time.monotonic() - begun, memory_mb(space)
                said: Counter[str] = Counter()
                for handle, state in ((h, driver.read(h)) for h in driver.find(owner)):
                    if state is not None and state.access is not None:
                        with closing(shell(config.name, handle, state.access)) as inside:
                            said[inside.run(command).stdout.decode("utf-8", "replace")] += 1
                begun = time.monotonic()
                removal = Removal({config.name: place_for(driver, owner, clock)}, ledger, clock)
                left = len(removal.everything().left) + sum(census(driver, owner).values())
                gone = time.monotonic() - begun
    finally:
        up.down(space)
    print(f"| load before | {load:.1f} |\n|---|---|")
    print(f"| {count} instances answer ssh | {took:.1f} s |")
    print(f"| memory of the lab with them | {held:.0f} MB |")
    print(f"| all of them gone | {gone:.1f} s |")
    print(f"| left | {left} |")
    for text, times in said.most_common():
        print(f"| said by {times} | {text.strip()!r} |")
    return 0 if took < 60 and held < 2000 and not left else 1


if __name__ == "__main__":
    sys.exit(main())
