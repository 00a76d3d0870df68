"""What the lab's NetworkPolicy lets through, as nftables that nft takes."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from provisioner.lab.kubernetes.policies import fits, rules

SPACES: list[dict[str, Any]] = [
    {"metadata": {"name": name, "labels": {"team": team}}}
    for name, team in (("a", "x"), ("b", "y"))
]


def pod(space: str, name: str, address: str, **labels: str) -> dict[str, Any]:
    ports = [{"name": "web", "containerPort": 8080}]
    return {
        "metadata": {"namespace": space, "name": name, "labels": labels},
        "spec": {"containers": [{"ports": ports}]},
        "status": {"podIP": address},
    }


PODS = [
    pod("a", "server", "10.0.0.1", role="server"),
    pod("a", "client", "10.0.0.2", role="client"),
    pod("b", "client", "10.0.0.3", role="client"),
    pod("a", "pending", "", role="server"),
]


def policy(**spec: Any) -> dict[str, Any]:
    chosen = {"podSelector": {"matchLabels": {"role": "server"}}}
    return {"metadata": {"namespace": "a", "name": "p"}, "spec": {**chosen, **spec}}


def chain(text: str, name: str) -> list[str]:
    """The lines of a chain."""
    _, _, rest = text.partition(f"chain {name} {{\n")
    return rest.partition("\n}")[0].split("\n") if rest else []


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"role": "server"}}, True),
        ({"matchLabels": {"role": "client"}}, False),
        ({"matchExpressions": [{"key": "role", "operator": "In", "values": ["server"]}]}, True),
        ({"matchExpressions": [{"key": "role", "operator": "NotIn", "values": ["server"]}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "role", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "role", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_selector_chooses_by_labels(selector: dict[str, Any], expected: bool) -> None:
    assert fits(selector, {"role": "server"}) is expected


def test_a_policy_without_rules_lets_nothing_in() -> None:
    text = rules(PODS, SPACES, [policy()])

    assert chain(text, "ingress-10-0-0-1") == ["drop"]
    assert "ip daddr 10.0.0.1 jump ingress-10-0-0-1" in text
    assert "10.0.0.2" not in text


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, ["return"]),
        ({"from": [{"podSelector": {"matchLabels": {"role": "client"}}}]},
         ["ip saddr { 10.0.0.2 } return"]),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "y"}}}]},
         ["ip saddr { 10.0.0.3 } return"]),
        ({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": "client"}}}]},
         ["ip saddr { 10.0.0.2, 10.0.0.3 } return"]),
        ({"from": [{"podSelector": {"matchLabels": {"role": "nobody"}}}]}, []),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]},
         ["ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } return"]),
        ({"ports": [{"port": 80}, {"port": "web"}, {"port": "none"}]},
         ["tcp dport 80 return", "tcp dport 8080 return"]),
        ({"ports": [{"protocol": "UDP", "port": 5000, "endPort": 5009}, {"protocol": "SCTP"}]},
         ["meta l4proto sctp return", "udp dport 5000-5009 return"]),
    ],
)  # fmt: skip
def test_a_rule_lets_in_what_it_says(rule: dict[str, Any], expected: list[str]) -> None:
    text = rules(PODS, SPACES, [policy(ingress=[rule])])

    assert chain(text, "ingress-10-0-0-1") == [*expected, "drop"]


def test_what_goes_out_is_judged_only_if_asked_for() -> None:
    text = rules(PODS, SPACES, [policy(policyTypes=["Egress"], egress=[{"ports": [{"port": 53}]}])])

    assert chain(text, "egress-10-0-0-1") == ["tcp dport 53 return", "drop"]
    assert chain(text, "ingress-10-0-0-1") == []


def test_policies_of_one_pod_add_up() -> None:
    first, second = ([{"ports": [{"port": port}]}] for port in (80, 81))

    text = rules(PODS, SPACES, [policy(ingress=first), policy(ingress=second)])

    assert chain(text, "ingress-10-0-0-1") == ["tcp dport 80 return", "tcp dport 81 return", "drop"]


@pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed (package nftables)")
def test_nft_takes_them() -> None:
    block = {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}
    full: list[dict[str, Any]] = [
        {"from": [{"ipBlock": block}, {"podSelector": {}}], "ports": [{"port": 80}]},
        {"ports": [{"protocol": "SCTP"}, {"protocol": "UDP", "port": 5000, "endPort": 5009}]},
    ]
    both = policy(ingress=full, egress=[{}], policyTypes=["Ingress", "Egress"])
    for text in (rules(PODS, SPACES, [both]), rules((), (), ())):
        command = ["unshare", "--net", "--user", "--map-root-user", "nft", "-f", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
