"""Each check notices: a defect of the fake platform turns exactly that check red, with the cause.

The suites run for real, in a pytest of their own as ``interop run`` starts it, on a fake platform
where the reference workload stands. Defects that do not meet each other share a run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.checking import command, read_records
from harness.config import read_platforms
from harness.keys import public_key
from harness.session import Session
from provisioner.deployment import to_json
from provisioner.driver import Access, Handle, Owner
from provisioner.drivers.fake.settings import DEFECTS
from provisioner.executor import Executor
from provisioner.ledger import Ledger
from provisioner.planner import make_plan
from provisioner.platform import open_driver
from provisioner.remote import Remote, open_remote
from provisioner.site import Inputs, Site
from provisioner.workload import load_workload

EXPIRES = "2099-01-01T00:00:00Z"
SHORT = ("boot", "stop", "reboot", "rule", "attach", "console", "init", "command", "tags")
PATIENCE = {**dict.fromkeys(SHORT, 1.0), "power": 2.0}

# check id -> words of the message that name the cause
CAUSES: Mapping[str, str] = {
    "P1": "size in GiB: expected",
    "P2": "among all of the run's: expected 1, actual 0",
    "P3": "what is there twice: expected []",
    "P4": "reads back byte for byte",
    "P5": "a fault of the platform",
    "P9": "request_id: expected some, actual none",
    "P10": "read again once it was seen",
    "P11": "RFC 3339 with a zone",
    "alloc-01": "a key registered later as well",
    "alloc-02": "says where it was learnt",
    "alloc-03": "the same selector chooses the same",
    "alloc-04": "expected 'a private address', actual none",
    "alloc-05": "none of the told addresses",
    "alloc-06": "the told user logs in: expected debian, actual ubuntu",
    "alloc-07": "sshd passwordauthentication: expected no, actual yes",
    "bmc-01": "power told after a hard off: expected off, actual on",
    "bmc-02": "used up by one boot",
    "bmc-03": "first booted from the network: expected network, actual disk",
    "bmc-04": "sensor CPU Temp: expected '-40 to 150 C', actual 300",
    "bmc-06": "serial by controller and in the guest",
    "bmc-07": "a printed line shows on the serial console",
    "bmc-09": "a wrong password is refused: expected refused",
    "disk-01": "size of the root file system",
    "disk-02": "bytes of volume",
    "disk-03": "what was written to volume",
    "disk-05": "before the power went: expected whole, actual 'lost",
    "ent-01": "getrandom answers at once",
    "fw-01": "whose firewall has no rule",
    "fw-02": "tcp/8079, which no rule opens: expected silence, actual open",
    "fw-03": "of its rule being taken away: expected silence, actual open",
    "kern-01": "architecture of an image told to be amd64: expected x86_64",
    "kern-03": "only one has",
    "life-01": "identity of the boot after a reboot",
    "life-02": "the power went without a word",
    "life-03": "status by API while the machine is off: expected stopped, actual ready",
    "life-04": "a line printed on the console is in the log",
    "life-05": "what the deleted machine of that name had written: expected gone",
    "meta-01": "instance id: expected m-",
    "meta-02": "a made-up session token is refused",
    "meta-04": "digest of the user data",
    "meta-05": "by its own count, after several boots: expected 1, actual",
    "meta-07": "belongs to one machine: expected 'one holder'",
    "meta-08": "module write_files failed",
    "net-01": "who assigned",
    "net-02": "public address by metadata and by API",
    "net-04": "address by API after a reboot",
    "net-05": "interfaces and their hardware addresses after a reboot",
    "net-06": "the gateway is on the link",
    "net-09": "host name: expected front-1, actual front-1-wrong",
    "net-10": "resolves",
    "path-01": "(udp/8082): expected open, actual silent",
    "path-02": "expected 'it arrives, or ICMP says what fits'",
    "path-04": "expected",
    "time-01": "offset of the clock to the harness's",
    "time-05": "skew of the clocks",
}

# defect -> other checks that rightly notice it as well
ALSO: Mapping[str, set[str]] = {
    "P1": {"disk-02"},  # the size of a volume is what disk-02 compares with
    "P2": {"P10"},  # what a list leaves out is not seen again
    "fw-01": {"fw-03"},  # without its last rule the firewall is open again
    "life-01": {"bmc-01"},  # a reset that resets nothing
    "bmc-07": {"life-04"},  # the same console
    "life-04": {"bmc-07"},
}

BATCHES = (
    "P1 P9 alloc-01 alloc-05 bmc-03 disk-01 fw-01 kern-01 life-01 meta-01 net-09 time-01",
    "P2 P11 alloc-02 alloc-06 bmc-04 disk-02 ent-01 life-02 meta-02 net-01 path-01 bmc-01",
    "P3 P10 alloc-03 alloc-07 bmc-06 disk-03 fw-02 kern-03 life-03 meta-04 net-02 path-02",
    "P4 P5 alloc-04 bmc-09 disk-05 fw-03 life-04 meta-05 net-04 net-06 path-04 time-05",
    "bmc-02 bmc-07 life-05 meta-07 meta-08 net-05 net-10",
)


def run_suites(folder: Path, defects: list[str]) -> dict[str, dict[str, Any]]:
    """Stand the reference workload up on a fake platform, run all checks; records by check id."""
    folder.mkdir()
    name = folder.name
    profile = {"patience": PATIENCE}
    entry = {"kind": "fake", "emulator": True, "defects": defects, "profile": profile}
    platforms = folder / "platforms.yaml"
    platforms.write_text(yaml.safe_dump({"platforms": {name: entry}}), encoding="utf-8")
    key = folder / "key"
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
    subprocess.run(keygen, check=True)
    config = read_platforms([platforms]).get(name)
    driver, owner = open_driver(config), Owner(run="defects", expires=EXPIRES)
    workload = load_workload("reference")
    site = Site(driver=driver, description=driver.describe())
    plan = make_plan(workload, [site], Inputs(owner=owner, public_key=public_key(key)))

    def shell(platform: str, handle: Handle, access: Access) -> Remote:
        return open_remote(config, driver, handle, access, key)

    ledger = Ledger(folder / "ledger.jsonl", "defects")
    try:
        executor = Executor({name: driver}, ledger, owner, shell=shell, interval=(0.01, 0.1))
        applied = executor.apply(plan, workload.params, key)
        (folder / "lease.json").write_text(to_json(applied.check()), encoding="utf-8")
    finally:
        ledger.close()
    session = Session(
        run="defects",
        expires=EXPIRES,
        platform=name,
        platforms=[platforms],
        lease=folder / "lease.json",
        ledger=folder / "ledger-checks.jsonl",
        checks=folder / "checks.jsonl",
        select=[],
        seed=1,
        key=key,
        probe=workload.folder / "probe.py",
    )
    session.save(folder / "session.json")
    argv = command(folder, folder / "session.json")
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    records = {record["id"]: record for record in read_records(session.checks)}
    assert records, done.stdout + done.stderr
    return records


@pytest.fixture(scope="module")
def suites(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Mapping[str, Mapping[str, Any]]]]:
    """What the suites said of each batch of defects. Two batches run at once: they mostly wait."""
    root = tmp_path_factory.mktemp("suites")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        runs = {
            batch: pool.submit(run_suites, root / f"fake-{number}", batch.split())
            for number, batch in enumerate(("", *BATCHES))
        }
        yield lambda batch: runs[batch].result()
        pool.shutdown(cancel_futures=True)


def not_passed(records: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Ids of checks that did not pass, with outcome and reason."""
    return {
        id_: f"{record['outcome']}: {record['reason']}"
        for id_, record in records.items()
        if record["outcome"] not in ("passed", "not-applicable")
    }


