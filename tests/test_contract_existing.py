"""The driver of existing hosts passes the driver contract, against SSH servers on loopback."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.contract import ContractSubject, DriverContract
from provisioner.driver import Driver, Owner
from provisioner.drivers.existing import open_driver
from provisioner.errors import BadRequest, Capacity, Lost, NotFound, Unauthorized, Unsupported
from provisioner.features import Metadata
from provisioner.platform import PlatformConfig
from provisioner.remote import open_remote
from provisioner.resources import (
    ImageSpec,
    KeySpec,
    Kind,
    MachineSpec,
    Ref,
    Resource,
    Support,
    VolumeSpec,
)

if TYPE_CHECKING:
    from conftest import Server

OWNER = Owner(run="run-1", expires="2030-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def servers(ssh_server: Callable[[], Server]) -> list[Server]:
    return [ssh_server() for _ in range(3)]


def host(server: Server, name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "address": "127.0.0.1",
        "port": server.port,
        "user": "root",
        "key": str(server.key),
        "host_key": server.host_key,
        "cpu": 2,
        "memory_mib": 2048,
        "os": "debian",
        "version": "12",
        **more,
    }


def opened(state: Path, hosts: Sequence[dict[str, Any]], **more: Any) -> Driver:
    settings = {"hosts": list(hosts), **more}
    return open_driver(PlatformConfig(name="rack", kind="existing", settings=settings, state=state))


@pytest.fixture
def hosts(servers: list[Server]) -> list[dict[str, Any]]:
    return [host(server, f"host-{n}") for n, server in enumerate(servers)]


@pytest.fixture
def driver(tmp_path: Path, hosts: list[dict[str, Any]]) -> Iterator[Driver]:
    driver = opened(tmp_path, hosts)
    yield driver
    for handle in driver.find(Owner()):
        driver.delete(handle)
    driver.close()


@pytest.fixture
def contract(
    driver: Driver, hosts: list[dict[str, Any]], servers: list[Server], tmp_path: Path
) -> Iterator[ContractSubject]:
    stranger = tmp_path / "stranger"
    servers[0].key_pair(stranger)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        yield ContractSubject(
            driver=driver,
            specs={Kind.MACHINE: MachineSpec()},
            wrong=lambda: opened(tmp_path, [h | {"key": str(stranger)} for h in hosts]),
            unreachable=lambda: opened(tmp_path, [hosts[0] | {"port": port}]),
            timeout_s=20,
            poll_s=0.02,
        )


class TestExisting(DriverContract):
    pass


def machine(name: str, spec: MachineSpec | None = None, owner: Owner = OWNER) -> Resource:
    return Resource(kind=Kind.MACHINE, name=name, spec=spec or MachineSpec(), tags=owner.tags(name))


def test_a_claim_is_seen_by_another_harness_and_kept_from_it(
    driver: Driver, hosts: list[dict[str, Any]], tmp_path: Path
) -> None:
    mine = driver.create(driver.plan(machine("a")), "token-1")
    other = opened(tmp_path / "elsewhere", [h for h in hosts if h["name"] == mine.id])

    with pytest.raises(Capacity, match="claimed by run run-1"):
        other.create(other.plan(machine("b", owner=Owner(run="run-2"))), "token-2")
    assert [h.id for h in other.find(OWNER)] == [mine.id]
    other.delete(mine)
    assert driver.read(mine) is None
    other.close()


def test_giving_back_somebody_elses_claim_does_nothing(driver: Driver) -> None:
    old = driver.create(driver.plan(machine("a")), "token-1")
    driver.delete(old)
    new = driver.create(driver.plan(machine("a", owner=Owner(run="run-2"))), "token-2")

    driver.delete(old)

    assert new.id == old.id
    assert driver.read(old) is None
    assert driver.read(new) is not None


def test_the_runs_key_gets_in_and_is_taken_out_again(
    driver: Driver, hosts: list[dict[str, Any]], servers: list[Server], tmp_path: Path
) -> None:
    public = servers[0].key_pair(tmp_path / "run")
    keys = servers[0].home / ".ssh" / "authorized_keys"
    before = keys.read_bytes()
    wish = Resource(kind=Kind.KEY, name="key", spec=KeySpec(public_key=public), tags={})
    key = driver.create(driver.plan(wish), "token-k")
    step = driver.plan(machine("host-0", MachineSpec(key=Ref(Kind.KEY, "key"))))
    handle = driver.create(step.bind({wish.ref: key}), "token-1")
    driver.create(step.bind({wish.ref: key}), "token-1")

    state = driver.read(handle)
    assert state is not None
    assert state.access is not None
    config = PlatformConfig(name="rack", kind="existing", settings={"hosts": hosts}, state=tmp_path)
    remote = open_remote(config, driver, handle, state.access, tmp_path / "run")
    assert remote.run("echo in").stdout == b"in\n"
    remote.close()
    driver.delete(handle)

    assert keys.read_bytes() == before
    remote = open_remote(config, driver, handle, state.access, tmp_path / "run")
    with pytest.raises(Unauthorized):
        remote.run("true")


def test_claiming_leaves_no_file_but_the_claim(driver: Driver, servers: list[Server]) -> None:
    handle = driver.create(driver.plan(machine("host-0")), "token-1")

    assert len(list((servers[0].home / ".interop").iterdir())) == 1
    driver.delete(handle)
    assert list((servers[0].home / ".interop").iterdir()) == []


def test_a_host_that_is_named_or_lent_to_the_group_goes_first(
    servers: list[Server], tmp_path: Path
) -> None:
    driver = opened(
        tmp_path,
        [
            host(servers[0], "any"),
            host(servers[1], "apps", groups=["app"]),
            host(servers[2], "app-2"),
        ],
    )

    assert driver.plan(machine("app-1")).body["candidates"] == ["apps", "any", "app-2"]
    assert driver.plan(machine("app-2")).body["candidates"] == ["app-2", "apps", "any"]
    assert driver.plan(machine("store-1")).body["candidates"] == ["any", "app-2"]


def test_a_wish_no_host_meets_says_what_each_one_lacks(driver: Driver) -> None:
    with pytest.raises(BadRequest, match="host-0 has cpu 2, wished 4; host-1 has cpu 2"):
        driver.plan(machine("a", MachineSpec(cpu=4)))
    with pytest.raises(BadRequest, match="host-0 has version 12, wished 13"):
        driver.plan(machine("a", MachineSpec(image=ImageSpec(os="debian", version="13"))))


def test_what_is_not_declared_is_noted(servers: list[Server], tmp_path: Path) -> None:
    plain = {k: v for k, v in host(servers[0], "x").items() if k not in ("cpu", "os")}
    driver = opened(tmp_path, [plain])

    step = driver.plan(machine("a", MachineSpec(image=ImageSpec(os="debian"))))

    assert step.notes == ("x: not declared: cpu, os",)


def test_user_data_and_volumes_are_unsupported_in_words(driver: Driver) -> None:
    volume = Resource(kind=Kind.VOLUME, name="v", spec=VolumeSpec(size_gib=1), tags={})

    with pytest.raises(Unsupported, match="installed already"):
        driver.plan(machine("a", MachineSpec(user_data=b"#!/bin/sh\n")))
    with pytest.raises(Unsupported, match="disks they have"):
        driver.plan(volume)


def test_description_comes_from_the_hosts_themselves(driver: Driver) -> None:
    described = driver.describe()

    assert [size.id for size in described.sizes] == ["host-0", "host-1", "host-2"]
    assert all(size.facts["cpu"] >= 1 for size in described.sizes)
    assert described.kinds[Kind.NETWORK] is Support.IMPLICIT
    assert described.limits["machines"] == 3


def test_a_host_that_cannot_be_asked_is_named_and_hides_nothing(
    hosts: list[dict[str, Any]], tmp_path: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = hosts[1] | {"port": closed.getsockname()[1]}
        driver = opened(tmp_path, [hosts[0], dead])
        handle = driver.create(driver.plan(machine("host-0")), "token-1")

        found = driver.find(OWNER)

        assert next(found).id == "host-0"
        with pytest.raises(Lost, match="claims are not known"):
            next(found)
        assert "refused" in driver.describe().absent["host host-1"]
        driver.delete(handle)
        driver.close()


def test_tags_of_a_lost_claim_cannot_be_changed(driver: Driver, servers: list[Server]) -> None:
    handle = driver.create(driver.plan(machine("host-0")), "token-1")
    metadata = driver.feature(Metadata, handle)  # type: ignore[type-abstract]
    claim = next((servers[0].home / ".interop").iterdir())

    metadata.update_tags({"colour": "blue"})

    assert json.loads(claim.read_text())["tags"]["colour"] == "blue"
    claim.write_text("not a claim\n")
    with pytest.raises(Lost, match="unreadable"):
        metadata.update_tags({"colour": "red"})
    assert claim.read_text() == "not a claim\n"
    claim.unlink()
    with pytest.raises(NotFound, match="not claimed"):
        metadata.update_tags({"colour": "red"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hosts": []}, "hosts: tuple should have at least 1 item"),
        ({"hosts": [{"name": "a"}]}, "hosts.0.address: field required"),
        ({"host": []}, "host: unknown key"),
        ({"hosts": "a"}, "hosts: input should be a valid tuple"),
    ],
)
def test_a_wrong_inventory_names_the_key(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    config = PlatformConfig(name="rack", kind="existing", settings=change, state=tmp_path)

    with pytest.raises(BadRequest) as caught:
        open_driver(config)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host_key": "AAAA"}, "hosts.0.host_key: expected an OpenSSH public key"),
        ({"port": 0}, "hosts.0.port"),
        ({"color": "red"}, "hosts.0.color: extra inputs are not permitted"),
    ],
)
def test_a_wrong_host_names_the_key(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    plain = {"name": "a", "address": "b", "user": "c", "key": "d", **wrong}

    with pytest.raises(BadRequest) as caught:
        opened(tmp_path, [plain])

    assert said in str(caught.value)


def test_one_host_under_two_names_is_refused(tmp_path: Path) -> None:
    plain = {"address": "b", "user": "c", "key": "d"}

    with pytest.raises(BadRequest, match="c@b port 22 is listed twice"):
        opened(tmp_path, [{"name": "x", **plain}, {"name": "y", **plain}])
