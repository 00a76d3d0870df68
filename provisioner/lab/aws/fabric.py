"""The network of the lab's AWS: a namespace per VPC, routers, firewalls and public addresses.

A VPC is a namespace with one bridge. Its ports are isolated and the bridge answers ARP for every
address of a subnet, so all traffic between guests is routed and filtered. A link leads to the
lab's namespace, which stands for the internet: it knows the way to each public address and nothing
else, so nobody gets out of the lab.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import logging
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab.aws import names, rules
from provisioner.lab.aws.catalog import is_virtual
from provisioner.lab.aws.rules import BRIDGE, METADATA, UPLINK
from provisioner.lab.aws.world import Instance, Vpc, World
from provisioner.lab.guests.guest import Port, Wiring
from provisioner.lab.space import NETNS, Space, quiet, run

LOG = logging.getLogger(__name__)
OUTSIDE = "198.18.0.1"  # where the harness is, as guests see it; RFC 2544, never routed
LINKS = ipaddress.ip_network("198.18.128.0/17")  # our end of each VPC's link
INTERNET_MTU = 1500
GUEST_SLOT = 5  # PCI slot of the first interface on current instance types,
GUEST_LINK = f"ens{GUEST_SLOT}"  # after which it is named

# Only what is ours is judged: where br_netfilter is loaded, frames between the machines of the
# metal bridge pass this hook too.
INTERNET = """
table inet internet
delete table inet internet
table inet internet {
  chain transit { type filter hook forward priority filter; policy accept;
    iifname "aws-*" oifname != "aws-*" drop
    iifname != "aws-*" oifname "aws-*" drop
  }
  chain arrivals { type filter hook input priority filter; policy accept;
    iifname "aws-*" ct state established,related accept
    iifname "aws-*" ip daddr != OUTSIDE drop
  }
}
""".replace("OUTSIDE", OUTSIDE)


def feed(argv: list[str], text: str) -> None:
    """Run a command that reads *text*.

    Raises:
        PlatformFault: it did not succeed.
    """
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[:500]
        raise PlatformFault(f"{' '.join(argv)}: {said or done.returncode}")


def guest_namespace(space: Space, instance: str) -> str:
    """The namespace of an instance's guest."""
    return f"{space.namespace}--{instance}"