Suites = Callable[[str], Mapping[str, Mapping[str, Any]]]


def test_a_healthy_platform_passes(suites: Suites) -> None:
    records = suites("")

    assert not_passed(records) == {}
    # the fake platform has no API of OpenStack or Kubernetes: test_suites_openstack, _kubernetes
    assert {id_ for id_ in records if not id_.startswith(("os-", "k8s-"))} == set(CAUSES)


def test_every_check_kept_what_it_relied_on(suites: Suites) -> None:
    """A record without a fact or evidence could not be judged again."""
    silent = [
        id_
        for id_, record in suites("").items()
        if not (record["facts"] or record["evidence"] or record["outcome"] == "not-applicable")
    ]

    assert silent == []


def test_every_check_has_a_defect() -> None:
    assert sorted(" ".join(BATCHES).split()) == sorted(CAUSES)


def test_every_defect_has_its_proof() -> None:
    assert set(DEFECTS) - CAUSES.keys() == {"volume-outlives-machine"}
    assert CAUSES.keys() <= set(DEFECTS)


@pytest.mark.parametrize("batch", BATCHES)
def test_defects_turn_nothing_else_red(batch: str, suites: Suites) -> None:
    allowed = set(batch.split()).union(*(ALSO.get(defect, set()) for defect in batch.split()))

    red = not_passed(suites(batch))

    assert {id_: why for id_, why in red.items() if id_ not in allowed} == {}


@pytest.mark.parametrize(
    ("defect", "batch"), [(defect, batch) for batch in BATCHES for defect in batch.split()]
)
def test_a_defect_turns_its_check_red(defect: str, batch: str, suites: Suites) -> None:
    record = suites(batch)[defect]

    assert record["outcome"] == "failed"
    assert CAUSES[defect] in record["reason"]
