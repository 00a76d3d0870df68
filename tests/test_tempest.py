"""Tempest on a platform: which tests are chosen, what it is told, what is kept of its stream."""

from __future__ import annotations

import configparser
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

from openstack.connection import Connection

from guidelines.model import CheckDef
from guidelines.results import load_results
from harness.tempest import cloud as clouds
from harness.tempest import execution
from harness.tempest.cloud import Cloud, User
from harness.tempest.config import FEATURES, accounts, render, sections
from harness.tempest.execution import Workspace
from harness.tempest.selection import bare, select
from provisioner.errors import BadRequest

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def check(id: str, *aliases: str, uuid: str = "") -> CheckDef:
    return CheckDef(id=id, aliases=aliases, idempotent_id=f"id-{uuid}" if uuid else None)


# -- which tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (f"tempest.a.T.test_x[id-{ONE}]", "tempest.a.T.test_x"),
        (f"tempest.a.T.test_x[id-{ONE},smoke,network]", "tempest.a.T.test_x"),
        (f"tempest.a.T.test_x[compute,id-{ONE}]", "tempest.a.T.test_x"),
        (f"tempest.a.T.test_x[id-{ONE}](raw)", "tempest.a.T.test_x(raw)"),
        ("tempest.a.T.test_x", "tempest.a.T.test_x"),
    ],
)
def test_attributes_are_no_part_of_a_name(listed: str, name: str) -> None:
    assert bare(listed) == name


def test_a_name_an_alias_and_then_an_id_decide() -> None:
    known = [f"t.A.named[id-{ONE}]", f"t.B.moved[id-{TWO}]", "t.C.aliased", "t.D.other"]
    wanted = [
        check("t.A.named", uuid=TWO),  # its name decides, whatever its id says
        check("t.old.name", uuid=TWO),
        check("t.gone", "t.C.aliased"),
        check("t.away", uuid="33333333-3333-4333-8333-333333333333"),
    ]

    chosen = select(wanted, known)

    assert chosen.tests == (known[0], known[1], known[2])
    assert chosen.renamed == ("t.old.name",)
    assert chosen.absent == ("t.away",)
    assert chosen.by_check["t.gone"] == (known[2],)


def test_a_test_that_two_checks_ask_for_runs_once() -> None:
    chosen = select([check("t.x"), check("t.y", "t.x")], ["t.x"])

    assert chosen.tests == ("t.x",)
    assert set(chosen.by_check) == {"t.x", "t.y"}


# -- what Tempest is told --------------------------------------------------------------------------


def flavor(name: str, ram: int, disk: int, **extra: str) -> Any:
    return SimpleNamespace(name=name, id=name, vcpus=1, ram=ram, disk=disk, extra_specs=extra)


def test_a_server_is_resized_to_a_flavor_of_the_same_kind() -> None:
    offered = [
        flavor("large", 1024, 8),
        flavor("other-kind", 300, 2, hypervisor="other"),
        flavor("too-small", 64, 1),
        flavor("small", 256, 2),
    ]
    connection = SimpleNamespace(compute=SimpleNamespace(flavors=lambda: offered))
    image = SimpleNamespace(min_ram=128, min_disk=1)

    chosen = clouds._flavors(cast(Connection, connection), image)

    assert [one.name for one in chosen] == ["small", "large", "other-kind"]


CLOUD = Cloud(
    auth_url="https://keystone.example/",
    region="r",
    interface="public",
    ca_file="",
    verify=True,
    services={"nova": "compute", "glance": "image", "neutron": "network", "cinder": "volumev3",
              "swift": ""},
    images=("i",),
    flavors=("f1", "f2"),
    public_network="n",
    public_name="outside",
    extensions=("router", "security-group"),
    ssh_user="debian",
)  # fmt: skip
MEMBER = User(
    username="u", password="word", project="p", user_domain="D", project_domain="D",
    roles=("member",),
)  # fmt: skip


