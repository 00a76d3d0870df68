"""Planning: order, everything unmet at once, several platforms, and no side effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from provisioner.documents import BadWorkload
from provisioner.driver import Owner
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.settings import Settings
from provisioner.drivers.fake.things import Store
from provisioner.lint import site_literals
from provisioner.params import Layer
from provisioner.plan import Plan, Unmet
from provisioner.planner import make_plan
from provisioner.resources import FirewallSpec, MachineSpec, Rule
from provisioner.site import Inputs, Site
from provisioner.workload import Workload, load_workload

HEAD = "workload: small\nversion: 2026.10\n"
GROUPS = "groups: {app: {count: 2, roles: [app]}, store: {count: 1, roles: [store]}}\n"


def site(name: str = "p", profile: Mapping[str, Any] | None = None, **settings: Any) -> Site:
    driver = FakeDriver(Cloud(name, Settings(**settings), Store()))
    return Site(driver=driver, description=driver.describe(), profile=profile or {})


def load(folder: Path, text: str, **files: str) -> Workload:
    (folder / "workload.yaml").write_text(HEAD + text, encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.sh.j2").write_text(content, encoding="utf-8")
    return load_workload(str(folder))


def plan(workload: Workload, *sites: Site, chosen: Mapping[str, Any] | None = None) -> Plan:
    inputs = Inputs(
        owner=Owner(run="r1"),
        public_key="ssh-ed25519 AAAA",
        chosen=Layer(name="command line", values=chosen or {}),
    )
    return make_plan(workload, list(sites) or [site()], inputs)


def test_a_version_is_taken_as_it_is_written(tmp_path: Path) -> None:
    workload = load(tmp_path, "groups: {app: {}}\n")

    assert workload.model.version == "2026.10"


def test_dependencies_come_first(tmp_path: Path) -> None:
    workload = load(
        tmp_path,
        GROUPS
        + "roles:\n"
        + "  engine: {steps: [engine.sh.j2]}\n"
        + "  store: {requires: [engine], provides: {store.url: {value: x}}}\n"
        + "  app: {wants: [store.url, members.store]}\n"
        + "volumes: {data: {size: 1GiB, group: store}}\n",
        engine="true\n",
    )

    made = plan(workload)

    order = [node.id for node in made.nodes]
    for node in made.nodes:
        assert all(order.index(after) < order.index(node.id) for after in node.after)
    by_id = {node.id: node for node in made.nodes}
    assert "role/store-1/engine" in by_id["role/store-1/store"].after
    assert {"role/store-1/store", "machine/store-1"} <= set(by_id["role/app-2/app"].after)
    assert "attachment/data-store-1" in by_id["role/store-1/store"].after


def test_planning_creates_nothing_and_is_the_same_twice(tmp_path: Path) -> None:
    workload = load(tmp_path, "groups: {app: {count: 3}}\nnetworks: {n: {}}\n")
    here = site()

    assert plan(workload, here) == plan(workload, here)
    assert list(here.driver.find(Owner())) == []


def test_everything_unmet_is_told_at_once(tmp_path: Path) -> None:
    workload = load(
        tmp_path,
        GROUPS
        + "needs: {machines: {count: 9}, features: [teleport, 'console?']}\n"
        + "params: {app.secret: {secret: true, from: 'role:store'}, app.port: {type: integer}}\n"
        + "roles:\n"
        + "  store: {requires: [engine]}\n"
        + "  app: {wants: [app.secret, app.port, nobody.knows, members.cache],\n"
        + "        steps: [app.sh.j2]}\n"
        + "firewall: [{from: any, ports: [http, 99999/tcp]}]\n",
        app="{{ member.name }} {{ not_wanted }}\n",
    )

    with pytest.raises(Unmet) as caught:
        plan(workload, site(features={"console": False}))

    told = "\n".join(caught.value.problems)
    for part in (
        "needs 9 machines, groups have 3",
        "p: needs teleport",
        "role store requires engine: no such role",
        "wants app.secret: role store does not provide it",
        "wants app.port: it has no value in any layer",
        "wants nobody.knows: no parameter of that name",
        "wants members.cache: no such group",
        "uses not_wanted, which the role does not want",
        "'http', expected such as 22/tcp",
        "'99999/tcp', expected",
    ):
        assert part in told
    assert len(caught.value.problems) == 10
    assert "console" not in told


def test_a_driver_that_cannot_is_unmet_with_its_words(tmp_path: Path) -> None:
    workload = load(tmp_path, "groups: {app: {size: {cpu: 64}, image: {os: plan9}}}\n")

    with pytest.raises(Unmet, match=r"p: machine/app-1: no image fits plan9; there is debian 12"):
        plan(workload)


def test_roles_that_wait_for_each_other_are_told_as_a_cycle(tmp_path: Path) -> None:
    workload = load(
        tmp_path,
        GROUPS
        + "roles:\n"
        + "  store: {wants: [app.url], provides: {store.url: {value: x}}}\n"
        + "  app: {wants: [store.url], provides: {app.url: {value: x}}}\n",
    )

    with pytest.raises(Unmet, match=r"waits for itself: role/\S+ -> role/\S+ -> role/"):
        plan(workload)


def test_an_optional_volume_is_left_out_with_a_note(tmp_path: Path) -> None:
    text = "groups: {store: {}}\nvolumes: {data: {size: 1GiB, group: store, optional: %s}}\n"
    without = site(absent_kinds=["volume", "attachment", "firewall", "key"])

    made = plan(load(tmp_path, text % "true"), without)

    assert [node.kind for node in made.nodes] == ["machine"]
    assert any("no volume data" in note for note in made.notes)
    assert any("no key is registered" in note for note in made.notes)
    with pytest.raises(Unmet, match="no volume data"):
        plan(load(tmp_path, text % "false"), without)


def test_members_are_dealt_over_platforms_and_shared_things_named_apart(tmp_path: Path) -> None:
    workload = load(tmp_path, "groups: {app: {count: 4}}\nnetworks: {n: {}}\n")

    made = plan(workload, site("a"), site("b"))

    assert [member.platform for member in made.members] == ["a", "b", "a", "b"]
    by_id = {node.id: node for node in made.nodes}
    assert by_id["network/n-b"].platform == "b"
    assert "key/run-b" in by_id["machine/app-2"].after


def test_place_says_where_and_an_unknown_place_is_unmet(tmp_path: Path) -> None:
    text = "groups: {app: {count: 2}, store: {}}\nplace: {app: [b], store: [%s]}\n"

    made = plan(load(tmp_path, text % "a"), site("a"), site("b"))

    assert {m.name: m.platform for m in made.members} == {
        "app-1": "b",
        "app-2": "b",
        "store-1": "a",
    }
    with pytest.raises(Unmet, match="no platform mars; known: a, b"):
        plan(load(tmp_path, text % "mars"), site("a"), site("b"))


def test_ports_become_rules(tmp_path: Path) -> None:
    ports = '["7946/tcp,udp", "9000-9010/udp", icmp]'
    workload = load(
        tmp_path, f"groups: {{app: {{}}}}\nfirewall: [{{from: harness, ports: {ports}}}]\n"
    )

    made = plan(workload)

    step = next(node.step for node in made.nodes if node.kind == "firewall")
    assert step is not None
    assert isinstance(step.resource.spec, FirewallSpec)
    assert step.resource.spec.rules == (
        Rule(source="harness", protocol="tcp", first_port=7946, last_port=7946),
        Rule(source="harness", protocol="udp", first_port=7946, last_port=7946),
        Rule(source="harness", protocol="udp", first_port=9000, last_port=9010),
        Rule(source="harness", protocol="icmp"),
    )


def test_sizes_are_lower_bounds(tmp_path: Path) -> None:
    size = "{cpu: '>=2', memory: '>=2GiB', disk: 10GiB}"
    workload = load(tmp_path, f"groups: {{app: {{size: {size}}}}}\n")

    step = next(node.step for node in plan(workload).nodes if node.kind == "machine")

    assert step is not None
    assert isinstance(step.resource.spec, MachineSpec)
    assert (step.resource.spec.cpu, step.resource.spec.memory_mib) == (2, 2048)
    assert step.resource.spec.disk_gib == 10


def test_the_layers_reach_the_members(tmp_path: Path) -> None:
    workload = load(
        tmp_path,
        "params: {app.port: {type: integer, default: 1}}\n"
        "groups: {app: {count: 2, roles: [app], set: {app.port: 2}}, web: {roles: [app]}}\n"
        "members: {app-2: {set: {app.port: 3}}}\n"
        "roles: {app: {wants: [app.port]}}\n",
    )

    def ports(**given: Any) -> list[int]:
        made = plan(workload, site(profile={"app": {"port": 9}}), **given)
        return [n.task.values["app.port"] for n in made.nodes if n.task is not None]

    assert ports() == [2, 3, 9]
    assert ports(chosen={"app.port": "7"}) == [7, 7, 7]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("groups: 3\n", "workload.yaml: groups: "),
        ("groups: {app: {roles: [x]}}\n", "groups.app.roles.0: no role 'x'; known: none"),
        ("groups: {App: {}}\n", "groups.App: expected lower-case"),
        ("groups: {app: {image: {id: ami-1}}}\n", "groups.app.image.id: extra inputs"),
        ("groups: {app: {size: {memory: 4GB}}}\n", "groups.app.size.memory: '4GB' is no size"),
        ("groups: {app: {}}\ngroups: {}\n", "groups: key is written twice"),
        ("groups: {app: &a {}, web: *a}\n", "line 3: aliases are not supported"),
        ("groups: {app: {}}\nparams: {p: {type: integer, default: x}}\n", "params.p.default: 'x'"),
        ("groups: {app: {}}\nparams: {p: {secret: true, default: x}}\n", "a secret has no default"),
        ("groups: {app: {}}\nset: {p: 1}\n", "set.p: not declared in params"),
        ("groups: {app: {}}\nmembers: {app-9: {}}\n", "members.app-9: no such member"),
        ("groups: {app: {}}\nroles: {r: {steps: [../x]}}\n", "is outside the workload's folder"),
        ("groups: {app: {}}\nroles: {r: {steps: [x.j2]}}\n", "x.j2: no such file or directory"),
        ("groups: {app: {}}\nnetworks: {n: {cidr: 10.0.0.0/8}}\n", None),
        ("groups: [\n", "line 4"),
    ],
)
def test_a_wrong_document_is_told_in_one_line(tmp_path: Path, text: str, told: str | None) -> None:
    if told is None:  # the key without its question mark is the model's own name for it
        load(tmp_path, text)
        return

    with pytest.raises(BadWorkload) as caught:
        load(tmp_path, text)

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_linter_finds_what_ties_to_a_site(tmp_path: Path) -> None:
    workload = load(
        tmp_path,
        "params: {peer: {default: 192.168.7.9}, ok: {default: 127.0.0.1}}\n"
        'networks: {n: {"cidr?": 10.77.0.0/24}}\n'
        "groups: {app: {roles: [app]}}\n"
        "roles: {app: {steps: [app.sh.j2]}}\n"
        "place: {app: [lab]}\n",
        app=(
            "mount /dev/vdb /srv\nip link set eth0 up\ncurl http://169.254.169.254/\n"
            "ssh ubuntu@host\naws --region eu-west-1 ec2 run --image ami-0123456789abcdef0\n"
            "echo 02:00:00:00:00:01 {{ member.address.private }}\n"
        ),
    )

    found = {finding.literal: finding.what for finding in site_literals(workload)}

    assert found == {
        "192.168.7.9": "address",
        "/dev/vdb": "device name",
        "eth0": "interface name",
        "169.254.169.254": "metadata address",
        "ubuntu@": "login user",
        "eu-west-1": "region",
        "ami-0123456789abcdef0": "cloud id",
        "02:00:00:00:00:01": "mac address",
        "lab": "platform",
    }


def test_the_reference_workload_has_no_site_literals_and_can_be_planned() -> None:
    workload = load_workload("reference")

    assert site_literals(workload) == []
    assert len(plan(workload).members) == 4


BUDGETED = "groups: {app: {count: 2, size: {cpu: 2}}}\n"  # 0.04 an hour each


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("{machines: 1}", ["needs 2 machines, the budget allows 1"]),
        ("{money: 1.00 EUR}", ["p: tells prices in USD, so that a budget of 1.00 EUR cannot"]),
        (
            "{money: 0.10 USD, wall: 1h30m}",
            ["costs 0.12 USD in 1h30m, the budget allows 0.10 USD"],
        ),
        ("{money: 0.12 USD, wall: 1h30m, machines: 2}", []),
    ],
)
def test_a_plan_is_within_the_budget(tmp_path: Path, budget: str, told: list[str]) -> None:
    workload = load(tmp_path, BUDGETED + f"budget: {budget}\n")

    problems: tuple[str, ...] = ()
    try:
        plan(workload)
    except Unmet as unmet:
        problems = unmet.problems

    assert len(problems) == len(told)
    assert all(problem.startswith(start) for problem, start in zip(problems, told, strict=True))


def test_money_is_refused_where_no_prices_are_told(tmp_path: Path) -> None:
    workload = load(tmp_path, BUDGETED + "budget: {money: 9.00 USD}\n")

    with pytest.raises(Unmet, match="tells no prices, so that a budget of 9"):
        plan(workload, site(currency=""))


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        ("{}", None),
        ("{wall: 45m}", 2700.0),
        ("{money: 0.04 USD}", 1800.0),
        ("{money: 0.04 USD, wall: 20m}", 1200.0),
    ],
)
def test_what_money_buys_bounds_the_time(
    tmp_path: Path, budget: str, seconds: float | None
) -> None:
    made = plan(load(tmp_path, BUDGETED + f"budget: {budget}\n"))

    assert made.wall_s == seconds


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("{wall: soon}", "budget.wall: 'soon' is no time, expected such as 45m, 2h or 1h30m"),
        ("{wall: 0m}", "budget.wall: '0m' is no time to do anything in"),
        ("{money: cheap}", "budget.money: 'cheap' is no sum, expected such as 2.00 USD"),
        ("{machines: -1}", "budget.machines: input should be greater than or equal to 0"),
        ("{hours: 2}", "budget.hours: extra inputs are not permitted"),
    ],
)
def test_a_budget_is_checked_at_the_door(tmp_path: Path, budget: str, expected: str) -> None:
    with pytest.raises(BadWorkload) as refused:
        load(tmp_path, BUDGETED + f"budget: {budget}\n")

    assert expected in str(refused.value)


def test_spread_is_not_promised(tmp_path: Path) -> None:
    text = "groups: {{app: {{count: 2, spread: {}}}}}\n"

    made = plan(load(tmp_path, text.format("'zone?'")))

    assert "groups.app.spread: machines cannot be spread over zones" in made.notes
    with pytest.raises(Unmet, match="cannot be spread over zones; with"):
        plan(load(tmp_path, text.format("zone")))
