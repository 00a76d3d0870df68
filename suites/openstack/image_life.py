"""Image: what becomes of an image, who may have it, and what it asks of a server.

Source: OpenStack Image API v2 (image data, import, sharing, image actions) and Compute API.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from suites.claims import claim, same
from suites.openstack.image import new_image
from suites.openstack.wire import Wire
from suites.seams import NotApplicable, Observe, Patience, Subject
from suites.waits import until

DIRECT = "glance-direct"
BINARY = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
STRANGER = "0123456789abcdef0123456789abcdef"  # a project that is not there
RAM_MIB = 1 << 24  # more than any server has


def patch(wire: Wire, image: str, name: str, value: object) -> dict[str, Any]:
    """The image after one of its properties was replaced."""
    changes = [{"op": "replace", "path": f"/{name}", "value": value}]
    answer: dict[str, Any] = wire.given(
        200, f"{name} of the image", f"image PATCH /images/{image}", body=changes, headers=PATCH
    )
    return answer


@pytest.fixture
def queued(wire: Wire, subject: Subject) -> Iterator[str]:
    """A new image without data; gone at the end."""
    made = wire.given(201, "a new image", "image POST /images", body=new_image(subject))
    yield made["id"]
    wire(f"image DELETE /images/{made['id']}")


@pytest.fixture
def active(wire: Wire, queued: str) -> str:
    """The same, with a few bytes in it."""
    put = wire(f"image PUT /images/{queued}/file", text="interop" * 64, headers=BINARY)
    same("upload", expected=204, actual=put.status)
    return queued


@pytest.mark.check("os-image-05", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_image_is_filled_once(wire: Wire, queued: str) -> None:
    """An image is queued and has no data, then active, and then takes no other data any more."""
    path = f"/images/{queued}"
    empty = wire(f"image GET {path}/file")
    claim(empty.status in (204, 404), "no data", expected="204 or 404", actual=empty.status)
    for status, answered in (("queued", 204), ("active", 409)):
        shown = wire.given(200, "the image", f"image GET {path}")
        same("status", expected=status, actual=shown["status"])
        put = wire(f"image PUT {path}/file", text="interop" * 64, headers=BINARY)
        same(f"upload to an image that is {status}", expected=answered, actual=put.status)
    wire.refused(404, "an image that is none", f"image PUT /images/{STRANGER}/file", text="x",
                 headers=BINARY)  # fmt: skip


@pytest.mark.check("os-image-06", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_ways_of_import_are_told(
    wire: Wire, queued: str, observe: Observe, not_applicable: NotApplicable
) -> None:
    """The service tells by which ways images are imported, and refuses every other with 400."""
    told = wire("image GET /info/import")
    if told.status == 404:
        not_applicable("the image service speaks no version with imports")
    same("ways of import", expected=200, actual=told.status)
    methods = told.body["import-methods"]["value"]
    observe("import-methods", sorted(methods), source="api")
    body = {"method": {"name": "interop-no-such-way"}}
    wire.refused(400, "a way that is none", f"image POST /images/{queued}/import", body=body)
    shown = wire.given(200, "the image", f"image GET /images/{queued}")
    same("status", expected="queued", actual=shown["status"])


@pytest.mark.check("os-image-11", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_image_is_imported(
    wire: Wire, queued: str, patience: Patience, not_applicable: NotApplicable
) -> None:
    """Data that is staged becomes the image's when it is imported, and is its own digest's."""
    told = wire("image GET /info/import")
    if told.status != 200 or DIRECT not in told.body["import-methods"]["value"]:
        not_applicable(f"the image service does not offer {DIRECT}")
    path, text = f"/images/{queued}", secrets.token_hex(64)
    staged = wire(f"image PUT {path}/stage", text=text, headers=BINARY)
    same("staging", expected=204, actual=staged.status)
    shown = wire.given(200, "the image", f"image GET {path}")
    same("status once staged", expected="uploading", actual=shown["status"])
    body = {"method": {"name": DIRECT}}
    same("importing", expected=202, actual=wire(f"image POST {path}/import", body=body).status)
    shown = until(
        lambda: wire.given(200, "the image", f"image GET {path}"),
        lambda now: now["status"] not in ("uploading", "importing", "saving"),
        patience("attach"),
    )
    same("status once imported", expected="active", actual=shown["status"])
    same("its bytes", expected=len(text), actual=shown["size"])
    digest = hashlib.new(shown["os_hash_algo"], text.encode()).hexdigest()
    same("its digest", expected=digest, actual=shown["os_hash_value"])


@pytest.mark.check("os-image-07", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_image_is_accepted_by_whom_it_is_for(wire: Wire, queued: str) -> None:
    """Sharing an image is an offer that its owner cannot accept; a private one is not offered."""
    patch(wire, queued, "visibility", "shared")
    path = f"/images/{queued}/members"
    offer = wire.given(200, "an offer", f"image POST {path}", body={"member": STRANGER})
    same("status of the offer", expected="pending", actual=offer["status"])
    accepted = {"status": "accepted"}
    answer = f"image PUT {path}/{STRANGER}"
    wire.refused(403, "an offer accepted by who makes it", answer, body=accepted)
    wire.refused(409, "the same offer again", f"image POST {path}", body={"member": STRANGER})
    gone = wire(f"image DELETE {path}/{STRANGER}")
    same("taking it back", expected=204, actual=gone.status)
    wire.refused(404, "an offer taken back", f"image GET {path}/{STRANGER}")
    patch(wire, queued, "visibility", "private")
    operation = f"image POST {path}"
    wire.refused(403, "a private image offered", operation, body={"member": STRANGER})


@pytest.mark.check("os-image-08", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_deactivated_image_gives_nothing(
    wire: Wire, active: str, not_applicable: NotApplicable
) -> None:
    """A deactivated image is told as that and cannot be downloaded until it is active again."""
    path = f"/images/{active}"
    done = wire(f"image POST {path}/actions/deactivate")
    if done.status == 403:
        not_applicable("deactivating an image is left to administrators here")
    same("deactivating", expected=204, actual=done.status)
    shown = wire.given(200, "the image", f"image GET {path}")
    same("status", expected="deactivated", actual=shown["status"])
    wire.refused(403, "download of a deactivated image", f"image GET {path}/file")
    again = wire(f"image POST {path}/actions/reactivate")
    same("reactivating", expected=204, actual=again.status)
    wire.given(200, "download", f"image GET {path}/file")


@pytest.mark.check("os-image-09", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_image_gets_the_server_it_needs(wire: Wire, active: str, subject: Subject) -> None:
    """A server smaller than its image asks for is refused with 400, and none is left."""
    name = f"interop-too-small-{secrets.token_hex(4)}"
    server = {
        "name": name,
        "imageRef": active,
        "flavorRef": subject.description.sizes[0].id,
        "networks": "none",
    }
    for what in ("min_ram", "min_disk"):
        patch(wire, active, what, RAM_MIB)
        wire.refused(
            400,
            f"a server with less than {what}",
            "compute POST /servers",
            body={"server": server},
            microversion="2.37",
        )
        patch(wire, active, what, 0)
    left = wire.given(200, "servers", "compute GET /servers", query={"name": name})
    same("servers that are left", expected=0, actual=len(left["servers"]))
