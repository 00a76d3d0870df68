"""The lab's OpenStack without its services: configuration, kept state, processes."""

from __future__ import annotations

import configparser
import json
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import BadRequest, PlatformFault
from provisioner.lab.images import Images
from provisioner.lab.openstack import (
    clouds,
    config,
    defects,
    golden,
    install,
    link,
    schemas,
    services,
)
from provisioner.lab.openstack.place import SERVICES, Place, read
from provisioner.lab.openstack.runner import RUNNERS
from provisioner.lab.state import State

WORDS = {name: f"{number:032x}" for number, name in enumerate(config.SECRETS)}


def place(folder: Path, *, first: int = 40000) -> Place:
    """A lab below *folder* whose services have consecutive ports."""
    made = Place(
        lab="test",
        folder=folder / "run",
        disks=folder / "disks",
        venv=folder / "venv",
        root=folder / "root",
        ports={name: first + number for number, name in enumerate(SERVICES)},
        defects=frozenset(),
    )
    made.folder.mkdir(parents=True)
    return made


def parsed(text: str) -> configparser.ConfigParser:
    """A configuration file, strictly: no section or option is given twice."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_the_services_find_the_place_that_the_daemon_wrote(tmp_path: Path) -> None:
    lab = place(tmp_path)

    lab.write()

    assert read(lab.folder) == lab


@pytest.mark.parametrize("service", [*config.USERS, "keystone"])
def test_every_configuration_is_well_formed_and_within_the_lab(
    tmp_path: Path, service: str
) -> None:
    lab = place(tmp_path)
    (name,) = (name for name in config.render(lab, WORDS) if name.startswith(f"etc/{service}/"))

    parser = parsed(config.render(lab, WORDS)[name])

    values = [value for section in parser.values() for value in section.values()]
    outside = [value for value in values if value.startswith("/") and str(tmp_path) not in value]
    urls = {value.split("/")[2] for value in values if value.startswith("http")}
    assert outside == []
    assert urls <= {f"127.0.0.1:{port}" for port in lab.ports.values()}


def test_an_option_may_be_given_several_times() -> None:
    said = config.text({"a": {"one": True, "two": ("x", 3)}})

    assert said == "[a]\none = true\ntwo = x\ntwo = 3\n"


def test_what_is_written_is_for_its_owner_alone(tmp_path: Path) -> None:
    lab = place(tmp_path)

    config.write(lab, WORDS)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in lab.folder.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_the_cloud_for_users_is_no_administrators(tmp_path: Path) -> None:
    lab = place(tmp_path)

    entries = yaml.safe_load(config.render(lab, WORDS)["clouds.yaml"])["clouds"]

    assert clouds.MEMBER_CLOUD in entries
    users = {entry["auth"]["username"] for entry in entries.values()}
    assert "admin" not in users
    assert users.isdisjoint(config.USERS)
    assert WORDS["admin"] not in config.render(lab, WORDS)["clouds.yaml"]


def test_every_process_has_a_runner_and_every_api_a_process() -> None:
    assert set(services.PROCESSES) == set(RUNNERS)
    assert sorted(api for apis in services.PROCESSES.values() for api in apis) == sorted(SERVICES)


def test_every_step_of_the_databases_is_in_one_branch() -> None:
    steps = [step for branch in schemas.BRANCHES for step in branch]

    assert sorted(steps) == sorted(schemas.STEPS)


def test_every_service_is_pinned() -> None:
    lines = [line for line in install.constraints().splitlines() if not line.startswith("#")]
    pinned = {line.partition("==")[0].lower() for line in lines}

    assert all(line.count("==") == 1 for line in lines)
    assert {name.lower() for name in install.REQUIREMENTS} <= pinned


def test_the_link_leads_to_our_code_and_may_be_made_again(tmp_path: Path) -> None:
    for _ in range(2):
        folder = link.make(tmp_path / "link")

    (said,) = folder.glob("*.dist-info/entry_points.txt")
    module = parsed(said.read_text())["neutron.ml2.mechanism_drivers"]["interop"].partition(":")[0]
    assert (folder / Path(*module.split("."))).with_suffix(".py").is_file()


def test_an_unknown_defect_is_refused_with_those_known() -> None:
    with pytest.raises(BadRequest, match="'no-such' of lab-openstack: expected one of"):
        defects.known(["no-such"])


# -- kept state ---------------------------------------------------------------------------------

TABLES: Mapping[str, tuple[str, ...]] = {
    "keystone": ("CREATE TABLE endpoint (id TEXT PRIMARY KEY, url TEXT)",),
    "glance": ("CREATE TABLE image_locations (id INTEGER PRIMARY KEY, value TEXT)",),
    "nova_api": ("CREATE TABLE cell_mappings (id INTEGER PRIMARY KEY, database_connection TEXT)",),
    "nova": ("CREATE TABLE services (id INTEGER, last_seen_up TEXT, updated_at TEXT)",),
    "cinder": ("CREATE TABLE services (id INTEGER, updated_at TEXT)",),
}


def furnished(lab: Place) -> None:
    """Databases with the tables that know where they are, and the files beside them."""
    lab.databases.mkdir(parents=True)
    for name, statements in TABLES.items():
        with closing(sqlite3.connect(lab.databases / f"{name}.db")) as database, database:
            for statement in statements:
                database.execute(statement)
            if name == "keystone":
                rows = [(api, f"{lab.url(api)}/v{port}") for api, port in lab.ports.items()]
                database.executemany("INSERT INTO endpoint VALUES (?, ?)", rows)
                database.execute("INSERT INTO endpoint VALUES ('bare', ?)", (lab.url("glance"),))
            elif name == "glance":
                value = f"file://{lab.images}/some-image"
                database.execute("INSERT INTO image_locations (value) VALUES (?)", (value,))
            elif name == "nova_api":
                value = f"sqlite:///{lab.databases}/nova.db?timeout=60"
                database.execute(
                    "INSERT INTO cell_mappings (database_connection) VALUES (?)", (value,)
                )
            else:
                database.execute("INSERT INTO services (updated_at) VALUES ('2020-01-01 00:00:00')")
    for name in ("keystone/fernet-keys", "images", "state/nova"):
        (lab.disks / name).mkdir(parents=True)
    (lab.disks / "keystone/fernet-keys/0").write_text("key")
    (lab.disks / "state/nova/compute_id").write_text("id")
    (lab.folder / "secrets.json").write_text(json.dumps(WORDS))
    lab.write()


def column(lab: Place, database: str, query: str) -> list[Any]:
    """What a query finds."""
    with closing(sqlite3.connect(lab.databases / f"{database}.db")) as connection:
        return [row[0] for row in connection.execute(query)]


@settings(deadline=None, max_examples=20)
@given(st.integers(min_value=-len(SERVICES), max_value=len(SERVICES)))
def test_a_kept_state_is_true_of_the_lab_it_is_unpacked_in(
    tmp_path_factory: pytest.TempPathFactory, shift: int
) -> None:
    """Whatever ports the other has: one of ours may have been another service's there."""
    first = place(tmp_path_factory.mktemp("first"))
    second = place(tmp_path_factory.mktemp("second"), first=40000 + shift)
    kept = tmp_path_factory.mktemp("kept")
    furnished(first)
    golden.keep(first, kept)

    golden.unpack(kept, second)

    query = "SELECT url FROM endpoint"
    urls = dict(zip([*SERVICES, "bare"], column(second, "keystone", query), strict=True))
    was = first.ports
    assert urls.pop("bare") == second.url("glance")
    assert urls == {name: f"{second.url(name)}/v{was[name]}" for name in SERVICES}
    assert column(second, "glance", "SELECT value FROM image_locations") == [
        f"file://{second.images}/some-image"
    ]
    assert column(second, "nova_api", "SELECT database_connection FROM cell_mappings") == [
        f"sqlite:///{second.databases}/nova.db?timeout=60"
    ]
    assert (second.disks / "keystone/fernet-keys/0").read_text() == "key"
    assert (second.disks / "state/nova/compute_id").read_text() == "id"