class Fabric:
    """Makes the network be what the world says. Used by one thread at a time."""

    def __init__(
        self, space: Space, folder: Path, region: str, defects: frozenset[str] = frozenset()
    ) -> None:
        self._space = space
        self._folder = folder
        self._region = region
        self._defects = defects
        self._vpcs: dict[str, str] = {}  # vpc -> our address on its link
        self._shape: dict[str, Vpc] = {}
        self._ruleset: dict[str, str] = {}
        self._published: dict[str, str] = {}  # public address -> vpc
        self._files: dict[Path, str] = {}
        self._dnsmasq: dict[str, subprocess.Popen[bytes]] = {}

    def open(self) -> None:
        """Prepare the lab's namespace to be the internet."""
        feed(self._space.inside(["nft", "-f", "-"]), INTERNET)
        self._ip(self._space.namespace, [f"addr replace {OUTSIDE}/32 dev lo"])

    def namespace(self, vpc: str) -> str:
        """The namespace of a VPC."""
        return f"{self._space.namespace}--{vpc}"

    def known(self) -> frozenset[str]:
        """The VPCs that are there."""
        return frozenset(self._shape)

    # -- converging ----------------------------------------------------------------------------

    def converge(self, world: World, *, need: Iterable[str]) -> None:
        """Make VPCs, rules and names fit; only VPCs in *need* are made at all."""
        needed = set(need)
        for vpc in sorted(needed - self._vpcs.keys()):
            self._make(vpc)
        for vpc in sorted(self._vpcs.keys() - world.vpcs.keys()):
            self._remove(vpc)
        for vpc in sorted(self._vpcs):
            shape = world.vpcs[vpc]
            held = [i for i in world.instances.values() if i.vpc == vpc and not i.gone]
            if self._shape.get(vpc) != shape:
                self._address(shape)
                self._serve_names(shape)
                self._shape[vpc] = shape
            self._filter(shape, held, world)
            self._name(vpc, held)
        self._publish(world)

    def _make(self, vpc: str) -> None:
        space, inner = self._space.namespace, self.namespace(vpc)
        taken = set(self._vpcs.values())
        link = next(str(a) for a in LINKS.hosts() if str(a) not in taken)
        outer = self._uplink(vpc)
        run("ip", "netns", "add", inner)  # not with -n: it would be mounted out of sight
        self._ip(
            inner,
            [
                "link set lo up",
                f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                f"link set {BRIDGE} address {_router_mac(vpc)} mtu {names.MTU}",
                f"link add {UPLINK} mtu {INTERNET_MTU} type veth peer name {outer}"
                f" mtu {INTERNET_MTU} netns {space}",
            ],
        )
        _write_sysctl(
            self._space,
            inner,
            {
                "all/send_redirects": 0,
                "default/send_redirects": 0,
                f"{BRIDGE}/send_redirects": 0,
                f"{BRIDGE}/proxy_arp_pvlan": 1,
                f"../neigh/{BRIDGE}/proxy_delay": 0,  # else it waits 0.8 s before it answers
                "all/forwarding": 1,
            },
        )
        self._ip(
            inner,
            [
                f"addr add {METADATA}/32 dev {BRIDGE}",
                f"addr add {link}/32 dev {UPLINK}",
                f"link set {BRIDGE} up",
                f"link set {UPLINK} up",
                f"route add default via {OUTSIDE} dev {UPLINK} onlink",
            ],
        )
        self._ip(space, [f"link set {outer} up"])
        _write_sysctl(
            self._space,
            space,
            {"all/send_redirects": 0, f"{outer}/send_redirects": 0, f"{outer}/forwarding": 1},
        )
        self._vpcs[vpc] = link

    def _uplink(self, vpc: str) -> str:
        return f"aws-{vpc[-10:]}"

    def _remove(self, vpc: str) -> None:
        self._stop_names(vpc)
        for address in [a for a, of in self._published.items() if of == vpc]:
            del self._published[address]  # its route goes with the link
        run("ip", "netns", "del", self.namespace(vpc))
        for held in (self._vpcs, self._shape, self._ruleset):
            held.pop(vpc, None)
        LOG.info("%s removed", vpc)

    def _address(self, vpc: Vpc) -> None:
        """The routers of the subnets, and the resolver."""
        wanted = {f"{names.resolver(vpc)}/32"}
        for subnet in vpc.subnets:
            length = ipaddress.ip_network(subnet.cidr).prefixlen
            wanted.add(f"{names.router(subnet.cidr)}/{length}")
        before = self._shape.get(vpc.id)
        had = {f"{names.router(s.cidr)}/{ipaddress.ip_network(s.cidr).prefixlen}"
               for s in (before.subnets if before else ())}  # fmt: skip
        gone = [f"addr del {a} dev {BRIDGE}" for a in sorted(had - wanted)]
        made = [f"addr replace {a} dev {BRIDGE}" for a in sorted(wanted)]
        self._ip(self.namespace(vpc.id), gone + made)

    def _filter(self, vpc: Vpc, held: list[Instance], world: World) -> None:
        ruleset = rules.render(
            held, world.groups, filtering="firewall-filters-nothing" not in self._defects
        )
        if self._ruleset.get(vpc.id) != ruleset:
            feed(self._within(vpc.id, ["nft", "-f", "-"]), ruleset)
            self._ruleset[vpc.id] = ruleset

    def _publish(self, world: World) -> None:
        """Routes of the internet to public addresses."""
        public = {
            i.public: i.vpc
            for i in world.instances.values()
            if i.public and not i.gone and i.vpc in self._vpcs
        }
        lines = [f"route del {a}/32" for a in sorted(self._published.keys() - public.keys())]
        for address, vpc in sorted(public.items()):
            if self._published.get(address) != vpc:
                lines.append(
                    f"route replace {address}/32 via {self._vpcs[vpc]} dev {self._uplink(vpc)}"
                    f" onlink src {OUTSIDE}"
                )
        if lines:
            self._ip(self._space.namespace, lines)
        self._published = public

    # -- names ---------------------------------------------------------------------------------

    def _serve_names(self, vpc: Vpc) -> None:
        folder = self._names_folder(vpc.id)
        for part in ("machines", "names"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        file = folder / "dnsmasq.conf"
        file.write_text(names.configuration(vpc, self._region, folder), encoding="utf-8")
        self._stop_names(vpc.id)
        self._start_names(vpc.id)

    def _start_names(self, vpc: str) -> None:
        folder = self._names_folder(vpc)
        file, log = folder / "dnsmasq.conf", (folder / "log").open("ab")
        with log:
            self._dnsmasq[vpc] = subprocess.Popen(
                self._within(vpc, ["dnsmasq", "-C", str(file), "-k", "--log-facility=-"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _stop_names(self, vpc: str) -> None:
        process = self._dnsmasq.pop(vpc, None)
        if process is not None:
            process.terminate()
            process.wait()

    def _name(self, vpc: str, held: list[Instance]) -> None:
        """The files of a VPC's dnsmasq; it notices new and changed ones by itself.

        It does not forget what was in a file that is gone: for that it is told to read again. A
        lease of an instance that is gone would keep its address from the next one that gets it.
        """
        folder = self._names_folder(vpc)
        wrong = "wrong-hostname" in self._defects
        told = names.names(held, self._region, wrong=wrong)
        if "no-names" in self._defects:
            told = {}
        wanted = {folder / "machines" / k: v for k, v in names.machines(held).items()}
        wanted |= {folder / "names" / k: v for k, v in told.items()}
        mine = {p for p in self._files if p.is_relative_to(folder)}
        changed, gone = False, []
        for path in mine - wanted.keys():
            if path.parent.name == "machines":
                gone.append(self._files[path].split(",")[0])
            path.unlink(missing_ok=True)
            del self._files[path]
            changed = True
        for path, text in wanted.items():
            if self._files.get(path) != text:
                changed = changed or path in self._files
                fresh = path.with_name(f".{path.name}")
                fresh.write_text(text, encoding="utf-8")
                fresh.replace(path)
                self._files[path] = text
        if gone and vpc in self._dnsmasq:
            self._forget_leases(vpc, folder / "leases", gone)
        elif changed and vpc in self._dnsmasq:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._dnsmasq[vpc].pid, signal.SIGHUP)

    def _forget_leases(self, vpc: str, file: Path, macs: list[str]) -> None:
        """Take leases away; dnsmasq reads them only when it starts."""
        self._stop_names(vpc)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        kept = [line for line in lines if not any(f" {mac} " in line for mac in macs)]
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._start_names(vpc)

    def _names_folder(self, vpc: str) -> Path:
        return self._folder / vpc

    # -- guests --------------------------------------------------------------------------------

    def plug(self, instance: Instance) -> Wiring:
        """A port of the VPC's bridge for a guest; one that is there is made anew.

        A container gets a namespace with one interface, a virtual machine a tap.
        """
        inner, vpc = guest_namespace(self._space, instance.id), self.namespace(instance.vpc)
        port, virtual = _port(instance.id), is_virtual(instance.size)
        self.unplug(instance.id)
        # The kernel removes a namespace's interfaces some time after the namespace.
        subprocess.run(["ip", "-n", vpc, "link", "del", port], capture_output=True, check=False)
        if virtual:
            made = [f"tuntap add dev {port} mode tap", f"link set {port} mtu {names.MTU}"]
        else:
            run("ip", "netns", "add", inner)
            made = [
                f"link add {port} mtu {names.MTU} type veth peer name {GUEST_LINK}"
                f" mtu {names.MTU} address {instance.mac} netns {inner}"
            ]
        self._ip(
            vpc,
            [
                *made,
                f"link set {port} master {BRIDGE}",
                f"link set {port} type bridge_slave isolated on",
                f"link set {port} up",
            ],
        )
        if not virtual:
            return Wiring(namespace=inner)
        card = Port(tap=port, mac=instance.mac, slot=GUEST_SLOT, mtu=names.MTU)
        return Wiring(namespace=vpc, ports=(card,))

    def unplug(self, instance: str) -> None:
        """Remove a guest's namespace, and its interface with it; none there is fine."""
        for vpc in self._vpcs:  # the kernel removes a namespace's interfaces only some time later
            quiet("ip", "-n", self.namespace(vpc), "link", "del", _port(instance))
        inner = guest_namespace(self._space, instance)
        if (NETNS / inner).exists():
            run("ip", "netns", "del", inner)

    def close(self) -> None:
        """End the name servers; namespaces are the lab's to remove."""
        for vpc in list(self._dnsmasq):
            self._stop_names(vpc)

    def _within(self, vpc: str, argv: list[str]) -> list[str]:
        return ["nsenter", f"--net={NETNS / self.namespace(vpc)}", "--", *argv]

    def _ip(self, namespace: str, lines: list[str]) -> None:
        if lines:
            feed(["ip", "-n", namespace, "-batch", "-"], "\n".join([*lines, ""]))


def _port(instance: str) -> str:
    """The interface of an instance on its VPC's bridge; at most 15 characters."""
    return f"i-{instance[-12:]}"


def _router_mac(vpc: str) -> str:
    """One hardware address per VPC; AWS's routers are in 02:... as well."""
    digest = hashlib.sha256(vpc.encode()).hexdigest()
    return ":".join(["02", *(digest[n : n + 2] for n in range(0, 10, 2))])


def _write_sysctl(space: Space, namespace: str, values: Mapping[str, int]) -> None:
    """Set ``net.ipv4.conf`` values inside a namespace."""
    script = "; ".join(
        f"echo {value} > /proc/sys/net/ipv4/conf/{key}" for key, value in values.items()
    )
    feed(["nsenter", f"--net={NETNS / namespace}", "--", "sh", "-ec", script], "")
