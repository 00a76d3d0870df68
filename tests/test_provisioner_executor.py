"""Applying a plan: order, limits, failures, roles, and that a second time changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioner.clock import ManualClock, ScaledClock
from provisioner.deployment import Deployment
from provisioner.driver import Access, Handle, Owner, State, Step
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.faults import Faults, read_rules
from provisioner.drivers.fake.settings import Settings
from provisioner.drivers.fake.things import Store
from provisioner.errors import PlatformFault, Quota
from provisioner.executor import Applied, Executor, Happening
from provisioner.features import Completed
from provisioner.ledger import Ledger
from provisioner.plan import Plan
from provisioner.planner import make_plan
from provisioner.removal import Removal
from provisioner.replay import read_ledger
from provisioner.resources import Kind
from provisioner.site import Inputs, Site
from provisioner.waiting import Cancel
from provisioner.workload import Workload, load_workload

OWNER = Owner(run="r1", expires="2040-01-01T00:00:00Z")

WORKLOAD = """\
workload: small
version: 2026.10
params:
  app.port: {type: integer, default: 8080}
  app.greeting: {default: "hello from {{ member.name }}"}
networks: {cluster: {"cidr?": 10.77.0.0/24}}
firewall: [{from: members, ports: ["8080/tcp", icmp]}]
volumes: {data: {size: 1GiB, group: store}}
groups:
  app: {count: 2, roles: [app]}
  store: {count: 1, roles: [store]}
roles:
  store:
    steps: [store.sh.j2]
    provides:
      store.url: {value: "http://{{ member.address.private }}:{{ app.port }}"}
      store.token: {secret: true}
    wants: [app.port]
  app: {wants: [app.port, app.greeting, store.url, store.token, members.store], steps: [app.sh.j2]}
"""


def drive(
    settings: Mapping[str, Any] | None = None,
    *,
    clock: ManualClock | ScaledClock | None = None,
    store: Store | None = None,
    name: str = "p",
) -> FakeDriver:
    checked = Settings(**(settings or {}))
    faults = Faults(read_rules(checked.faults, name), name)
    return FakeDriver(Cloud(name, checked, store or Store(), clock or ManualClock(), faults))


class FakeShell:
    """Answers role steps by rule and remembers what it ran."""

    def __init__(self, answers: Mapping[str, list[Completed]], log: list[tuple[str, str]]) -> None:
        self.answers = answers
        self.log = log
        self.name = ""

    def run(
        self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0, sudo: bool = False
    ) -> Completed:
        text = stdin.decode()
        if command == "sh -s":
            self.log.append((self.name, text.strip()))
            queue = self.answers.get(text.split()[1] if text.split() else "", [])
            if queue:
                return queue.pop(0)
        elif command.startswith("cat /proc"):
            self.log.append((self.name, "identity"))
            count = len([1 for name, what in self.log if what == "identity"])
            return done(0, f"boot-{count}")
        return done(0)

    def put(self, data: bytes, path: str, mode: int = 0o644, sudo: bool = False) -> None:
        self.log.append((self.name, f"put {path} {len(data)}"))

    def close(self) -> None:
        pass


def done(code: int, out: str = "", err: str = "") -> Completed:
    return Completed(command="", code=code, stdout=out.encode(), stderr=err.encode())


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "workload.yaml").write_text(WORKLOAD, encoding="utf-8")
    (folder / "store.sh.j2").write_text("# store {{ app.port }}\n", encoding="utf-8")
    app = "# app {{ store.url }} {{ store.token }} {{ app.greeting }} {{ members.store|length }}\n"
    (folder / "app.sh.j2").write_text(app, encoding="utf-8")
    return load_workload(str(folder))


class Bed:
    """One run's ledger, driver and shells, to apply to as often as wanted."""

    def __init__(self, tmp_path: Path, workload: Workload, driver: FakeDriver) -> None:
        self.path = tmp_path / "results" / "r1" / "ledger.jsonl"
        self.workload = workload
        self.driver = driver
        self.log: list[tuple[str, str]] = []
        self.events: list[Happening] = []
        secret = done(0, "::provide store.token=s3cr3t-value\n")
        self.answers: dict[str, list[Completed]] = {"store": [secret, secret, secret]}
        self.cancel = Cancel()
        self.others = 0

    def plan(self) -> Plan:
        site = Site(driver=self.driver, description=self.driver.describe())
        inputs = Inputs(owner=OWNER, public_key="ssh-ed25519 AAAA")
        return make_plan(self.workload, [site], inputs)

    def shell(self, platform: str, handle: Handle, access: Access) -> FakeShell:
        shell = FakeShell(self.answers, self.log)
        shell.name = handle.name
        return shell

    def apply(self, jobs: int = 1) -> Applied:
        with Ledger(self.path, "r1", clock=self.driver.cloud.clock) as ledger:
            executor = Executor(
                {"p": self.driver},
                ledger,
                OWNER,
                clock=self.driver.cloud.clock,
                shell=self.shell,
                jobs=jobs,
                cancel=self.cancel,
                tell=self.events.append,
                others=lambda: self.others,
            )
            return executor.apply(self.plan(), self.workload.params)

    def destroy(self) -> int:
        with Ledger(self.path, "r1", clock=self.driver.cloud.clock) as ledger:
            removal = Removal({"p": _place(self.driver)}, ledger, self.driver.cloud.clock, jobs=1)
            result = removal.everything()
        assert result.left == ()
        return result.gone


