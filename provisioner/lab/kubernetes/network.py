"""The cluster's network: a namespace for the control plane, one for each node, routes between."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.lab.kubernetes import plan
from provisioner.lab.space import NETNS, Space, run

BRIDGE = "nodes"
TO_CLUSTER = "k8s0"  # in the lab's namespace


def lay(space: Space, nodes: Sequence[plan.NodePlan]) -> None:
    """Make everything; nothing of it may be there yet.

    Raises:
        PlatformFault: a command failed.
    """
    control = plan.control_namespace(space)
    _namespace(control)
    ip = ("ip", "-n", control)
    run(*ip, "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0",
        "mcast_snooping", "0")  # fmt: skip
    run(*ip, "addr", "add", f"{plan.CONTROL}/{plan.PREFIX}", "dev", BRIDGE)
    run(*ip, "link", "set", BRIDGE, "up")
    _join_lab(space, control)
    for node in nodes:
        _join(control, node)
    for node in nodes:
        for other in nodes:
            if other != node:
                run("ip", "-n", node.namespace, "route", "add", other.pods, "via", other.address)
    if nodes:  # services are the nodes' doing; from here one of them is as good as another
        run(*ip, "route", "add", plan.SERVICES, "via", nodes[0].address)


def inside(namespace: str, argv: Sequence[str]) -> list[str]:
    """The command that runs *argv* within *namespace*, changing nothing else.

    ``ip netns exec`` would mount /sys anew and hide the control groups.
    """
    return ["nsenter", f"--net={NETNS / namespace}", "--", *argv]


def _namespace(name: str) -> None:
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run(*inside(name, ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]))


def _join(control: str, node: plan.NodePlan) -> None:
    _namespace(node.namespace)
    port = node.name
    run("ip", "-n", control, "link", "add", port, "type", "veth", "peer", "name", "eth0",
        "netns", node.namespace)  # fmt: skip
    run("ip", "-n", control, "link", "set", port, "master", BRIDGE, "up")
    ip = ("ip", "-n", node.namespace)
    run(*ip, "addr", "add", f"{node.address}/{plan.PREFIX}", "dev", "eth0")
    run(*ip, "link", "set", "eth0", "up")
    run(*ip, "route", "add", "default", "via", plan.CONTROL)
    run("ip", "-n", control, "route", "add", node.pods, "via", node.address)


def _join_lab(space: Space, control: str) -> None:
    """So that the lab's broker reaches the API, pods, services and node ports."""
    lab = ("ip", "-n", space.namespace)
    run(*lab, "link", "add", TO_CLUSTER, "type", "veth", "peer", "name", "lab0", "netns", control)
    run(*lab, "addr", "add", f"{plan.LINK_LAB}/30", "dev", TO_CLUSTER)
    run(*lab, "link", "set", TO_CLUSTER, "up")
    run("ip", "-n", control, "addr", "add", f"{plan.LINK_CONTROL}/30", "dev", "lab0")
    run("ip", "-n", control, "link", "set", "lab0", "up")
    run("ip", "-n", control, "route", "add", "default", "via", plan.LINK_LAB)
    for target in (plan.NETWORK, plan.PODS, plan.SERVICES):
        run(*lab, "route", "add", target, "via", plan.LINK_CONTROL)
