"""The OpenStack driver's own rules, without a cloud: ownership, choices, rules, states."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("openstack", reason="openstacksdk is not installed (extra openstack)")

from provisioner.clock import SystemClock
from provisioner.driver import TAG_NAME, TAG_RUN, TAG_TOKEN, Handle, Owner, Status
from provisioner.drivers.openstack import open_driver
from provisioner.drivers.openstack.address import Addresses
from provisioner.drivers.openstack.asking import USER_DATA_BYTES, Asking, host_name, run_tag
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import Cloud, at, next_marker
from provisioner.drivers.openstack.firewall import Firewalls
from provisioner.drivers.openstack.image import Images
from provisioner.drivers.openstack.machine import Machines, status_of
from provisioner.drivers.openstack.network import Networks
from provisioner.drivers.openstack.owning import (
    belongs,
    check_description,
    check_metadata,
    commented,
    described,
    description,
    key_comment,
    label,
)
from provisioner.drivers.openstack.root import RootVolumes
from provisioner.drivers.openstack.settings import Settings
from provisioner.drivers.openstack.way_in import WayIn
from provisioner.errors import BadRequest, Capacity, PlatformError, Quota, Unsupported
from provisioner.platform import PlatformConfig
from provisioner.resources import (
    FirewallSpec,
    ImageSpec,
    Kind,
    MachineSpec,
    Ref,
    Resource,
    Rule,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


class Double:
    """What handlers see of a cloud: lists as given, calls recorded, versions as told."""

    def __init__(
        self,
        lists: Mapping[str, list[dict[str, Any]]] | None = None,
        *,
        newest: str = "2.96",
        **settings: Any,
    ) -> None:
        self.platform = "cloud"
        self.project = "p"
        self.settings = Settings(**settings)
        self.lists = dict(lists or {})
        self.made: list[tuple[str, str, Any]] = []
        self._newest = tuple(int(part) for part in newest.split("."))

    def speaks(self, service: str, microversion: str) -> bool:
        return self._newest >= tuple(int(part) for part in microversion.split("."))

    def newest(self, service: str, known: str) -> str:
        return ".".join(map(str, min(self._newest, tuple(map(int, known.split("."))))))

    def extensions(self) -> frozenset[str]:
        return frozenset()

    def has(self, service: str) -> bool:
        return service in self.lists

    def each(self, what: str, service: str, path: str, key: str, **more: Any) -> Iterator[Any]:
        yield from self.lists.get(key, ())

    def call(self, what: str, service: str, method: str, path: str, **more: Any) -> Any:
        self.made.append((method, path, more.get("body")))
        return {"security_group": {"id": "g", "security_group_rules": self.lists.get("new", [])}}


def cloud(*given: Any, **more: Any) -> Cloud:
    return cast(Cloud, Double(*given, **more))


# -- ownership -------------------------------------------------------------------------------------


@given(run=TEXT, name=TEXT, token=st.text("0123456789abcdef", min_size=32, max_size=32))
def test_tags_read_back_from_a_description_and_from_a_key(run: str, name: str, token: str) -> None:
    tags = {TAG_RUN: run, TAG_NAME: name, TAG_TOKEN: token}

    assert described({"description": description(tags)}) == tags
    assert commented(f"ssh-ed25519 AAAA {key_comment(tags)}") == tags


@given(text=st.one_of(TEXT, TEXT.map(lambda t: "interop{" + t), TEXT.map(lambda t: "interop:" + t)))
def test_what_anybody_wrote_is_never_taken_for_more_than_texts(text: str) -> None:
    for tags in (described({"description": text}), commented(f"ssh-ed25519 AAAA {text}")):
        assert all(isinstance(v, str) for v in tags.values())


@pytest.mark.parametrize(
    "text", ["", "x", "interop{", 'interop{"r":1}', "interop[]", "interop{}" * 9, "{" * 100_000]
)
def test_another_description_is_nobodys(text: str) -> None:
    assert not belongs(described({"description": text}), Owner())
    assert described({"description": None}) == {}


def want(kind: Kind, name: str = "a", **tags: str) -> Resource:
    return Resource(kind=kind, name=name, spec=ImageSpec(), tags={TAG_RUN: "r", **tags})


@pytest.mark.parametrize("name", ["x" * 200, "ü" * 200])
def test_a_name_too_long_for_a_description_is_refused_before_anything_is_made(name: str) -> None:
    with pytest.raises(BadRequest, match="a description has 255"):
        check_description(want(Kind.NETWORK, name), "cloud")


def test_a_description_has_no_room_for_other_tags() -> None:
    with pytest.raises(BadRequest, match="tag 'colour'"):
        check_description(want(Kind.NETWORK, colour="blue"), "cloud")


@pytest.mark.parametrize("tags", [{"a/b": "x"}, {"": "x"}, {"a": "x" * 256}])
def test_metadata_that_nova_would_refuse_is_refused(tags: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        check_metadata(want(Kind.MACHINE, **tags), "cloud")


def test_a_label_is_the_tokens_and_readable() -> None:
    assert label("t1", "Front 1") == label("t1", "Front 1")
    assert label("t1", "Front 1") != label("t2", "Front 1")
    assert label("t1", "Front 1").startswith("interop-front-1-")
    assert len(label("t", "x" * 500)) <= 63


# -- images and sizes ------------------------------------------------------------------------------


def image(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "visibility": "public", "created_at": "2026-01-01", **more}


IMAGES = [
    image("old", os_distro="debian", os_version="12", created_at="2025-01-01"),
    image("new", os_distro="debian", os_version="12", os_admin_user="root0"),
    image("mine", os_distro="debian", os_version="12", visibility="private", created_at="2027"),
    image("next", os_distro="debian", os_version="13"),
    image("arm", os_distro="debian", os_version="12", architecture="aarch64", created_at="2026-02"),
    image("Ubuntu 24.04"),
    image("copy", os_distro="debian", os_version="12", image_type="snapshot", created_at="2028"),
    image("ramdisk", os_distro="debian", container_format="ari", created_at="2028"),
]
FLAVORS = [
    {"id": "1", "name": "big", "vcpus": 4, "ram": 4096, "disk": 40},
    {"id": "2", "name": "gpu", "vcpus": 1, "ram": 512, "disk": 4, "extra_specs": {"pci": "x"}},
    {"id": "3", "name": "small", "vcpus": 1, "ram": 512, "disk": 4},
    {"id": "4", "name": "bare", "vcpus": 1, "ram": 512, "disk": 0},
    {"id": "5", "name": "off", "vcpus": 1, "ram": 64, "disk": 4, "OS-FLV-DISABLED:disabled": True},
]
LISTS = {"images": IMAGES, "flavors": FLAVORS}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (ImageSpec(os="debian", version="12", arch="amd64"), "new"),
        (ImageSpec(os="debian", version="12", arch="arm64"), "arm"),
        (ImageSpec(os="debian", version="13"), "next"),
        (ImageSpec(os="ubuntu", version="24.04"), "Ubuntu 24.04"),
        (ImageSpec(name="ol?"), "old"),
        (ImageSpec(name="mine"), "mine"),
    ],
)
def test_an_image_is_chosen_by_what_it_is(spec: ImageSpec, expected: str) -> None:
    assert Choice(cloud(LISTS)).image(spec).name == expected


@pytest.mark.parametrize("spec", [ImageSpec(os="debian", version="1"), ImageSpec(arch="vax")])
def test_an_image_nobody_has_is_refused_with_what_is_there(spec: ImageSpec) -> None:
    with pytest.raises(BadRequest, match=r"there are: |known: "):
        Choice(cloud(LISTS)).image(spec)


@pytest.mark.parametrize(
    ("name", "user", "source"),
    [
        ("new", "root0", "api: image property os_admin_user"),
        ("old", "debian", "table: images of debian"),
        ("Ubuntu 24.04", "ubuntu", "table: the image's name begins with ubuntu"),
        ("arm", "pi", "declared: users in platforms.yaml, ar*"),
    ],
)
def test_who_logs_in_is_known_from_the_best_source(name: str, user: str, source: str) -> None:
    chosen = Choice(cloud(LISTS, users={"ar*": "pi"})).image(ImageSpec(name=name))

    assert (chosen.user, chosen.user_source) == (user, source)


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (MachineSpec(), "small"),
        (MachineSpec(disk_gib=4), "small"),
        (MachineSpec(cpu=2), "big"),
        (MachineSpec(disk_gib=20), "big"),
        (MachineSpec(disk_gib=400), "bare"),
    ],
)
def test_the_smallest_plain_size_that_fits_is_chosen(spec: MachineSpec, size: str) -> None:
    choice = Choice(cloud(LISTS))

    assert choice.size(spec, choice.image(ImageSpec(name="new"))).name == size


def asked(newest: str = "2.96", **settings: Any) -> dict[str, Any]:
    """The body for a machine with everything."""
    double = cloud({**LISTS, "volume": []}, newest=newest, **settings)
    asking = Asking(double, Choice(double))
    refs = [Ref(Kind.KEY, "k"), Ref(Kind.NETWORK, "n"), Ref(Kind.FIREWALL, "f")]
    spec = MachineSpec(key=refs[0], network=refs[1], firewalls=(refs[2],), user_data=b"\xff\0x")
    resource = Resource(kind=Kind.MACHINE, name="App 1", spec=spec, tags={TAG_RUN: "r"})
    step = asking.plan(resource).bind(
        {r: Handle(platform="c", kind=r.kind, id=f"id-{r.name}") for r in refs}
    )
    tags = {TAG_RUN: "r", TAG_TOKEN: "t"}
    body: dict[str, Any] = asking.request(step, tags, "")["server"]
    return body


def test_a_machine_is_asked_for_with_everything_in_one_call() -> None:
    body = asked(zone="az", config_drive=True)

    assert base64.b64decode(body["user_data"]) == b"\xff\0x"
    assert body["networks"] == [{"uuid": "id-n"}]
    assert body["security_groups"] == [{"name": "id-f"}]
    assert body["key_name"] == "id-k"
    assert body["metadata"] == {TAG_RUN: "r", TAG_TOKEN: "t"}
    assert run_tag("r") in body["tags"]
    assert (body["name"], body["hostname"]) == ("App 1", "app-1")
    assert (body["availability_zone"], body["config_drive"]) == ("az", True)


@pytest.mark.parametrize(
    ("newest", "without"), [("2.51", ("tags", "hostname")), ("2.89", ("hostname",)), ("2.1", ())]
)
def test_an_older_cloud_is_asked_in_its_own_words(newest: str, without: tuple[str, ...]) -> None:
    body = asked(newest)

    assert not set(without) & set(body)
    assert body["name"] == "app-1"  # the host name is made from it


@pytest.mark.parametrize(("newest", "expected"), [("2.36", None), ("2.37", "auto")])
def test_no_network_is_said_as_the_cloud_wants_to_hear_it(
    newest: str, expected: str | None
) -> None:
    double = cloud(LISTS, newest=newest)
    asking = Asking(double, Choice(double))
    step = asking.plan(Resource(kind=Kind.MACHINE, name="a", spec=MachineSpec()))

    body = asking.request(step, {TAG_TOKEN: "t"}, "")["server"]

    assert body.get("networks") == expected


@pytest.mark.parametrize(
    ("there", "expected"), [(["n1"], [{"uuid": "n1"}]), ([], None), (["n1", "n2"], None)]
)
def test_a_declared_network_serves_machines_that_name_none(
    there: list[str], expected: list[dict[str, str]] | None
) -> None:
    double = cloud({**LISTS, "networks": [{"id": one} for one in there]}, network="lan")
    asking = Asking(double, Choice(double))
    wish = Resource(kind=Kind.MACHINE, name="a", spec=MachineSpec())
    if expected is None:
        with pytest.raises(BadRequest, match=f"{len(there)} networks are called lan"):
            asking.plan(wish)
        return

    body = asking.request(asking.plan(wish), {TAG_TOKEN: "t"}, "")["server"]

    assert body["networks"] == expected


def test_user_data_fills_exactly_what_nova_takes() -> None:
    double = cloud(LISTS)
    asking = Asking(double, Choice(double))

    def plan(size: int) -> Any:
        spec = MachineSpec(user_data=b"x" * size)
        return asking.plan(Resource(kind=Kind.MACHINE, name="a", spec=spec))

    plan(USER_DATA_BYTES)
    assert len(base64.b64encode(b"x" * USER_DATA_BYTES)) <= 65535
    assert len(base64.b64encode(b"x" * (USER_DATA_BYTES + 1))) > 65535
    with pytest.raises(BadRequest):
        plan(USER_DATA_BYTES + 1)


def test_a_disk_that_no_size_has_needs_volumes() -> None:
    double = cloud(LISTS)
    with pytest.raises(Unsupported, match="no volumes"):
        Asking(double, Choice(double)).plan(
            Resource(kind=Kind.MACHINE, name="a", spec=MachineSpec(disk_gib=400))
        )


@given(name=st.text(max_size=80))
def test_a_host_name_is_always_one(name: str) -> None:
    made = host_name(name)

    assert 0 < len(made) <= 63
    assert made.isascii()
    assert made[0] != "-" != made[-1]
    assert all(c.isalnum() or c == "-" for c in made)


@pytest.mark.parametrize(
    ("status", "task", "expected"),
    [
        ("ACTIVE", None, Status.READY),
        ("ACTIVE", "image_uploading", Status.READY),
        ("ACTIVE", "powering-off", Status.PENDING),
        ("SHUTOFF", None, Status.STOPPED),
        ("SHUTOFF", "powering-on", Status.PENDING),
        ("ERROR", None, Status.FAILED),
        ("ERROR", "deleting", Status.DELETING),
        ("BUILD", "spawning", Status.PENDING),
        ("HARD_REBOOT", "reboot_started_hard", Status.PENDING),
        ("NOBODY_KNOWS", None, Status.PENDING),
    ],
)
def test_a_machine_is_ready_only_when_nothing_is_done_to_it(
    status: str, task: str | None, expected: Status
) -> None:
    assert status_of({"status": status, "OS-EXT-STS:task_state": task}) is expected


class NoRoom(Double):
    """A cloud whose machines all end as *fault* says, before they have a port."""

    fault = "No valid host was found. There are not enough hosts available."

    def call(self, what: str, service: str, method: str, path: str, **more: Any) -> Any:
        super().call(what, service, method, path, **more)
        return {"server": {"id": "s"}}

    def one(self, what: str, service: str, path: str, key: str, **more: Any) -> Any:
        return {"id": "s", "status": "ERROR", "fault": {"message": self.fault}}


def built(double: NoRoom, clock: SystemClock) -> Handle:
    nothing = cast(Cloud, double)
    networks = Networks(nothing)
    way_in = WayIn(nothing, networks, Addresses(nothing, networks), clock)
    machines = Machines(nothing, Choice(nothing), way_in, RootVolumes(nothing, clock), clock)
    resource = Resource(kind=Kind.MACHINE, name="a", spec=MachineSpec(), tags={TAG_RUN: "r"})
    return machines.create(machines.plan(resource), "t")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (NoRoom.fault, Capacity),
        ("Exceeded maximum number of retries.", Capacity),
        ("Quota exceeded for cores", Quota),
    ],
)
def test_an_order_that_no_host_takes_is_a_no_and_leaves_nothing(
    fault: str, expected: type[PlatformError]
) -> None:
    double = NoRoom(LISTS, addresses="fixed")
    double.fault = fault

    with pytest.raises(expected, match=re.escape(fault)):
        built(double, SystemClock())

    assert double.made[-1][:2] == ("DELETE", "/servers/s")


def test_a_machine_that_failed_otherwise_is_there_to_be_read() -> None:
    double = NoRoom(LISTS, addresses="fixed")
    double.fault = "the disk broke"

    assert built(double, SystemClock()).id == "s"
    assert [made[0] for made in double.made] == ["POST"]


# -- firewalls -------------------------------------------------------------------------------------


def rule(direction: str, ethertype: str = "IPv4", **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
    )
    return {"id": f"{direction}-{ethertype}", "direction": direction, "ethertype": ethertype,
            **empty, **more}  # fmt: skip


def made_group(new: list[dict[str, Any]], *rules: Rule) -> list[tuple[str, str, Any]]:
    double = Double({"new": new})
    walls = Firewalls(cast(Cloud, double))
    spec = FirewallSpec(rules=rules)
    wish = Resource(kind=Kind.FIREWALL, name="f", spec=spec, tags={TAG_RUN: "r"})
    walls.create(walls.plan(wish), "t")
    return double.made[1:]


USUAL = [rule("egress"), rule("egress", "IPv6")]


def test_a_new_group_as_most_clouds_have_it_is_left_alone() -> None:
    assert made_group(USUAL) == []


def test_a_cloud_whose_new_groups_let_everything_in_is_put_right() -> None:
    made = made_group([*USUAL, rule("ingress"), rule("ingress", "IPv6")])

    assert [m[:2] for m in made] == [
        ("DELETE", "/security-group-rules/ingress-IPv4"),
        ("DELETE", "/security-group-rules/ingress-IPv6"),
    ]


def test_a_cloud_whose_new_groups_let_nothing_out_is_put_right() -> None:
    made = made_group([])

    assert [m[2]["security_group_rule"]["ethertype"] for m in made] == ["IPv4", "IPv6"]
    assert {m[2]["security_group_rule"]["direction"] for m in made} == {"egress"}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            Rule(source="members", protocol="udp", first_port=1, last_port=9),
            {"remote_group_id": "g", "port_range_min": 1, "port_range_max": 9, "protocol": "udp"},
        ),
        (Rule(source="any", protocol="icmp"), {"protocol": "icmp"}),
        (
            Rule(source="any", protocol="tcp", first_port=0, last_port=65535),
            {"protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"},
        ),
        (
            Rule(source="2001:db8::/32", protocol="tcp", first_port=22, last_port=22),
            {"ethertype": "IPv6", "remote_ip_prefix": "2001:db8::/32"},
        ),
    ],
)
def test_a_rule_is_said_in_neutrons_words(wanted: Rule, expected: dict[str, Any]) -> None:
    (made,) = made_group(USUAL, wanted)
    body = made[2]["security_group_rule"]

    assert expected.items() <= body.items()
    assert None not in body.values()
    if wanted.last_port == 65535:
        assert "port_range_min" not in body


@pytest.mark.parametrize(
    "wrong",
    [
        Rule(source="any", protocol="sctp"),
        Rule(source="any", protocol="tcp", first_port=9, last_port=1),
        Rule(source="moon", protocol="tcp", first_port=1, last_port=9),
    ],
)
def test_a_rule_that_means_nothing_is_refused(wrong: Rule) -> None:
    with pytest.raises(BadRequest):
        Firewalls(cloud()).plan(
            Resource(kind=Kind.FIREWALL, name="f", spec=FirewallSpec(rules=(wrong,)))
        )


# -- the wire and the settings ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "marker"),
    [
        ({"servers_links": [{"rel": "next", "href": "http://in/servers?limit=1&marker=b"}]}, "b"),
        ({"servers_links": [{"rel": "previous", "href": "http://in/servers?marker=a"}]}, ""),
        ({"next": "/v2/images?marker=c&limit=2"}, "c"),
        ({}, ""),
        ({"next": None, "servers_links": None}, ""),
    ],
)
def test_the_next_page_is_found_by_its_marker(page: dict[str, Any], marker: str) -> None:
    assert next_marker(page, "servers") == marker


def test_a_path_holds_any_id_as_one_step() -> None:
    assert at("a/../b?c#d", "é") == "/a%2F..%2Fb%3Fc%23d/%C3%A9"


def config(**settings: Any) -> PlatformConfig:
    return PlatformConfig(name="cloud", kind="openstack", settings=settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"password": "x"}, "password: unknown key"),
        ({"config_file": "/nowhere/clouds.yaml"}, "expected a clouds.yaml"),
        ({"harness_address": "here"}, "harness_address"),
        ({"addresses": "some"}, "addresses"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_wrong_setting_is_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told) as caught:
        open_driver(config(**settings))

    assert "\n" not in str(caught.value)


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    file = tmp_path / "clouds.yaml"
    auth = {"auth_url": "http://127.0.0.1:1/v3", "username": "u", "password": "s3cret",
            "project_name": "p"}  # fmt: skip
    file.write_text(json.dumps({"clouds": {"one": {"auth": auth}}}))
    return file


pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


def test_a_cloud_that_is_not_in_the_file_is_a_bad_request(clouds: Path) -> None:
    with pytest.raises(BadRequest, match="other"):
        open_driver(config(cloud="other", config_file=str(clouds)))


def test_with_a_file_of_its_own_the_environment_says_nothing(
    clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("OS_CLOUD", "other")
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:2")

    open_driver(config(cloud="one", config_file=str(clouds))).close()


def test_the_environment_alone_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("AUTH_URL", "http://127.0.0.1:1/v3"), ("USERNAME", "u"),
                        ("PASSWORD", "s3cret"), ("PROJECT_NAME", "p")):  # fmt: skip
        monkeypatch.setenv(f"OS_{name}", value)

    with pytest.raises(PlatformError) as caught:
        list(open_driver(config()).find(Owner(run="x")))

    assert "s3cret" not in str(caught.value)


# -- images ----------------------------------------------------------------------------------------


class Glance(Double):
    """Shows one image as its own document."""

    def call(self, what: str, service: str, method: str, path: str, **more: Any) -> Any:
        super().call(what, service, method, path, **more)
        return self.lists["images"][0] if method == "GET" else {}


@pytest.mark.parametrize(
    ("image", "calls"),
    [
        ({"id": "i", TAG_RUN: "r"}, ["GET", "DELETE"]),
        ({"id": "i", TAG_RUN: "r", "protected": True}, ["GET", "PATCH", "DELETE"]),
        ({"id": "i", "protected": True}, ["GET"]),
    ],
)
def test_only_an_image_of_a_run_is_found_and_deleted(
    image: dict[str, Any], calls: list[str]
) -> None:
    glance = Glance({"images": [image]})
    images = Images(cast(Cloud, glance), Choice(cast(Cloud, glance)))

    found = [handle.id for handle in images.find(Owner(run="r"))]
    others = list(images.find(Owner(run="another")))
    images.delete(Handle(platform="cloud", kind=Kind.IMAGE, id="i"))

    assert found == (["i"] if TAG_RUN in image else [])
    assert others == []
    assert [method for method, _, _ in glance.made] == calls
