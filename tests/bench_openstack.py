"""What the harness costs on OpenStack: 20 servers with floating addresses, made and deleted.

The same servers are asked for by the harness (plan, ledger, driver, proof that all is gone) and by
openstacksdk alone in a loop of as many threads, taken in turns on one cloud; machines are started,
nobody logs in to them. What the project shows before and after must be the same.
``python tests/bench_openstack.py platforms.yaml`` prints the ratio and the calls of both.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from provisioner.clock import SystemClock
from provisioner.creation import place_for
from provisioner.driver import Owner
from provisioner.drivers.openstack import open_driver
from provisioner.executor import Executor
from provisioner.ledger import Ledger
from provisioner.plan import Plan
from provisioner.planner import make_plan
from provisioner.platform import PlatformConfig
from provisioner.removal import Removal
from provisioner.site import Inputs, Site
from provisioner.workload import load_workload

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"
WORKLOAD = """\
workload: bench
version: 2026.11
networks: {{members: {{"cidr?": 10.99.0.0/24}}}}
firewall: [{{from: harness, ports: ["22/tcp"]}}]
groups: {{app: {{count: {count}, size: {{cpu: ">=1", memory: ">=256MiB"}}}}}}
"""
JOBS = 4  # at once, for both
OUTSIDE = ("kind", "declared", "emulator", "profile", "limits")


def config_of(file: str) -> PlatformConfig:
    """The platform of kind openstack in a file."""
    told = yaml.safe_load(Path(file).read_text())["platforms"]
    name, entry = next((n, e) for n, e in told.items() if e["kind"] == "openstack")
    settings = {key: value for key, value in entry.items() if key not in OUTSIDE}
    # The loop makes as many at once, and has no limit of its own either.
    settings["limits"] = {**entry.get("limits", {}), "rate": 0, "jobs.machine": JOBS}
    return PlatformConfig(name=name, kind="openstack", settings=settings)


def connection(config: PlatformConfig) -> Connection:
    """Of openstacksdk itself, to the same project."""
    settings = config.settings
    region = OpenStackConfig(config_files=[settings["config_file"]], load_envvars=False).get_one(
        cloud=settings["cloud"]
    )
    return Connection(config=region)


def census(config: PlatformConfig) -> dict[str, int]:
    """How many there are of what the project's user can see, whoever made it."""
    conn = connection(config)
    network, volume = conn.network, conn.block_storage
    lists: dict[str, Any] = {
        "servers": conn.compute.servers(details=False),
        "key pairs": conn.compute.keypairs(),
        "networks": network.networks(),
        "subnets": network.subnets(),
        "routers": network.routers(),
        "ports": network.ports(),
        "addresses": network.ips(),
        "groups": network.security_groups(),
        "rules": network.security_group_rules(),
        "images": conn.image.images(),
        "volumes": volume.volumes(details=False),
        "snapshots": volume.snapshots(details=False),
    }
    found = {what: sum(1 for _ in many) for what, many in lists.items()}
    conn.close()
    return found


def count_calls() -> Counter[str]:
    """How often each kind of call is made from now on, by whomever of this process."""
    calls: Counter[str] = Counter()
    send = requests.Session.send

    def counted(self: requests.Session, request: Any, **more: Any) -> requests.Response:
        path = request.url.partition("//")[2].partition("/")[2].partition("?")[0]
        words = [word for word in path.split("/") if word and not any(c.isdigit() for c in word)]
        calls[" ".join((request.method, *words[-2:]))] += 1
        return send(self, request, **more)

    requests.Session.send = counted  # type: ignore[method-assign]
    return calls


def by_harness(config: PlatformConfig, count: int) -> float:
    """Seconds to make and remove so many, with everything the harness does beside the calls."""
    driver, clock = open_driver(config), SystemClock()
    owner = Owner(run=f"bench-{os.getpid()}-{time.monotonic_ns()}")
    with tempfile.TemporaryDirectory() as folder:
        workload = Path(folder) / "workload.yaml"
        workload.write_text(WORKLOAD.format(count=count), encoding="utf-8")
        begun = time.perf_counter()
        plan: Plan = make_plan(
            load_workload(folder),
            [Site(driver=driver, description=driver.describe())],
            Inputs(owner=owner, public_key=KEY),
        )
        with Ledger(Path(folder) / "ledger.jsonl", owner.run or "", clock=clock) as ledger:
            applied = Executor({config.name: driver}, ledger, owner, clock=clock).apply(plan)
            made = time.perf_counter()
            removal = Removal({config.name: place_for(driver, owner, clock)}, ledger, clock)
            removed = removal.everything()
        ended = time.perf_counter()
    driver.close()
    if not applied.complete or removed.left:
        raise RuntimeError(f"the harness made {applied!r} and left {removed.left}"[:2000])
    print(f"{'':13} making {made - begun:.1f} s, removing {ended - made:.1f} s", flush=True)
    return ended - begun