def _place(driver: FakeDriver) -> Any:
    from provisioner.creation import place_for

    return place_for(driver, OWNER, driver.cloud.clock)


def test_everything_stands_and_roles_ran_in_order(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive({"latency": {"default": [5, 50]}}))

    applied = bed.apply()

    assert applied.errors == {}
    deployment = applied.check()
    assert [member.name for member in deployment.members] == ["app-1", "app-2", "store-1"]
    assert deployment.member("store-1").volumes["data"].kind == "volume"
    steps = [text for _, text in bed.log if text.startswith("# ")]
    private = deployment.member("store-1").address()
    assert steps[0] == "# store 8080"
    assert steps[1] == f"# app http://{private}:8080 s3cr3t-value hello from app-1 1"


class Moving(FakeDriver):
    """The store has another address once something is joined to it, as a pod would."""

    joined = False

    def create(self, step: Step, token: str) -> Handle:
        handle = super().create(step, token)
        self.joined = self.joined or handle.kind is Kind.ATTACHMENT
        return handle

    def read(self, handle: Handle) -> State | None:
        state = super().read(handle)
        if state is None or not self.joined or handle.name != "store-1":
            return state
        return replace(state, addresses={"private": "10.77.0.99"})


def test_roles_are_told_what_a_machine_is_after_joining(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, Moving(drive().cloud))

    deployment = bed.apply().check()

    assert deployment.member("store-1").address() == "10.77.0.99"
    assert any("# app http://10.77.0.99:8080" in text for _, text in bed.log)


def test_secrets_reach_neither_lease_nor_ledger(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive())
    deployment = bed.apply().check()
    lease = tmp_path / "lease.json"

    deployment.save(lease)

    assert deployment.shared["store.token"] == {"secret": "store.token"}
    for file in (lease, bed.path):
        assert "s3cr3t-value" not in file.read_text(encoding="utf-8")
    assert Deployment.load(lease) == deployment


def test_applying_twice_changes_nothing(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive())
    first = bed.apply().check()
    things = dict(_things(bed.driver))
    bed.events.clear()
    bed.log.clear()

    second = bed.apply().check()

    assert second.handles == first.handles
    assert dict(_things(bed.driver)) == things
    assert {h.what for h in bed.events} <= {"kept", "ready", "knocking", "done", "running"}
    # A secret is kept nowhere, so the role that prints it is asked again; its users are not.
    assert [name for name, text in bed.log if text.startswith("#")] == ["store-1"]


def test_destroy_leaves_nothing_and_apply_makes_it_anew(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive({"delete_s": {"default": [3, 9]}, "root_volumes": True}))
    first = bed.apply().check()

    bed.destroy()

    assert list(bed.driver.find(Owner())) == []
    assert read_ledger(bed.path).open_entries() == []
    again = bed.apply().check()
    assert again.handles != first.handles
    assert len([t for _, t in bed.log if t.startswith("# app")]) == 4


def test_a_changed_specification_is_refused_while_the_old_one_stands(
    tmp_path: Path, workload: Workload
) -> None:
    bed = Bed(tmp_path, workload, drive())
    bed.apply().check()
    text = WORKLOAD.replace("size: 1GiB", "size: 2GiB")
    (workload.folder / "workload.yaml").write_text(text, encoding="utf-8")
    bed.workload = load_workload(str(workload.folder))

    applied = bed.apply()

    assert "made from another specification" in str(applied.errors["volume/data-store-1"])