def test_the_host_of_an_unpacked_state_was_seen_just_now(tmp_path: Path) -> None:
    first, second = place(tmp_path / "first"), place(tmp_path / "second")
    (tmp_path / "kept").mkdir()
    furnished(first)
    golden.keep(first, tmp_path / "kept")

    golden.unpack(tmp_path / "kept", second)

    fresh = "SELECT strftime('%s', 'now') - strftime('%s', {}) < 60 FROM services"
    assert column(second, "nova", fresh.format("last_seen_up")) == [1]
    assert column(second, "cinder", fresh.format("updated_at")) == [1]


def test_nobody_else_looks_into_a_kept_state(tmp_path: Path) -> None:
    first = place(tmp_path / "first")
    furnished(first)
    (tmp_path / "kept").mkdir(mode=0o755)

    golden.keep(first, tmp_path / "kept")

    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "kept/secrets.json").stat().st_mode) == 0o600


def test_a_state_made_with_another_environment_is_another(tmp_path: Path) -> None:
    assert golden.name(tmp_path / "one") != golden.name(tmp_path / "two")


def test_of_each_kind_the_cache_keeps_what_was_asked_for_last(tmp_path: Path) -> None:
    images = Images(tmp_path)
    for name in ("openstack-1", "openstack-state-1", "openstack-2", "openstack-1"):
        with images.made(name):
            pass

    assert images.outdated() == ["openstack-2"]


