"""The fake cloud misbehaves as it is told to: faults, limits, visibility, power, boot devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.clock import ManualClock
from provisioner.driver import Handle, Owner, Status
from provisioner.drivers.fake import open_driver
from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.driver import FakeDriver
from provisioner.drivers.fake.faults import Faults, read_rules
from provisioner.drivers.fake.settings import Settings
from provisioner.drivers.fake.things import Store
from provisioner.errors import BadRequest, Lost, PlatformError, Quota, Throttled
from provisioner.features import BootChoice, BootDevice, Inventory, Listing, Power, RawCall
from provisioner.platform import PlatformConfig
from provisioner.resources import KeySpec, Kind, MachineSpec, Resource, Spec, VolumeSpec

OWNER = Owner(run="r1")


def drive(**settings: Any) -> FakeDriver:
    checked = Settings(**settings)
    faults = Faults(read_rules(checked.faults, "p"), "p")
    return FakeDriver(Cloud("p", checked, Store(), ManualClock(), faults))


def make(driver: FakeDriver, kind: Kind, name: str, token: str = "") -> Handle:
    specs: dict[Kind, Spec] = {
        Kind.KEY: KeySpec(public_key="ssh-rsa A"),
        Kind.VOLUME: VolumeSpec(size_gib=1),
        Kind.MACHINE: MachineSpec(),
    }
    want = Resource(kind=kind, name=name, spec=specs[kind], tags=OWNER.tags(name))
    return driver.create(driver.plan(want), token or name)


def advance(driver: FakeDriver, seconds: float) -> None:
    driver.cloud.clock.sleep(seconds)


def test_a_fault_before_leaves_nothing_and_one_after_leaves_the_thing() -> None:
    before = drive(faults=[{"at": "create.key.before", "do": "Lost"}])
    after = drive(faults=[{"at": "create.key.after", "do": "Lost"}])

    for driver in (before, after):
        with pytest.raises(Lost):
            make(driver, Kind.KEY, "k")

    assert list(before.find(OWNER)) == []
    assert [handle.name for handle in after.find(OWNER)] == ["k"]


def test_a_fault_comes_when_and_as_often_as_said() -> None:
    driver = drive(faults=[{"at": "create.*.before", "do": "Throttled", "nth": 2, "times": 2}])

    make(driver, Kind.KEY, "a")
    for _ in range(2):
        with pytest.raises(Throttled):
            make(driver, Kind.KEY, "b")
    make(driver, Kind.KEY, "b")


def test_a_request_delivered_twice_makes_one_with_tokens_and_two_without() -> None:
    for tokens, count in ((True, 1), (False, 2)):
        rules = [{"at": "create.volume.before", "do": "duplicate"}]
        driver = drive(tokens=tokens, faults=rules)
        make(driver, Kind.VOLUME, "v")
        assert len(list(driver.find(OWNER))) == count


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"latencies": {}}, "platforms.p.latencies: unknown key, expected one of absent_kinds, "),
        ({"defects": ["P99"]}, "platforms.p.defects: unknown 'P99', expected some of P1, P2, "),
        ({"flaps": 1.5}, "platforms.p.flaps: input should be less than 1"),
        ({"faults": [{"at": "x", "do": "Explode"}]}, "faults[0].do: 'Explode' is no error class"),
        ({"faults": [{"do": "Lost"}]}, "faults[0]: expected the keys at and do"),
    ],
)
def test_a_wrong_setting_is_told_by_its_key(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        open_driver(PlatformConfig(name="p", kind="fake", settings=settings, state=tmp_path))

    assert told in str(caught.value)


def test_a_cloud_on_disk_outlives_its_driver(tmp_path: Path) -> None:
    config = PlatformConfig(name="p", kind="fake", state=tmp_path)
    handle = make(open_driver(config), Kind.MACHINE, "m")

    again = open_driver(config)

    state = again.read(handle)
    assert state is not None
    assert state.facts["hostname"] == "m"


def test_what_is_new_is_seen_late_and_listed_later() -> None:
    driver = drive(visible_s=5, list_s=20)
    handle = make(driver, Kind.KEY, "k")

    assert driver.read(handle) is None
    advance(driver, 5)
    assert driver.read(handle) is not None
    assert list(driver.find(OWNER)) == []
    advance(driver, 15)
    assert list(driver.find(OWNER)) == [handle]


def test_quota_and_rate_are_refused_in_their_own_words() -> None:
    with pytest.raises(Quota):
        make(drive(quotas={"machine": 0}), Kind.MACHINE, "m")
    driver = drive(rate=3)
    for number in range(3):
        make(driver, Kind.KEY, f"k{number}")
    with pytest.raises(Throttled) as caught:
        make(driver, Kind.KEY, "k3")
    assert 0 < caught.value.retry_after <= 1


def test_a_boot_device_for_once_is_used_once_unless_defective() -> None:
    for defects, second in (([], "disk"), (["bmc-02"], "network")):
        driver = drive(defects=defects)
        machine = make(driver, Kind.MACHINE, "m")
        power = driver.feature(Power, machine)  # type: ignore[type-abstract]
        boot = driver.feature(BootDevice, machine)  # type: ignore[type-abstract]
        boot.set(BootChoice(device="network"))
        booted = []
        for _ in range(2):
            power.cycle()
            with driver.cloud.store.session() as world:
                booted.append(world.things[machine.id].booted_from)
        assert booted == ["network", second]


def test_power_takes_time_and_keeps_addresses() -> None:
    driver = drive(boot_s=30)
    machine = make(driver, Kind.MACHINE, "m")
    before = driver.read(machine)
    power = driver.feature(Power, machine)  # type: ignore[type-abstract]

    power.off()
    stopped = driver.read(machine)
    power.on()
    starting = driver.read(machine)
    advance(driver, 30)
    after = driver.read(machine)

    assert before is not None
    assert stopped is not None
    assert stopped.status is Status.STOPPED
    assert starting is not None
    assert starting.status is Status.PENDING
    assert after is not None
    assert (after.status, after.addresses) == (Status.READY, before.addresses)


def test_pages_add_up_and_a_foreign_marker_is_refused() -> None:
    driver = drive()
    ids = [make(driver, Kind.KEY, f"k{n}").id for n in range(7)]
    machine = make(driver, Kind.MACHINE, "m")
    listing = driver.feature(Listing, machine)  # type: ignore[type-abstract]

    for size in range(1, 9):
        seen: list[str] = []
        marker = ""
        while True:
            page, marker = listing.page("key", size, marker)
            seen += page
            if not marker:
                break
        assert seen == ids
    with pytest.raises(BadRequest):
        listing.page("key", 3, machine.id)


def test_raw_calls_answer_and_never_raise() -> None:
    driver = drive()
    key = make(driver, Kind.KEY, "k")
    raw = driver.feature(RawCall, key)  # type: ignore[type-abstract]

    assert raw.call("read", {"kind": "key", "id": key.id})["status"] == 200
    answers = [
        raw.call("read", {"kind": "key", "id": "key-ffffffff"}),
        raw.call("read", {"kind": "key", "id": "nonsense"}),
        raw.call("read", {"kind": "key"}),
        raw.call("fly", {}),
        raw.call("list", {"kind": "key", "size": -1}),
        raw.call("create", {"kind": "key", "name": "k", "colour": 1}),
    ]

    assert [a["status"] for a in answers] == [404, 400, 400, 400, 400, 400]
    assert all(a["code"] and a["message"] and a["request_id"] for a in answers)


@pytest.mark.parametrize("defect", ["P1", "P11", "bmc-06"])
def test_a_defect_shows_in_what_the_driver_says(defect: str) -> None:
    def seen(*defects: str) -> list[object]:
        driver = drive(defects=list(defects))
        told: list[object] = []
        for kind in (Kind.VOLUME, Kind.MACHINE):
            handle = make(driver, kind, "x")
            for _ in range(3):
                state = driver.read(handle)
                told.append(None if state is None else (state.facts, state.status))
        told.append(driver.feature(Inventory, handle).read())  # type: ignore[type-abstract]
        return told

    assert seen(defect) != seen()


def test_every_error_is_of_the_closed_set() -> None:
    from provisioner.drivers.fake.refusals import to_platform_error
    from provisioner.drivers.fake.rules import ApiError

    for status in (400, 401, 403, 404, 409, 413, 429, 500, 503):
        error = to_platform_error(ApiError(status, "Some", "text", "req-1"), "p")
        assert type(error) is not PlatformError
        assert error.request_id == "req-1"