def test_a_failure_blocks_only_what_depends_on_it(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive({"quotas": {"volume": 0}}))

    applied = bed.apply()

    assert isinstance(applied.errors["volume/data-store-1"], Quota)
    assert applied.blocked == (
        "attachment/data-store-1",
        "role/store-1/store",
        "role/app-1/app",
        "role/app-2/app",
    )
    assert len(applied.deployment.members) == 3
    with pytest.raises(Quota):
        applied.check()


def test_a_failed_resource_is_told_with_its_reason(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive({"fails": ["machine"]}))

    applied = bed.apply()

    assert isinstance(applied.errors["machine/app-1"], PlatformFault)
    assert "no machine could be made" in str(applied.errors["machine/app-1"])


def test_a_throttled_platform_is_asked_again(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(
        tmp_path,
        workload,
        drive({"faults": [{"at": "*.*.before", "do": "Throttled", "nth": 3, "times": 4}]}),
    )

    assert bed.apply().complete


@pytest.mark.parametrize("error", ["Lost", "PlatformFault", "Timeout"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("tokens", [True, False])
def test_an_answer_that_proves_nothing_makes_no_second_resource(
    tmp_path: Path, workload: Workload, error: str, moment: str, tokens: bool
) -> None:
    faults = [{"at": f"create.*.{moment}", "do": error, "times": 3}]
    bed = Bed(
        tmp_path,
        workload,
        drive({"faults": faults, "tokens": tokens, "visible_s": 7, "list_s": 30}),
    )

    applied = bed.apply()

    assert applied.errors == {}
    assert len(_things(bed.driver)) == len(applied.deployment.handles) == 8


@pytest.mark.parametrize(("others", "at_once"), [(0, 3), (1, 2), (5, 1)])
def test_limits_of_a_kind_are_kept_and_the_rest_is_parallel(
    tmp_path: Path, workload: Workload, others: int, at_once: int
) -> None:
    clock = ScaledClock(50)
    text = WORKLOAD.replace("app: {count: 2", "app: {count: 6")
    (workload.folder / "workload.yaml").write_text(text, encoding="utf-8")
    settings = {"latency": {"machine": [10, 10]}, "jobs": {"machine": 3}}
    bed = Bed(tmp_path, load_workload(str(workload.folder)), drive(settings, clock=clock))
    under_way = 0
    most = 0
    lock = threading.Lock()

    def count(happening: Happening) -> None:
        nonlocal under_way, most
        if not happening.node.startswith("machine/"):
            return
        with lock:
            under_way += {"creating": 1, "ready": -1}.get(happening.what, 0)
            most = max(most, under_way)

    bed.events = type("Sink", (list,), {"append": lambda _, event: count(event)})()
    bed.others = others

    assert bed.apply(jobs=0).complete
    assert most == at_once


def test_exit_codes_reboot_and_call_again(tmp_path: Path, workload: Workload) -> None:
    bed = Bed(tmp_path, workload, drive())
    token = "::provide store.token=s3cr3t-value\n"
    bed.answers["store"] = [done(192), done(128), done(64, token)]

    assert bed.apply().complete

    reboots = [h for h in bed.events if h.what == "rebooting"]
    assert len(reboots) == 2
    assert len([t for n, t in bed.log if n == "store-1" and t.startswith("# store")]) == 3


def test_a_failed_step_tells_its_last_words_without_secrets(
    tmp_path: Path, workload: Workload
) -> None:
    bed = Bed(tmp_path, workload, drive())
    bed.answers["app"] = [done(1, "", "cannot log in with s3cr3t-value\n")] * 2

    applied = bed.apply()

    assert str(applied.errors["role/app-1/app"]) == (
        "role app on app-1: app.sh.j2 exited 1: cannot log in with ***"
    )


def test_a_cancel_stops_creating_and_can_be_taken_up_again(
    tmp_path: Path, workload: Workload
) -> None:
    bed = Bed(tmp_path, workload, drive({"latency": {"machine": [30, 30]}}))

    def stop(happening: Happening) -> None:
        if happening.node == "machine/app-1" and happening.what == "pending":
            bed.cancel.request("enough")

    bed.events = type("Sink", (list,), {"append": lambda _, event: stop(event)})()
    applied = bed.apply()
    assert applied.cancelled
    assert not applied.complete

    bed.cancel = Cancel()
    bed.events = []

    assert bed.apply().complete
    assert len(list(bed.driver.find(OWNER))) == 8


def _things(driver: FakeDriver) -> list[tuple[str, int]]:
    with driver.cloud.store.session() as world:
        return [(thing.id, thing.version) for thing in world.things.values()]
