"""Volume: what a volume grows to, what hangs on it, and who may have it.

Source: OpenStack Block Storage API v3 (volume actions, snapshots, metadata, transfers) and Compute
API (volume attachments).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from provisioner.driver import Handle
from provisioner.features import Snapshot
from provisioner.resources import Kind, VolumeSpec
from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Bench, NotApplicable, Observe, Patience, Subject
from suites.waits import until

RESTING = ("available", "in-use", "error")
WORD_CHARS = 255


@pytest.fixture
def volume(bench: Bench) -> Iterator[Handle]:
    """A new volume of 1 GiB; gone at the end."""
    handle = bench.create(Kind.VOLUME, f"os-{secrets.token_hex(3)}", VolumeSpec(size_gib=1))
    yield handle
    bench.remove(handle)


def at_rest(wire: Wire, identity: str, patience: Patience) -> dict[str, Any]:
    """The volume once nothing is being done with it any more."""

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = wire.given(200, "the volume", f"volume GET /volumes/{identity}")
        inner: dict[str, Any] = found["volume"]
        return inner

    return until(shown, lambda volume: volume["status"] in RESTING, patience("attach"))


@contextlib.contextmanager
def copied(
    wire: Wire, subject: Subject, patience: Patience, **source: object
) -> Iterator[dict[str, Any]]:
    """A volume made of another or of a snapshot, at rest; gone at the end."""
    name = f"os-{secrets.token_hex(3)}"
    body = {"volume": {"name": name, "metadata": dict(subject.owner.tags(name)), **source}}
    made = wire.given(202, "a copy", "volume POST /volumes", body=body)["volume"]
    try:
        yield at_rest(wire, made["id"], patience)
    finally:
        wire(f"volume DELETE /volumes/{made['id']}")
        path = f"volume GET /volumes/{made['id']}"
        until(lambda: wire(path).status, lambda status: status == 404, patience("delete"))


@pytest.mark.check("os-volume-04", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_volume_grows(wire: Wire, volume: Handle, patience: Patience) -> None:
    """A volume that is extended has its new size once it is available again."""
    body = {"os-extend": {"new_size": 3}}
    asked = wire(f"volume POST /volumes/{volume.id}/action", body=body)
    same("extending it to 3 GiB", expected=202, actual=asked.status)
    shown = at_rest(wire, volume.id, patience)
    same("status", expected="available", actual=shown["status"])
    same("size", expected=3, actual=shown["size"])


@pytest.mark.check("os-volume-11", needs=("openstack-api", "volume", "attachment"))
@pytest.mark.cost("own")
def test_a_volume_grows_while_it_is_used(
    wire: Wire, server: Handle, volume: Handle, patience: Patience, not_applicable: NotApplicable
) -> None:
    """An attached volume that is extended has its new size, stays attached, and errs nowhere."""
    path = f"/servers/{server.id}/os-volume_attachments"
    body: dict[str, Any] = {"volumeAttachment": {"volumeId": volume.id}}
    wire.given(200, "attaching it", f"compute POST {path}", body=body)
    try:
        same("status", expected="in-use", actual=at_rest(wire, volume.id, patience)["status"])
        body = {"os-extend": {"new_size": 2}}
        operation = f"volume POST /volumes/{volume.id}/action"
        asked = wire(operation, body=body, microversion="3.42")
        if asked.status == 406:
            not_applicable("volumes in use grow from microversion 3.42 on, which is not spoken")
        same("extending it to 2 GiB", expected=202, actual=asked.status)
        shown = at_rest(wire, volume.id, patience)
        same("status", expected="in-use", actual=shown["status"])
        same("size", expected=2, actual=shown["size"])
        actions = f"compute GET /servers/{server.id}/os-instance-actions"
        done = until(
            lambda: wire.given(200, "actions", actions, microversion="2.51")["instanceActions"],
            lambda told: any(one["action"] == "extend_volume" for one in told),
            patience("attach"),
        )
        ours = [one for one in done if one["action"] == "extend_volume"]
        same("times that the server was told", expected=1, actual=len(ours))
        same("what went wrong there", expected=None, actual=ours[0]["message"])
    finally:
        wire(f"compute DELETE {path}/{volume.id}")
        until(
            lambda: at_rest(wire, volume.id, patience),
            lambda found: found["status"] != "in-use",
            patience("attach"),
        )


@pytest.mark.check("os-volume-05", needs=("openstack-api", "volume", "snapshot"))
@pytest.mark.cost("api")
def test_a_volume_with_snapshots_stays(
    wire: Wire, subject: Subject, volume: Handle, patience: Patience
) -> None:
    """A volume with a snapshot is not deleted, and the snapshot becomes a volume of its size."""
    copy = subject.driver.feature(Snapshot, volume)  # type: ignore[type-abstract]
    snapshot = replace(volume, id=copy.create(f"os-{secrets.token_hex(3)}"))
    identity = snapshot.id.partition(":")[2]
    path = f"volume GET /snapshots/{identity}"
    try:
        shown = until(
            lambda: wire.given(200, "the snapshot", path)["snapshot"],
            lambda found: found["status"] in RESTING,
            patience("attach"),
        )
        same("status of the snapshot", expected="available", actual=shown["status"])
        wire.refused((400, 409), "delete under a snapshot", f"volume DELETE /volumes/{volume.id}")
        with copied(wire, subject, patience, snapshot_id=identity) as made:
            same("status", expected="available", actual=made["status"])
            same("size", expected=1, actual=made["size"])
            same("what it is made of", expected=identity, actual=made["snapshot_id"])
    finally:
        subject.driver.delete(snapshot)
        until(lambda: wire(path).status, lambda status: status == 404, patience("delete"))


@pytest.mark.check("os-volume-06", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_clone_is_no_smaller(
    wire: Wire, subject: Subject, bench: Bench, patience: Patience
) -> None:
    """A clone is as large as its source or larger; smaller ones are refused, and none is left."""
    name = f"os-{secrets.token_hex(3)}"
    source = bench.create(Kind.VOLUME, name, VolumeSpec(size_gib=2))
    try:
        operation, refused = "volume POST /volumes", f"interop-refused-{secrets.token_hex(4)}"
        small = {"volume": {"name": refused, "source_volid": source.id, "size": 1}}
        wire.refused(400, "a clone of 1 GiB of a volume of 2", operation, body=small)
        found = wire.given(200, "volumes", "volume GET /volumes", query={"name": refused})
        same("volumes that are left", expected=0, actual=len(found["volumes"]))
        with copied(wire, subject, patience, source_volid=source.id, size=3) as made:
            same("status", expected="available", actual=made["status"])
            same("size", expected=3, actual=made["size"])
            same("what it is made of", expected=source.id, actual=made["source_volid"])
    finally:
        bench.remove(source)


@pytest.mark.check("os-volume-07", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_type_that_is_none_is_refused(wire: Wire) -> None:
    """A volume of a type that does not exist is refused with 4xx, and none is left."""
    name = f"interop-refused-{secrets.token_hex(4)}"
    body = {"volume": {"name": name, "size": 1, "volume_type": "interop-no-such-type"}}
    wire.refused((400, 404), "a volume of no such type", "volume POST /volumes", body=body)
    found = wire.given(200, "volumes", "volume GET /volumes", query={"name": name})
    same("volumes that are left", expected=0, actual=len(found["volumes"]))


@pytest.mark.check("os-volume-08", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_volume_keeps_what_is_said_of_it(wire: Wire, volume: Handle) -> None:
    """Metadata of 255 characters and the bootable flag read back; longer metadata is refused."""
    path = f"/volumes/{volume.id}"
    key, value = "k" * WORD_CHARS, "ü" * WORD_CHARS
    body = {"metadata": {key: value}}
    same("the longest", expected=200, actual=wire(f"volume POST {path}/metadata", body=body).status)
    for wrong in ({key + "k": "v"}, {"k": value + "v"}):
        body = {"metadata": wrong}
        wire.refused((400, 413), "longer metadata", f"volume POST {path}/metadata", body=body)
    for flag in (True, False):
        action = {"os-set_bootable": {"bootable": flag}}
        done = wire(f"volume POST {path}/action", body=action)
        same("setting bootable", expected=200, actual=done.status)
        shown = wire.given(200, "the volume", f"volume GET {path}")["volume"]
        same("bootable as told", expected=str(flag).lower(), actual=shown["bootable"])
    same("the metadata", expected=value, actual=shown["metadata"].get(key))
    gone = wire(f"volume DELETE {path}/metadata/{key}")
    same("deleting it", expected=200, actual=gone.status)


@pytest.mark.check("os-volume-09", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_transfer_has_a_key(wire: Wire, volume: Handle, patience: Patience) -> None:
    """A volume on offer is not deleted, and taken by nobody who has not the key of the offer."""
    body = {"transfer": {"volume_id": volume.id}}
    offer = wire.given(202, "an offer", "volume POST /os-volume-transfer", body=body)["transfer"]
    path = f"/os-volume-transfer/{offer['id']}"
    try:
        shown = wire.given(200, "the volume", f"volume GET /volumes/{volume.id}")["volume"]
        same("status", expected="awaiting-transfer", actual=shown["status"])
        wrong = {"accept": {"auth_key": secrets.token_hex(8)}}
        wire.refused((400, 403), "a made-up key", f"volume POST {path}/accept", body=wrong)
        told = wire.given(200, "the offer", f"volume GET {path}")["transfer"]
        claim("auth_key" not in told, "the key", expected="told once", actual="told again")
        operation = f"volume DELETE /volumes/{volume.id}"
        wire.refused((400, 409), "delete of a volume on offer", operation)
    finally:
        wire(f"volume DELETE {path}")
    same("status", expected="available", actual=at_rest(wire, volume.id, patience)["status"])


@pytest.mark.check("os-volume-10", needs=("openstack-api", "volume", "attachment"))
@pytest.mark.cost("own")
def test_an_attached_volume_stays(
    wire: Wire, server: Handle, volume: Handle, patience: Patience, observe: Observe
) -> None:
    """A volume in use is not deleted nor attached twice, and is available after it is detached."""
    path = f"compute POST /servers/{server.id}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": volume.id, "device": "/dev/vdf"}}
    made = wire.given(200, "attaching it", path, body=body)["volumeAttachment"]
    observe("device-hint-kept", made.get("device") == "/dev/vdf", source="api")
    try:
        shown = at_rest(wire, volume.id, patience)
        same("status", expected="in-use", actual=shown["status"])
        same("where", expected=[server.id], actual=[a["server_id"] for a in shown["attachments"]])
        wire.refused((400, 409), "attaching it twice", path, body=body)
        operation = f"volume DELETE /volumes/{volume.id}"
        wire.refused((400, 409), "delete of a volume in use", operation)
    finally:
        done = wire(f"compute DELETE /servers/{server.id}/os-volume_attachments/{volume.id}")
    same("detaching it", expected=202, actual=done.status)
    shown = until(
        lambda: at_rest(wire, volume.id, patience),
        lambda found: found["status"] != "in-use",
        patience("attach"),
    )
    same("status", expected="available", actual=shown["status"])
