"""The Kubernetes driver's smaller kinds and what it says a cluster can do; no cluster is needed."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("kubernetes", reason="kubernetes is not installed (extra kubernetes)")

from provisioner.driver import Handle, Owner, Status
from provisioner.drivers.kubernetes.abilities import ABILITIES, OF_NODES, abilities
from provisioner.drivers.kubernetes.choice import Choice
from provisioner.drivers.kubernetes.configs import LARGEST, Configs
from provisioner.drivers.kubernetes.firewalls import Firewalls, PolicyRules, body, label
from provisioner.drivers.kubernetes.machine import Machines
from provisioner.drivers.kubernetes.owning import digest
from provisioner.drivers.kubernetes.services import Services
from provisioner.drivers.kubernetes.settings import Settings
from provisioner.errors import BadRequest, Unauthorized
from provisioner.resources import (
    ConfigSpec,
    FirewallSpec,
    Kind,
    NetworkSpec,
    Ref,
    Resource,
    Rule,
    ServiceSpec,
    Spec,
)

NETWORK = Ref(Kind.NETWORK, "n")


class Kept:
    """A cluster that keeps what is applied."""

    platform = "k"
    namespaced = "namespaces/n"
    settings = Settings.model_construct(namespace="n", domain="example")

    def __init__(self, account: dict[str, Any] | Exception | None = None) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.versions: list[str] = []
        self._account = account

    def apply(self, what: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.objects[path] = body
        return body

    def get(self, what: str, top: str, name: str) -> dict[str, Any] | None:
        if top.endswith("serviceaccounts"):
            if isinstance(self._account, Exception):
                raise self._account
            return self._account
        return self.objects.get(f"{top}/{name}")

    def call(self, what: str, method: str, path: str, *, body: Any, content: str) -> None:
        self.versions.append(body["metadata"]["resourceVersion"])
        self.objects[path]["spec"] |= body["spec"]

    def each(self, what: str, path: str, selector: str = "") -> list[dict[str, Any]]:
        return [body for key, body in self.objects.items() if key.startswith(f"{path}/")]

    def delete(
        self, what: str, top: str, name: str, policy: str = "", grace_s: int | None = None
    ) -> None:
        self.objects.pop(f"{top}/{name}", None)


def want(kind: Kind, spec: Spec) -> Resource:
    return Resource(kind=kind, name="web", spec=spec, tags=Owner(run="r").tags("web"))


def test_a_service_leads_to_the_machines_of_its_network() -> None:
    cluster: Any = Kept()
    services = Services(cluster)
    step = services.plan(
        want(Kind.SERVICE, ServiceSpec(network=NETWORK, port=80, target_port=8000))
    )
    network = Handle(platform="k", kind=Kind.NETWORK, id="net-1")

    made = services.create(step.bind({NETWORK: network}), "token")

    (body,) = cluster.objects.values()
    assert step.refs == (NETWORK,)
    assert body["spec"] == {
        "selector": {"interop-harness/network": "net-1"},
        "ports": [{"port": 80, "targetPort": 8000, "protocol": "TCP"}],
    }
    body["spec"]["clusterIP"] = "10.96.0.7"
    state = services.read(made)
    assert state is not None
    assert state.addresses == {"private": "10.96.0.7"}
    assert state.facts["domain"] == f"{made.id}.n.svc.example"
    assert [found.id for found in services.find(Owner(run="r"))] == [made.id]
    services.delete(made)
    assert services.read(made) is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ServiceSpec(network=NETWORK, port=0), "ports are 0"),
        (ServiceSpec(network=NETWORK, port=80, target_port=70000), "70000"),
        (ServiceSpec(network=Ref(Kind.VOLUME, "v"), port=80), "expected a network"),
        (NetworkSpec(), "expected a network and a port"),
    ],
)
def test_what_is_no_service_is_refused(spec: Spec, said: str) -> None:
    cluster: Any = Kept()

    with pytest.raises(BadRequest, match=said):
        Services(cluster).plan(want(Kind.SERVICE, spec))


def test_a_config_keeps_its_texts() -> None:
    cluster: Any = Kept()
    configs = Configs(cluster)

    made = configs.create(configs.plan(want(Kind.CONFIG, ConfigSpec(data={"a": "ü"}))), "token")

    state = configs.read(made)
    assert state is not None
    assert (state.status, state.facts["data"]) == (Status.READY, {"a": "ü"})
    with pytest.raises(BadRequest, match="at most 1048576"):
        configs.plan(want(Kind.CONFIG, ConfigSpec(data={"a": "x" * (LARGEST + 1)})))


@pytest.mark.parametrize("collected", [True, False])
def test_what_a_config_owns_goes_with_it(collected: bool) -> None:
    """Where controllers work they do it; elsewhere nobody else would."""
    cluster: Any = Kept()
    configs = Configs(cluster, lambda: collected)
    made = configs.create(configs.plan(want(Kind.CONFIG, ConfigSpec())), "token")
    core = "/api/v1/namespaces/n"
    cluster.objects[f"{core}/configmaps/{made.id}"]["metadata"]["uid"] = "u-1"
    for name, owner in (("ours", "u-1"), ("theirs", "u-2")):
        about = {"name": name, "ownerReferences": [{"uid": owner}]}
        cluster.objects[f"{core}/secrets/{name}"] = {"metadata": about}

    configs.delete(made)

    left = {path.rpartition("/")[2] for path in cluster.objects}
    assert left == ({"ours", "theirs"} if collected else {"theirs"})


TCP: dict[str, Any] = {"protocol": "tcp", "first_port": 80, "last_port": 81}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(source="any", **TCP), {"ports": [{"protocol": "TCP", "port": 80},
                                               {"protocol": "TCP", "port": 81}]}),
        (Rule(source="any", protocol="udp", first_port=0, last_port=65535),
         {"ports": [{"protocol": "UDP"}]}),
        (Rule(source="192.0.2.0/24", protocol="udp", first_port=5, last_port=5),
         {"ports": [{"protocol": "UDP", "port": 5}],
          "from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}),
        (Rule(source="members", protocol="tcp", first_port=5, last_port=5),
         {"ports": [{"protocol": "TCP", "port": 5}],
          "from": [{"podSelector": {"matchLabels": {"interop-harness/run": digest("r")}}}]}),
        (Rule(source="harness", **TCP), None),
        (Rule(source="any", protocol="icmp"), None),
    ],
)  # fmt: skip
def test_a_rule_is_part_of_a_policy(rule: Rule, expected: dict[str, Any] | None) -> None:
    assert body(rule, "r", "k") == expected


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(source="any", protocol="gre"), "expected tcp, udp or icmp"),
        (Rule(source="any", protocol="tcp", first_port=9, last_port=8), "in order"),
        (Rule(source="any", protocol="tcp", first_port=1, last_port=999), "at most 100"),
        (Rule(source="somebody", **TCP), "expected members, harness, any or a CIDR"),
    ],
)
def test_what_no_policy_can_say_is_refused(rule: Rule, said: str) -> None:
    cluster: Any = Kept()

    with pytest.raises(BadRequest, match=said):
        Firewalls(cluster).plan(want(Kind.FIREWALL, FirewallSpec(rules=(rule,))))


def test_rules_of_a_firewall_change() -> None:
    cluster: Any = Kept()
    walls = Firewalls(cluster)
    rule = Rule(source="any", **TCP)
    made = walls.create(walls.plan(want(Kind.FIREWALL, FirewallSpec())), "token")
    (policy,) = cluster.objects.values()
    policy["metadata"]["resourceVersion"] = "7"
    rules = PolicyRules(cluster, walls, made)

    rules.revoke(rule)
    rules.allow(rule)
    rules.allow(rule)
    opened = list(policy["spec"]["ingress"])
    rules.revoke(rule)

    assert policy["spec"]["podSelector"]["matchLabels"] == {label(made.id): "yes"}
    assert opened == [body(rule, "r", "k")]
    assert policy["spec"]["ingress"] == []
    assert cluster.versions == ["7", "7"]


# -- a machine on a dead node ------------------------------------------------------------------


class Left(Kept):
    """A cluster with one machine that is to go, its pod, and a node that may be dead."""

    def __init__(self, *, ready: str) -> None:
        super().__init__()
        leaving = {"deletionTimestamp": "2026-11-28T00:00:00Z"}
        conditions = [{"type": "Ready", "status": ready}]
        self.objects = {
            "/apis/apps/v1/namespaces/n/deployments/m": {"metadata": {**leaving}, "spec": {}},
            "/api/v1/namespaces/n/pods/p": {
                "metadata": {"name": "p", **leaving},
                "spec": {"nodeName": "node-1"},
            },
            "/api/v1/nodes/node-1": {"metadata": {}, "status": {"conditions": conditions}},
        }
        self.deleted: list[tuple[str, int | None]] = []

    def delete(
        self, what: str, top: str, name: str, policy: str = "", grace_s: int | None = None
    ) -> None:
        self.deleted.append((name, grace_s))


@pytest.mark.parametrize(
    ("ready", "status", "deleted"),
    [
        ("True", Status.DELETING, [("m", None)]),
        ("Unknown", Status.FAILED, [("m", None), ("p", 0)]),
    ],
)
def test_a_machine_on_a_dead_node_goes_when_it_is_told_again(
    ready: str, status: Status, deleted: list[tuple[str, int | None]]
) -> None:
    cluster: Any = Left(ready=ready)
    machines = Machines(cluster, Choice(cluster))
    one = Handle(platform="k", kind=Kind.MACHINE, id="m")

    state = machines.read(one)
    machines.delete(one)

    assert state is not None
    assert state.status is status
    assert ("node-1" in state.reason) == (status is Status.FAILED)
    assert cluster.deleted == deleted


# -- what a cluster can do ---------------------------------------------------------------------


class Seen:
    """What there is to choose from in a cluster."""

    def __init__(self, *, nodes: int = 1, stored: bool = True) -> None:
        self._nodes, self._stored = nodes, stored
        self.nodes_told = True

    def nodes(self) -> list[dict[str, Any]]:
        return [{}] * self._nodes

    def storage_class(self) -> dict[str, Any] | None:
        return {} if self._stored else None


def lacking(declared: dict[str, Any], cluster: Any, seen: Any) -> set[str]:
    offered, absent = abilities(declared, cluster, seen)
    assert offered.isdisjoint(absent)
    assert offered | absent.keys() == {f"kubernetes.{name}" for name in ABILITIES}
    return {name.removeprefix("kubernetes.") for name in absent}


def test_what_the_owner_declares_counts() -> None:
    assert lacking({"capabilities": list(ABILITIES)}, Kept(), Seen(nodes=0, stored=False)) == set()
    assert lacking({"capabilities": ["api"]}, Kept({}), Seen()) == ABILITIES.keys() - {"api"}


def test_a_whole_cluster_lacks_nothing() -> None:
    assert lacking({}, Kept({}), Seen()) == set()
    assert lacking({}, Kept(Unauthorized("no", "k")), Seen()) == set()


@pytest.mark.parametrize("name", ["network-policy", "load-balancer"])
def test_what_no_api_tells_is_declared(name: str) -> None:
    assert lacking({name: "absent"}, Kept({}), Seen()) == {name}


def test_what_can_be_seen_to_be_lacking_is() -> None:
    assert lacking({}, Kept({}), Seen(nodes=0)) == set(OF_NODES)
    assert lacking({}, Kept({}), Seen(stored=False)) == {"volumes"}
    assert lacking({}, Kept(None), Seen()) == {"controllers", "scheduler", "nodes.real"}