def by_sdk(config: PlatformConfig, count: int) -> float:
    """Seconds of a loop over openstacksdk that does the same: key, network, group, servers."""
    name = f"bench-{os.getpid()}-{time.monotonic_ns()}"
    begun = time.perf_counter()
    conn = connection(config)
    image = next(conn.image.images(status="active"))
    flavor = min(conn.compute.flavors(), key=lambda f: (f.vcpus, f.ram, f.disk))
    outer = next(conn.network.networks(is_router_external=True))
    key = conn.compute.create_keypair(name=name, public_key=KEY)
    network = conn.network.create_network(name=name)
    subnet = conn.network.create_subnet(
        name=name, network_id=network.id, ip_version=4, cidr="10.99.0.0/24"
    )
    router = conn.network.create_router(name=name, external_gateway_info={"network_id": outer.id})
    conn.network.add_interface_to_router(router, subnet=subnet.id)
    group = conn.network.create_security_group(name=name)
    conn.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
        port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0",
    )  # fmt: skip

    servers: list[Any] = []
    addresses: list[Any] = []

    def make(number: int) -> None:
        server = conn.compute.create_server(
            name=f"{name}-{number}", image_id=image.id, flavor_id=flavor.id, key_name=key.name,
            networks=[{"uuid": network.id}], security_groups=[{"name": group.id}],
            metadata={"bench": name},
        )  # fmt: skip
        servers.append(server)
        conn.compute.wait_for_server(server, interval=1, wait=600)
        port = next(conn.network.ports(device_id=server.id))
        addresses.append(conn.network.create_ip(floating_network_id=outer.id, port_id=port.id))

    def remove(server: Any) -> None:
        conn.compute.delete_server(server)
        conn.compute.wait_for_delete(server, interval=1, wait=600)

    with ThreadPoolExecutor(JOBS) as pool:
        wrong = [one.exception() for one in [pool.submit(make, n) for n in range(count)]]
        made = time.perf_counter()
        list(pool.map(conn.network.delete_ip, addresses))
        list(pool.map(remove, servers))
    conn.network.remove_interface_from_router(router, subnet=subnet.id)
    conn.network.delete_router(router)
    conn.network.delete_network(network)
    conn.network.delete_security_group(group)
    conn.compute.delete_keypair(key)
    ended = time.perf_counter()
    conn.close()
    if any(wrong):
        raise RuntimeError(f"openstacksdk could not make them all: {next(filter(None, wrong))}")
    print(f"{'':13} making {made - begun:.1f} s, removing {ended - made:.1f} s", flush=True)
    return ended - begun


def measured(work: Callable[[PlatformConfig, int], float], *given: Any) -> tuple[float, float]:
    """Seconds of the wall and of our own processor."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    took = work(*given)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu


def main() -> int:
    """Measure both in turns and print the ratio of the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("platforms", metavar="platforms.yaml")
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--calls", action="store_true", help="tell each kind of call")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", PendingDeprecationWarning)  # openstacksdk's, of itself
    config = config_of(chosen.platforms)
    sums = {"openstacksdk": 0.0, "harness": 0.0}
    before, calls = census(config), count_calls()
    for _ in range(chosen.rounds):
        for name, work in (("openstacksdk", by_sdk), ("harness", by_harness)):
            load = os.getloadavg()[0]
            calls.clear()
            wall, cpu = measured(work, config, chosen.servers)
            sums[name] += wall
            told = f"{wall:7.1f} s  own cpu {cpu:5.1f} s  {calls.total()} calls"
            print(f"{name:13} {chosen.servers} servers {told}  load before {load:.1f}", flush=True)
            if chosen.calls:
                print("\n".join(f"{n:22} {what}" for what, n in calls.most_common(25)), flush=True)
    over = 100 * (sums["harness"] / sums["openstacksdk"] - 1)
    print(f"the harness adds {over:+.1f} % (target +15 %)")
    after = census(config)
    print(f"census before: {before}\ncensus after:  {after}")
    return int(after != before)


if __name__ == "__main__":
    sys.exit(main())