def test_an_ordinary_user_has_an_accounts_file(tmp_path: Path) -> None:
    made = sections(CLOUD, frozenset({"console"}), {}, folder=tmp_path, admin=None)
    read = configparser.RawConfigParser()
    read.read_string(render(made))

    assert read["auth"]["use_dynamic_credentials"] == "false"
    assert not any(key.startswith("admin") for key in read["auth"])
    assert read["identity"]["uri_v3"] == "https://keystone.example/v3"
    assert read["service_available"]["swift"] == "false"
    assert read["volume"]["catalog_type"] == "volumev3"
    assert (read["compute"]["image_ref"], read["compute"]["image_ref_alt"]) == ("i", "i")
    features = {name: read["compute-feature-enabled"][name] for name in FEATURES.values()}
    assert features == {"resize": "false", "console_output": "true", "snapshot": "false"}
    assert "word" not in render(made)


def test_what_is_declared_is_stronger(tmp_path: Path) -> None:
    declared = {"compute-feature-enabled": {"resize": False}, "x": {"y": 1}}

    made = sections(CLOUD, frozenset({"resize"}), declared, folder=tmp_path, admin=MEMBER)

    assert made["compute-feature-enabled"]["resize"] == "false"
    assert made["x"] == {"y": "1"}
    assert made["auth"]["admin_username"] == "u"


@pytest.mark.parametrize(
    ("logs_in", "public", "runs"),
    [(True, "n", "true"), (True, "", "false"), (False, "n", "false")],
)
def test_servers_are_entered_where_they_can_be(
    tmp_path: Path, logs_in: bool, public: str, runs: str
) -> None:
    cloud = replace(CLOUD, public_network=public)

    made = sections(cloud, frozenset(), {}, folder=tmp_path, admin=None, logs_in=logs_in)

    assert made["validation"]["run_validation"] == runs


def test_what_is_declared_are_sections(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"declared\.tempest\.compute"):
        sections(CLOUD, frozenset(), {"compute": 3}, folder=tmp_path, admin=None)


def test_each_account_has_its_network() -> None:
    told = yaml.safe_load(accounts({"a": MEMBER}, {"a": "net"}))

    assert told == [
        {
            "username": "u",
            "password": "word",
            "project_name": "p",
            "user_domain_name": "D",
            "project_domain_name": "D",
            "roles": ["member"],
            "resources": {"network": "net"},
        }
    ]


# -- its stream ------------------------------------------------------------------------------------

PROGRAM = f"""\
#!{sys.executable}
import datetime, os, sys, time
from subunit.v2 import StreamResultToBytes
assert sys.argv[1:3] == ["run", "--config-file"] and "--subunit" in sys.argv, sys.argv
assert not any(name.startswith("OS_") for name in os.environ)
if os.path.exists("asleep"):
    open("started", "w").close()
    time.sleep(600)
out = StreamResultToBytes(sys.stdout.buffer)
at = datetime.datetime.now(datetime.timezone.utc)
for number, name in enumerate(open(sys.argv[sys.argv.index("--load-list") + 1]).read().split()):
    now = at + datetime.timedelta(seconds=number)
    out.status(test_id=name, test_status="inprogress", timestamp=now)
    out.status(test_id=name, test_status="fail" if "bad" in name else "success", timestamp=now)
print("last words", file=sys.stderr)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace whose Tempest says what it is told to."""
    program = tmp_path / "venv" / "bin" / "tempest"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    return Workspace(venv=tmp_path / "venv", folder=folder)


def test_the_stream_is_kept_and_told(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "not for Tempest")
    told: list[tuple[str, str, float]] = []
    stream = tmp_path / "stream.subunit"

    code = workspace.run(
        ["t.good", "t.bad"], stream, concurrency=1, told=lambda *what: told.append(what)
    )

    assert code == 0
    assert [what[:2] for what in told] == [("t.good", "success"), ("t.bad", "fail")]
    outcomes = {one.name: str(one.status) for one in load_results(stream).outcomes}
    assert outcomes == {"t.good": "passed", "t.bad": "failed"}
    assert workspace.complaint() == "last words"


def test_an_interrupt_ends_tempest(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.folder / "asleep").touch()

    class Enough(BaseException):
        pass

    def read(*_: object) -> None:
        while not (workspace.folder / "started").exists():
            time.sleep(0.02)
        raise Enough

    monkeypatch.setattr(execution, "_follow", read)

    with pytest.raises(Enough):
        workspace.run(["t"], tmp_path / "s", concurrency=1, told=lambda *_: None)

    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(str(workspace.folder).encode() in words for words in running)
