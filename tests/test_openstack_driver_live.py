"""What the OpenStack driver does beyond the contract, on the lab's OpenStack with real guests."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

from provisioner.contract import ContractSubject, Maker
from provisioner.driver import Driver, Handle, Owner, State, Step
from provisioner.drivers.openstack import open_driver
from provisioner.errors import BadRequest, Conflict
from provisioner.features import Listing, RawCall, Resize, Snapshot
from provisioner.lab import doctor
from provisioner.platform import PlatformConfig
from provisioner.resources import KeySpec, Kind, MachineSpec, NetworkSpec, Ref, Spec, VolumeSpec

LACKING = "" if os.environ.get("INTEROP_TEST_PLATFORMS") else doctor.lacking()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "-"),
    # openstacksdk 4 warns of its own use of what its version 5 will not have.
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"
NETWORK, MACHINE = Ref(Kind.NETWORK, "net"), Ref(Kind.MACHINE, "m")


@pytest.fixture(scope="module")
def driver(
    openstack_entry: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Driver]:
    outside = ("kind", "declared", "emulator", "profile")
    settings = {key: value for key, value in openstack_entry.items() if key not in outside}
    state = tmp_path_factory.mktemp("state")
    opened = open_driver(
        PlatformConfig(name="cloud", kind="openstack", settings=settings, state=state)
    )
    yield opened
    opened.close()


@pytest.fixture
def maker(driver: Driver) -> Iterator[Maker]:
    specs: dict[Kind, Spec] = {
        Kind.KEY: KeySpec(public_key=PUBLIC_KEY),
        Kind.NETWORK: NetworkSpec(),
        Kind.VOLUME: VolumeSpec(size_gib=1),
        Kind.MACHINE: MachineSpec(network=NETWORK),
    }
    made = Maker(ContractSubject(driver=driver, specs=specs, timeout_s=300, poll_s=0.2))
    yield made
    made.clear()


def raw(driver: Driver, operation: str, **parameters: Any) -> Any:
    nothing = Handle(platform="cloud", kind=Kind.VOLUME, id="")
    api = driver.feature(RawCall, nothing)  # type: ignore[type-abstract]
    return api.call(operation, parameters)


def now(driver: Driver, handle: Handle) -> State:
    state = driver.read(handle)
    assert state is not None
    return state


def test_an_address_goes_with_its_machine_and_is_found_when_left_alone(maker: Maker) -> None:
    token = secrets.token_hex(16)
    machine = maker.make(Kind.MACHINE, "m", token=token)
    public = maker.ready(machine).addresses["public"]
    raw(maker.driver, f"compute DELETE /servers/{machine.id}")  # by somebody else, not by us
    maker.visible(lambda: maker.driver.read(machine) is None, "the machine to be gone")

    left = [handle for handle in maker.found() if handle.kind is Kind.ADDRESS]

    assert [now(maker.driver, handle).addresses["public"] for handle in left] == [public]
    for handle in left:
        maker.driver.delete(handle)
    assert [handle for handle in maker.found() if handle.kind is Kind.ADDRESS] == []


def test_an_interrupted_create_is_continued(maker: Maker) -> None:
    token = secrets.token_hex(16)
    machine = maker.make(Kind.MACHINE, "m", token=token)
    address = raw(maker.driver, "network GET /floatingips")["body"]["floatingips"]
    mine = [one["id"] for one in address if machine.run in one["description"]]
    raw(maker.driver, f"network DELETE /floatingips/{mine[0]}")  # as if we had died before it

    again = maker.make(Kind.MACHINE, "m", token=token)

    assert again == machine
    assert "public" in maker.ready(machine).addresses


def test_a_machine_takes_another_size(maker: Maker) -> None:
    machine = maker.make(Kind.MACHINE, "m")
    before = maker.ready(machine).facts["size"]
    sizes = [size.name for size in maker.driver.describe().sizes]
    other = next(size for size in reversed(sizes) if size != before and not size.startswith("q"))

    maker.driver.feature(Resize, machine).to(other)  # type: ignore[type-abstract]

    assert maker.ready(machine).facts["size"] == other
    with pytest.raises(BadRequest, match="no size"):
        maker.driver.feature(Resize, machine).to("immense")  # type: ignore[type-abstract]


def test_a_snapshot_is_found_and_holds_its_volume(maker: Maker) -> None:
    volume = maker.make(Kind.VOLUME, "data")
    maker.ready(volume)

    name = maker.driver.feature(Snapshot, volume).create("copy")  # type: ignore[type-abstract]
    copy = next(handle for handle in maker.found() if handle.id == name)

    assert (copy.name, copy.run) == ("copy", volume.run)
    assert maker.ready(copy).facts["volume"] == volume.id
    with pytest.raises(Conflict):
        maker.driver.delete(volume)
    maker.remove(copy)


def test_a_machine_without_a_name_for_its_network_is_told_apart(maker: Maker) -> None:
    """With several networks nova cannot choose; it says so, and nothing stays behind."""
    for name in ("one", "two"):
        maker.ready(maker.make(Kind.NETWORK, name))
    step = maker.driver.plan(maker.want(Kind.MACHINE, "m"))
    bare = Step(platform=step.platform, resource=step.resource, body=step.body)

    with pytest.raises(Conflict):
        maker.driver.create(bare, secrets.token_hex(16))
    assert [handle for handle in maker.found() if handle.kind is Kind.MACHINE] == []


def test_pages_of_machines_are_filtered_by_run(maker: Maker) -> None:
    machine = maker.make(Kind.MACHINE, "m")
    listing = maker.driver.feature(Listing, machine)  # type: ignore[type-abstract]

    assert listing.page("machine", 0, "", {"interop-run": machine.run}) == ([machine.id], "")
    assert listing.page("machine", 0, "", {"interop-run": "nobody"}) == ([], "")


def test_no_token_gets_into_evidence(driver: Driver) -> None:
    answer = raw(driver, "identity GET /auth/tokens", headers={"X-Subject-Token": "x"})

    assert "x-subject-token" not in answer["headers"]
    assert 400 <= answer["status"] < 500


def test_the_key_that_opens_the_cloud_is_nowhere(
    openstack_entry: dict[str, Any], driver: Driver
) -> None:
    text = Path(openstack_entry["config_file"]).read_text()
    secret = next(
        line.split()[-1].strip("\"'") for line in text.splitlines() if "password:" in line
    )

    assert secret not in repr(driver.describe())


def test_an_image_that_a_check_left_is_found_and_goes(driver: Driver) -> None:
    owner = Owner(run=f"t-{secrets.token_hex(4)}", expires="2030-01-01T00:00:00Z")
    formats = {"disk_format": "raw", "container_format": "bare", "protected": True}
    body = {"name": "left", **formats, **owner.tags("left")}
    made = raw(driver, "image POST /images", body=body)

    found = list(driver.find(owner))
    for handle in found:
        driver.delete(handle)

    assert made["status"] == 201
    assert [(handle.kind, handle.id) for handle in found] == [(Kind.IMAGE, made["body"]["id"])]
    assert list(driver.find(owner)) == []
    assert driver.read(found[0]) is None
