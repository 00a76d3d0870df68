"""How fast and how large planning and applying are; `python tests/bench_provisioner.py`.

Each line is measured in a process of its own. Latency is simulated by the fake platform's clock
(``--factor`` times faster than real; own work then counts *factor* times, against us).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provisioner.clock import Clock, ScaledClock, SystemClock
from provisioner.driver import Owner
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.settings import Settings
from provisioner.drivers.fake.things import Store
from provisioner.executor import Executor
from provisioner.ledger import Ledger
from provisioner.plan import Plan
from provisioner.planner import make_plan
from provisioner.site import Inputs, Site
from provisioner.workload import load_workload

WORKLOAD = """\
workload: big
version: 2026.11
params:
%s
networks: {cluster: {}}
firewall: [{from: members, ports: ["8080/tcp", "7946/tcp,udp", icmp]}]
volumes: {data: {size: 10GiB, group: app}}
groups: {app: {count: %d, image: {os: debian, version: "12"}%s}}
%s
"""
ROLE = "roles: {app: {wants: [p0, p9, members.app], provides: {app.url: {value: x}}}}"
OWNER = Owner(run="bench")


def planned(drivers: list[FakeDriver], members: int, *, roles: bool) -> Plan:
    """A plan of so many members with ten parameters each."""
    chain = [f"  p{n}: {{default: '{{{{ p{n - 1} }}}}x'}}" for n in range(1, 10)]
    params = "\n".join(["  p0: {default: a}", *chain])
    text = WORKLOAD % (params, members, ", roles: [app]" if roles else "", ROLE if roles else "")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "workload.yaml").write_text(text, encoding="utf-8")
        workload = load_workload(folder)
    sites = [Site(driver=driver, description=driver.describe()) for driver in drivers]
    return make_plan(workload, sites, Inputs(owner=OWNER, public_key="ssh-ed25519 A"))


def cloud(name: str, clock: Clock, latency: tuple[float, float] = (0, 0)) -> FakeDriver:
    settings = Settings(latency={"machine": latency, "volume": latency})
    return FakeDriver(Cloud(name, settings, Store(), clock))


def plan_1000() -> str:
    """Plan 1,000 members on three platforms: 2 s, 200 MB."""
    drivers = [cloud(name, SystemClock()) for name in ("a", "b", "c")]
    begun = time.perf_counter()
    plan = planned(drivers, 1000, roles=True)
    took = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{took:6.2f} s  {peak:5.0f} MB  {len(plan.nodes)} steps (target 2 s, 200 MB)"


def apply(members: int, latency: tuple[float, float], factor: float) -> tuple[float, float, int]:
    """Wall seconds of an apply, the slowest path, and CPU milliseconds a poll; simulated time."""
    clock: Clock = ScaledClock(factor) if factor != 1 else SystemClock()
    driver = cloud("a", clock, latency)
    plan = planned([driver], members, roles=False)
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(Path(folder) / "ledger.jsonl", "bench", clock=clock) as ledger,
    ):
        begun = clock.monotonic()
        cpu = time.process_time()
        applied = Executor({"a": driver}, ledger, OWNER, clock=clock).apply(plan)
        wall = clock.monotonic() - begun
        cpu = time.process_time() - cpu
    assert applied.complete
    with driver.cloud.store.session() as world:
        slow = {t.name: t.ready_at - t.created_at for t in world.things.values()}
        path = max(max(slow[f"app-{n}"], slow[f"data-app-{n}"]) for n in range(1, members + 1))
    return wall, path, round(1e6 * cpu / driver.cloud.calls)


def apply_200(factor: float) -> str:
    """Apply 200 members at 20-60 s latency: the slowest path + 10 %."""
    wall, path, cpu_us = apply(200, (20, 60), factor)
    over = 100 * (wall / path - 1)
    told = f"{wall:6.2f} s  slowest path {path:.2f} s  +{over:.1f} %"
    return f"{told}  {cpu_us} us a call (target +10 %)"


def apply_1000() -> str:
    """Apply 1,000 members without latency: 15 s."""
    wall, _, cpu_us = apply(1000, (0, 0), 1)
    return f"{wall:6.2f} s  {cpu_us} us a call (target 15 s)"


def ledger_rate() -> str:
    """Ledger records a second with group commit, 32 threads: 2,000."""
    from concurrent.futures import ThreadPoolExecutor

    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        Ledger(Path(folder) / "ledger.jsonl", "bench") as ledger,
    ):
        begun = time.perf_counter()
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda n: ledger.note(f"n{n}", n), range(6000)))
        rate = 6000 / (time.perf_counter() - begun)
    return f"{rate:6.0f} records a second (target 2000)"


LINES = ("plan", "apply-200", "apply-1000", "ledger")


def main() -> int:
    """Measure one line, or each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("line", nargs="?", choices=LINES)
    parser.add_argument("--factor", type=float, default=1.0)
    chosen = parser.parse_args()
    if chosen.line is None:
        for line in LINES:
            argv = [sys.executable, __file__, line, "--factor", str(chosen.factor)]
            if subprocess.run(argv, check=False).returncode:
                return 1
        return 0
    measured = {
        "plan": plan_1000,
        "apply-200": lambda: apply_200(chosen.factor),
        "apply-1000": apply_1000,
        "ledger": ledger_rate,
    }[chosen.line]()
    print(f"{chosen.line:12} {measured}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
