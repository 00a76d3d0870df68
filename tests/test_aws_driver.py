"""What the AWS driver does beyond the contract, against moto."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="moto is not installed (extra lab)")

from moto.server import ThreadedMotoServer

from provisioner.driver import TAG_RUN, Handle, Owner, Status
from provisioner.drivers.aws import open_driver
from provisioner.drivers.aws.driver import AwsDriver
from provisioner.errors import (
    BadRequest,
    Conflict,
    NotFound,
    Unauthorized,
    Unsupported,
)
from provisioner.features import (
    Console,
    Listing,
    Metadata,
    Objects,
    Power,
    RawCall,
    Resize,
    Rules,
    Snapshot,
)
from provisioner.hostkeys import host_keys
from provisioner.platform import PlatformConfig
from provisioner.resources import (
    AddressSpec,
    AttachmentSpec,
    BucketSpec,
    FirewallSpec,
    ImageSpec,
    KeySpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Resource,
    Rule,
    Spec,
    VolumeSpec,
)

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJbjmMr2HLvgGr6cHsJZEkN2ovJY5Gq8EvWpSF5Yccz"
SIZES = ["m5.large", "t3.small", "t3.nano", "t2.nano", "c5.large", "a1.medium"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="module")
def files(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("aws")
    (folder / "config").write_text(
        f"[profile lab]\nregion = us-east-1\nendpoint_url = {endpoint}\n"
    )
    (folder / "credentials").write_text(
        "[lab]\naws_access_key_id = AKIDLAB\naws_secret_access_key = lab\n"
    )
    return {
        "aws_profile": "lab",
        "config_file": str(folder / "config"),
        "credentials_file": str(folder / "credentials"),
        "sizes": SIZES,
    }


def opened(files: dict[str, Any], **more: Any) -> AwsDriver:
    return open_driver(PlatformConfig(name="aws", kind="aws", settings={**files, **more}))


@pytest.fixture
def driver(files: dict[str, Any]) -> Iterator[AwsDriver]:
    driver = opened(files)
    yield driver
    driver.close()


class Run:
    """Makes things for one run and removes them in the opposite order."""

    def __init__(self, driver: AwsDriver, name: str) -> None:
        self.driver = driver
        self.owner = Owner(run=name)
        self.handles: dict[Ref, Handle] = {}

    def make(self, kind: Kind, name: str, spec: Spec) -> Handle:
        want = Resource(kind=kind, name=name, spec=spec, tags=self.owner.tags(name))
        step = self.driver.plan(want).bind(self.handles)
        handle = self.driver.create(step, f"{self.owner.run}-{kind}-{name}")
        self.handles[want.ref] = handle
        return handle


@pytest.fixture
def run(driver: AwsDriver, request: pytest.FixtureRequest) -> Iterator[Run]:
    run = Run(driver, request.node.name)
    yield run
    for handle in reversed(list(run.handles.values())):
        driver.delete(handle)
    for handle in list(driver.find(run.owner)):
        driver.delete(handle)
    assert list(driver.find(run.owner)) == []


def machine(name: str, spec: MachineSpec) -> Resource:
    return Resource(kind=Kind.MACHINE, name=name, spec=spec, tags={})


def test_the_session_reads_the_files_named_and_leaves_the_environment_alone(
    driver: AwsDriver, endpoint: str
) -> None:
    before = dict(os.environ)

    list(driver.find(Owner(run="x")))

    assert dict(os.environ) == before
    assert driver._clients.ec2.meta.endpoint_url == endpoint


def test_a_profile_that_is_not_there_is_a_bad_request(files: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="nobody"):
        opened(files, aws_profile="nobody")


def test_no_credentials_are_unauthorized(
    files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # Else the SDK would ask the metadata service of the machine that runs the tests.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "empty").write_text("[lab]\n")
    driver = opened(files, credentials_file=str(tmp_path / "empty"))

    with pytest.raises(Unauthorized):
        list(driver.find(Owner(run="x")))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("regoin", "x", "regoin: unknown key, expected one of aws_profile, config_file"),
        ("sizes", "t3.nano", "sizes: input should be a valid tuple"),
        ("config_file", "/nowhere", "config_file: expected an AWS file, /nowhere is none"),
        ("harness_address", "here", "harness_address: 'here' does not appear to be"),
        ("metadata_tokens", "maybe", "metadata_tokens: input should be '', 'optional' or"),
    ],
)
def test_a_wrong_setting_names_the_key(
    files: dict[str, Any], key: str, value: str, said: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        opened(files, **{key: value})

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "expected"),
    [(1, 512, "t2.nano"), (2, 512, "t3.nano"), (2, 2048, "t3.small"), (2, 4096, "c5.large")],
)
def test_the_smallest_size_that_fits_is_chosen(
    driver: AwsDriver, cpu: int, memory_mib: int, expected: str
) -> None:
    step = driver.plan(machine("a", MachineSpec(cpu=cpu, memory_mib=memory_mib)))

    assert step.body["size"] == expected


def test_a_size_no_type_has_names_the_largest(driver: AwsDriver) -> None:
    with pytest.raises(BadRequest, match=r"the largest is m5.large: cpu 2, 8192 MiB"):
        driver.plan(machine("a", MachineSpec(cpu=64)))


def test_the_same_image_is_chosen_by_every_driver(files: dict[str, Any]) -> None:
    wish = machine("a", MachineSpec(image=ImageSpec(os="ubuntu", version="16.04")))

    chosen = {opened(files).plan(wish).body["image"] for _ in range(3)}

    assert len(chosen) == 1


def test_the_log_in_user_says_where_it_is_known_from(files: dict[str, Any]) -> None:
    wish = Resource(kind=Kind.IMAGE, name="i", spec=ImageSpec(os="ubuntu"), tags={})
    known, declared = opened(files), opened(files, users={"ubuntu/*": "alice"})

    told = [d.read(d.create(d.plan(wish), "t")) for d in (known, declared)]

    assert [state.facts["user"] for state in told if state] == ["ubuntu", "alice"]
    assert [str(state.facts["user_source"]).split(":")[0] for state in told if state] == [
        "table",
        "declared",
    ]


def test_user_data_over_the_limit_is_refused_before_anything_is_made(driver: AwsDriver) -> None:
    driver.plan(machine("a", MachineSpec(user_data=b"x" * 16384)))

    with pytest.raises(BadRequest, match="user data of 16385 bytes, at most 16384"):
        driver.plan(machine("a", MachineSpec(user_data=b"x" * 16385)))


def test_user_data_is_not_in_the_plan(driver: AwsDriver) -> None:
    step = driver.plan(machine("a", MachineSpec(user_data=b"token-of-the-run")))

    assert "token-of-the-run" not in str(step.body)


def test_an_interrupted_network_is_continued_not_made_twice(driver: AwsDriver, run: Run) -> None:
    want = Resource(
        kind=Kind.NETWORK, name="n", spec=NetworkSpec(cidr="10.93.0.0/24"), tags=run.owner.tags("n")
    )
    tags = [{"Key": k, "Value": v} for k, v in run.owner.tags("n", "token-n").items()]
    half = driver._clients.ec2.create_vpc(
        CidrBlock="10.93.0.0/24",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}],
    )["Vpc"]["VpcId"]
    handle = replace(next(driver.find(run.owner)), extra={})
    before = driver.read(handle)

    made = driver.create(driver.plan(want), "token-n")

    assert (handle.id, made.id) == (half, half)
    assert before is not None
    assert before.status is Status.PENDING
    after = driver.read(made)
    assert after is not None
    assert after.status is Status.READY


def test_a_gateway_left_alone_is_found_and_removed(driver: AwsDriver, run: Run) -> None:
    tags = [{"Key": TAG_RUN, "Value": str(run.owner.run)}]
    spec = [{"ResourceType": "internet-gateway", "Tags": tags}]
    driver._clients.ec2.create_internet_gateway(TagSpecifications=spec)

    (found,) = driver.find(run.owner)

    assert found.id.startswith("igw-")
    driver.delete(found)
    assert driver.read(found) is None


def test_rules_become_what_the_api_takes(files: dict[str, Any]) -> None:
    driver = opened(files, harness_address="192.0.2.7")
    rules = (
        Rule(source="members", protocol="tcp", first_port=1, last_port=65535),
        Rule(source="harness", protocol="tcp", first_port=22, last_port=22),
        Rule(source="2001:db8::/32", protocol="udp", first_port=53, last_port=53),
        Rule(source="any", protocol="icmp"),
    )
    run = Run(driver, "rules")
    network = run.make(Kind.NETWORK, "n", NetworkSpec())
    group = run.make(Kind.FIREWALL, "f", FirewallSpec(rules=rules, network=Ref(Kind.NETWORK, "n")))

    state = driver.read(group)
    assert state is not None
    seen = {
        (
            p["IpProtocol"],
            p.get("FromPort"),
            *[r["CidrIp"] for r in p["IpRanges"]],
            *[r["CidrIpv6"] for r in p["Ipv6Ranges"]],
            *[g["GroupId"] for g in p["UserIdGroupPairs"]],
        )
        for p in state.raw["IpPermissions"]
    }

    assert seen == {
        ("tcp", 1, group.id),
        ("tcp", 22, "192.0.2.7/32"),
        ("udp", 53, "2001:db8::/32"),
        ("icmp", -1, "0.0.0.0/0"),
    }
    driver.delete(group)
    driver.delete(network)


def test_an_unknown_harness_address_is_said_in_the_plan(driver: AwsDriver) -> None:
    rule = Rule(source="harness", protocol="tcp", first_port=22, last_port=22)
    wish = Resource(kind=Kind.FIREWALL, name="f", spec=FirewallSpec(rules=(rule,)), tags={})

    assert "let anybody in" in driver.plan(wish).notes[0]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(source="any", protocol="sctp"),
        Rule(source="any", protocol="tcp", first_port=9, last_port=8),
        Rule(source="any", protocol="tcp", first_port=1, last_port=65536),
        Rule(source="the-office", protocol="tcp", first_port=1, last_port=1),
    ],
)
def test_a_rule_that_cannot_be_is_a_bad_request(driver: AwsDriver, rule: Rule) -> None:
    wish = Resource(kind=Kind.FIREWALL, name="f", spec=FirewallSpec(rules=(rule,)), tags={})

    with pytest.raises(BadRequest):
        driver.plan(wish)


def test_volumes_attached_at_the_same_time_get_different_names(run: Run) -> None:
    run.make(Kind.MACHINE, "m", MachineSpec())
    where = Ref(Kind.MACHINE, "m")
    for n in range(5):
        run.make(Kind.VOLUME, f"v{n}", VolumeSpec(size_gib=1, machine=where))

    def attach(n: int) -> str:
        spec = AttachmentSpec(machine=where, what=Ref(Kind.VOLUME, f"v{n}"))
        state = run.driver.read(run.make(Kind.ATTACHMENT, f"a{n}", spec))
        assert state is not None
        return str(state.facts["device"])

    with ThreadPoolExecutor(5) as pool:
        devices = list(pool.map(attach, range(5)))

    assert len(set(devices)) == 5


def test_a_machines_own_disk_is_found_only_when_it_outlives_the_machine(run: Run) -> None:
    handle = run.make(Kind.MACHINE, "m", MachineSpec())
    state = run.driver.read(handle)
    assert state is not None
    (disk,) = state.facts["devices"].values()

    assert [h.kind for h in run.driver.find(run.owner)] == [Kind.MACHINE]

    run.driver._clients.ec2.stop_instances(InstanceIds=[handle.id])
    run.driver._clients.ec2.detach_volume(VolumeId=disk, InstanceId=handle.id)
    assert sorted(h.id for h in run.driver.find(run.owner)) == sorted([handle.id, disk])


def test_a_bucket_that_never_got_its_tags_is_found_by_its_name(run: Run) -> None:
    bucket = run.make(Kind.BUCKET, "b", BucketSpec())
    run.driver._clients.s3.delete_bucket_tagging(Bucket=bucket.id)

    assert [h.id for h in run.driver.find(run.owner)] == [bucket.id]
    assert list(run.driver.find(Owner(run="another"))) == []


def test_deleting_a_bucket_removes_every_version_in_it(run: Run) -> None:
    bucket = run.make(Kind.BUCKET, "b", BucketSpec())
    run.driver._clients.s3.put_bucket_versioning(
        Bucket=bucket.id, VersioningConfiguration={"Status": "Enabled"}
    )
    objects = run.driver.feature(Objects, bucket)  # type: ignore[type-abstract]
    for text in (b"one", b"two"):
        objects.put("key", text)
    objects.delete("key")

    run.driver.delete(bucket)

    assert run.driver.read(bucket) is None


def test_keys_of_a_bucket_are_complete_page_by_page(run: Run) -> None:
    bucket = run.make(Kind.BUCKET, "b", BucketSpec())
    objects = run.driver.feature(Objects, bucket)  # type: ignore[type-abstract]
    names = [f"k{n}/ü" for n in range(7)]
    for name in names:
        objects.put(name, b"x")

    assert [list(objects.keys(size)) for size in (0, 1, 3, 7)] == [names] * 4
    with pytest.raises(NotFound, match="NoSuchKey"):
        objects.get("nothing")


def test_power_console_size_and_snapshot(run: Run) -> None:
    handle = run.make(Kind.MACHINE, "m", MachineSpec())
    volume = run.make(Kind.VOLUME, "v", VolumeSpec(size_gib=1))
    power = run.driver.feature(Power, handle)  # type: ignore[type-abstract]

    power.cycle()
    assert power.status() == "on"
    power.soft_off()
    assert power.status() == "off"
    run.driver.feature(Resize, handle).to("t3.small")  # type: ignore[type-abstract]
    state = run.driver.read(handle)
    assert state is not None
    assert (state.status, state.facts["size"]) == (Status.STOPPED, "t3.small")
    assert state.access is None
    assert run.driver.feature(Console, handle).read()  # type: ignore[type-abstract]
    copy = run.driver.feature(Snapshot, volume).create("s")  # type: ignore[type-abstract]
    assert copy in [h.id for h in run.driver.find(run.owner)]


def test_power_of_a_machine_that_is_gone_is_not_found(run: Run) -> None:
    handle = run.make(Kind.MACHINE, "m", MachineSpec())
    run.driver.delete(handle)

    with pytest.raises(NotFound):
        run.driver.feature(Power, handle).status()  # type: ignore[type-abstract]


def test_tags_of_keys_can_be_changed_too(run: Run) -> None:
    key = run.make(Kind.KEY, "k", KeySpec(public_key=PUBLIC_KEY))

    run.driver.feature(Metadata, key).update_tags({"colour": "blue"})  # type: ignore[type-abstract]

    state = run.driver.read(key)
    assert state is not None
    assert state.tags["colour"] == "blue"


def test_a_raw_call_hides_nothing(run: Run) -> None:
    handle = run.make(Kind.VOLUME, "v", VolumeSpec(size_gib=1))
    raw = run.driver.feature(RawCall, handle)  # type: ignore[type-abstract]

    good = raw.call("DescribeVolumes", {"VolumeIds": [handle.id]})
    missing = raw.call("DescribeVolumes", {"VolumeIds": ["vol-0123456789abcdef0"]})
    elsewhere = raw.call("s3:HeadBucket", {"Bucket": "interop-nothing-here"})

    assert (good["status"], good["code"]) == (200, "")
    assert good["body"]["Volumes"][0]["VolumeId"] == handle.id
    assert (missing["status"], missing["code"]) == (400, "InvalidVolume.NotFound")
    assert missing["request_id"]
    assert elsewhere["status"] == 404


def test_an_answer_that_is_not_the_apis_keeps_its_status(run: Run) -> None:
    raw = run.driver.feature(RawCall, run.make(Kind.VOLUME, "v", VolumeSpec(size_gib=1)))  # type: ignore[type-abstract]

    # moto ends in an internal error where AWS answers InvalidAction and InvalidParameterValue.
    unknown = raw.call("NoSuchAction", {})
    malformed = raw.call("RunInstances", {"MinCount": "x"})

    assert (unknown["status"], malformed["status"]) == (500, 500)
    assert "Internal Server Error" in unknown["body"]
    assert "Internal Server Error" in malformed["body"]


def test_lists_go_page_by_page_and_filter_by_tag(run: Run) -> None:
    machines = {run.make(Kind.MACHINE, f"m{n}", MachineSpec()).id for n in range(7)}
    listing = run.driver.feature(Listing, next(iter(run.handles.values())))  # type: ignore[type-abstract]
    ours = {TAG_RUN: str(run.owner.run)}

    first, marker = listing.page("machine", 5, filters=ours)
    second, last = listing.page("machine", 5, marker, filters=ours)

    assert (len(first), len(second), last) == (5, 2, "")
    assert {*first, *second} == machines
    with pytest.raises(Unsupported, match="in one piece"):
        listing.page("address", 5)


def test_a_step_without_what_it_needs_makes_nothing(driver: AwsDriver) -> None:
    owner = Owner(run="unbound")
    spec = MachineSpec(key=Ref(Kind.KEY, "k"))
    want = Resource(kind=Kind.MACHINE, name="m", spec=spec, tags=owner.tags("m"))

    with pytest.raises(BadRequest, match="key/k must exist first"):
        driver.create(driver.plan(want), "t")
    assert list(driver.find(owner)) == []


def test_an_address_in_use_elsewhere_is_a_conflict_and_the_same_again_is_none(run: Run) -> None:
    for name in ("m1", "m2"):
        run.make(Kind.MACHINE, name, MachineSpec())
    run.make(Kind.ADDRESS, "a", AddressSpec())
    first, second = (
        AttachmentSpec(machine=Ref(Kind.MACHINE, name), what=Ref(Kind.ADDRESS, "a"))
        for name in ("m1", "m2")
    )

    assert run.make(Kind.ATTACHMENT, "j", first) == run.make(Kind.ATTACHMENT, "j", first)
    with pytest.raises(Conflict, match="AlreadyAssociated"):
        run.make(Kind.ATTACHMENT, "k", second)


CONSOLE = """\
[    1.2] Booting
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 AAAAold root@a
-----END SSH HOST KEY KEYS-----
[    9.9] rebooted
ci-info: ssh-rsa AAAAnot-a-host-key
-----BEGIN SSH HOST KEY KEYS-----
ecdsa-sha2-nistp256 AAAAE2VjZHNh= root@ip-10-0-0-1
ssh-ed25519 AAAAC3Nz root@ip-10-0-0-1
-----END SSH HOST KEY KEYS-----
login:
"""


def test_host_keys_are_those_of_the_last_boot() -> None:
    assert host_keys(CONSOLE) == ("ecdsa-sha2-nistp256 AAAAE2VjZHNh=", "ssh-ed25519 AAAAC3Nz")
    assert host_keys(CONSOLE.replace("KEYS-----", "KEYS")) == ()


def test_rules_of_a_group_are_added_and_taken_away_once(run: Run) -> None:
    group = run.make(Kind.FIREWALL, "wall", FirewallSpec())
    rules = run.driver.feature(Rules, group)  # type: ignore[type-abstract]
    rule = Rule(source="any", protocol="tcp", first_port=22, last_port=22)

    told = []
    for change in (rules.allow, rules.allow, rules.revoke, rules.revoke):
        change(rule)
        state = run.driver.read(group)
        assert state is not None
        told.append(state.facts["rules"])

    assert told == [1, 1, 0, 0]
