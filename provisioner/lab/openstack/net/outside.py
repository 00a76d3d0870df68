"""The outside of external networks: the lab's own namespace has their gateways' addresses.

Nothing is forwarded there, so floating addresses lead from the harness to guests, guests get as far
as the harness, and nobody gets out of the lab.
"""

from __future__ import annotations

from provisioner.lab.openstack.net import rules, wires
from provisioner.lab.openstack.net.world import Network, device_name
from provisioner.lab.space import Space, quiet

# What comes from outside networks may ask for the address it was sent to, and no other of the lab.
ARRIVALS = """
table inet openstack
delete table inet openstack
table inet openstack {
  chain transit { type filter hook forward priority filter; policy accept;
    iifname "os-*" drop
    oifname "os-*" drop
  }
  chain arrivals { type filter hook input priority filter; policy accept;
    iifname "os-*" ct state established,related accept
    iifname "os-*" fib daddr . iif type != local drop
  }
}
"""


class Outside:
    """The lab's ends of its external networks."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def connect(self, network: Network) -> None:
        """Give the lab's namespace the gateway's addresses of *network*.

        Raises:
            PlatformFault: a command failed.
        """
        lab, inner = self._space.namespace, wires.network_namespace(self._space, network.id)
        device = device_name("os-", network.id)
        wires.load(lab, ARRIVALS)
        there = wires.links(lab)
        if device not in there or rules.OUTSIDE not in wires.links(inner):
            quiet("ip", "-n", lab, "link", "del", device)
            wires.connect(inner, rules.OUTSIDE, lab, device, mac="", mtu=network.mtu)
            wires.set_kernel(
                lab, {f"ipv4/conf/{device}/forwarding": 0, f"ipv6/conf/{device}/disable_ipv6": 1}
            )
        wanted = {f"{s.gateway}/{s.length}" for s in network.subnets if s.gateway}
        had = there.addresses.get(device, frozenset())
        wires.ip(
            lab,
            [
                *(f"addr del {each} dev {device}" for each in sorted(had - wanted)),
                f"link set {device} mtu {network.mtu} up",
                *(f"addr replace {each} dev {device}" for each in sorted(wanted)),
            ],
        )

    def remove(self, network: str) -> None:
        """Take the lab's end of an external network away; none there is fine."""
        quiet("ip", "-n", self._space.namespace, "link", "del", device_name("os-", network))