# -- processes ----------------------------------------------------------------------------------


class Registry:
    """In place of the lab's state: starts sleepers, or what ends at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.code = ""
        self.noted: set[str] = set()

    def start(self, name: str, argv: list[str], **_: Any) -> subprocess.Popen[bytes]:
        """Start a sleeper."""
        self.noted.add(name)
        command = ["sh", "-c", self.code or "exec sleep 60"]
        return subprocess.Popen(command, start_new_session=True)

    def forget(self, name: str) -> None:
        """Strike it."""
        self.noted.discard(name)

    def log(self, name: str) -> Path:
        """Where its words are."""
        return self._folder / f"{name}.log"


class Door:
    """In place of a socket."""

    def fileno(self) -> int:
        """A number."""
        return 0


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """What starts processes."""
    return Registry(tmp_path)


@pytest.fixture
def running(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[services.Services]:
    """Services that are sleepers."""
    monkeypatch.setattr(services, "PATIENCE_S", 0.0)
    doors = cast("Any", {name: (Door(), Door()) for name in SERVICES})
    made = services.Services(cast("State", registry), place(tmp_path), doors, tmp_path)
    yield made
    made.close()


def kill(made: services.Services, name: str) -> None:
    """End one as the kernel does when memory is short."""
    process = made._running[name]
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("name", list(services.PROCESSES))
def test_a_killed_service_is_started_again_and_that_is_said(
    running: services.Services, name: str
) -> None:
    running.start(*services.PROCESSES)
    assert running.mend() == []
    assert running.troubles() == []
    kill(running, name)
    assert running.dead() == [name]

    assert running.mend() == [name]

    assert running.dead() == []
    assert running.troubles() == [f"started again: {name} (1)"]


def test_a_service_that_does_not_run_is_left_a_while(
    running: services.Services, monkeypatch: pytest.MonkeyPatch, registry: Registry
) -> None:
    monkeypatch.setattr(services, "PATIENCE_S", 60.0)
    running.start("keystone")
    registry.log("openstack-keystone").write_text("first\nno such table: user\n\n")
    kill(running, "keystone")

    assert running.mend() == []

    assert running.troubles() == ["keystone is down: no such table: user"]


def test_waiting_ends_with_the_words_of_the_service_that_died(
    running: services.Services, registry: Registry
) -> None:
    registry.code = "exit 1"
    registry.log("openstack-glance").write_text("cannot import glance\n")
    running.start("glance")

    with pytest.raises(PlatformFault, match="glance ended: cannot import glance"):
        running.answer(10.0, "glance")


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", "without a word"),
        ("one\ntwo\n", "two"),
        (
            "12:00 1 CRITICAL nova Unhandled error: ValueError: port\n12:00 1 ERROR nova\n",
            "ValueError",
        ),
        ("Traceback\n  File\nNameError: name 'x'\n  more\n", "NameError: name 'x'"),
    ],
)
def test_a_complaint_is_the_line_that_says_what_went_wrong(
    running: services.Services, registry: Registry, log: str, told: str
) -> None:
    registry.log("openstack-nova").write_text(log)

    assert told in running.complaint("nova")


def test_all_are_ended_and_struck(running: services.Services, registry: Registry) -> None:
    running.start(*services.PROCESSES)
    processes = list(running._running.values())

    running.close()

    assert all(process.returncode is not None for process in processes)
    assert registry.noted == set()
