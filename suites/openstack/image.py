"""Image: what is uploaded is what is downloaded, byte for byte and property for property.

Source: OpenStack Image API v2 (images, image data).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.api.resources import generated
from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Observe, Subject

CONTENT = bytes(range(256)).decode("latin-1") * 16
EXAMPLES = 10
BINARY = {"Content-Type": "application/octet-stream"}


def new_image(subject: Subject, **more: str) -> dict[str, str]:
    """What a new image is made of; its properties say whose it is, should the check be cut off."""
    name = f"interop-os-{secrets.token_hex(4)}"
    formats = {"disk_format": "raw", "container_format": "bare"}
    return {"name": name, **formats, **subject.owner.tags(name), **more}


@pytest.fixture
def image(wire: Wire, subject: Subject) -> Iterator[str]:
    """A new image without data; gone at the end."""
    made = wire.given(201, "a new image", "image POST /images", body=new_image(subject))
    same("status of a new image", expected="queued", actual=made["status"])
    yield made["id"]
    unlock = [{"op": "replace", "path": "/protected", "value": False}]
    patched(wire, made["id"], unlock)
    wire(f"image DELETE /images/{made['id']}")


def patched(wire: Wire, identity: str, changes: list[dict[str, object]]) -> int:
    """The status of a change by JSON patch, as the image service has it."""
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    return wire(f"image PATCH /images/{identity}", body=changes, headers=kind).status


@pytest.mark.check("os-image-01", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_an_image_is_what_was_uploaded(wire: Wire, image: str, observe: Observe) -> None:
    """Data that is uploaded gets its true digest, and is downloaded as it was."""
    data = CONTENT.encode("ascii", errors="replace").decode()
    put = wire(f"image PUT /images/{image}/file", text=data, headers=BINARY)
    same("upload", expected=204, actual=put.status)
    shown = wire.given(200, "the image", f"image GET /images/{image}")
    same("status", expected="active", actual=shown["status"])
    same("size", expected=len(data), actual=shown["size"])
    name = str(shown["os_hash_algo"])
    observe("image-hash", name, source="api")
    claim(name in hashlib.algorithms_available, "digest", expected="a known one", actual=name)
    digest = hashlib.new(name, data.encode()).hexdigest()
    same(f"{name} of the image", expected=digest, actual=shown["os_hash_value"])
    down = wire.given(200, "download", f"image GET /images/{image}/file")
    claim(down == data, "downloaded data", expected="what was uploaded", actual="something else")


@pytest.mark.check("os-image-02", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_protected_image_stays(wire: Wire, image: str) -> None:
    """A protected image cannot be deleted, and is still there afterwards."""
    status = patched(wire, image, [{"op": "replace", "path": "/protected", "value": True}])
    same("protect", expected=200, actual=status)
    wire.refused(403, "delete of a protected image", f"image DELETE /images/{image}")
    wire.given(200, "the image", f"image GET /images/{image}")


@pytest.mark.check("os-image-03", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_format_that_is_none_is_refused(wire: Wire) -> None:
    """An image of a disk or container format that does not exist is refused with 400."""
    for wrong in ({"disk_format": "clay"}, {"container_format": "amphora"}):
        body = {"name": "interop-refused", "disk_format": "raw", "container_format": "bare"}
        operation = "image POST /images"
        wire.refused(400, f"an image with {wrong}", operation, body={**body, **wrong})


@pytest.mark.check("os-image-04", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_properties_come_back_as_they_were(
    wire: Wire, image: str, seed: int, observe: Observe
) -> None:
    """A property of an image that is taken reads back unchanged, or is refused with 4xx."""
    observe("seed", seed, source="observed")

    @generated(seed, EXAMPLES)
    @given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
    def comes_back(value: str) -> None:
        status = patched(wire, image, [{"op": "add", "path": "/interop_text", "value": value}])
        claim(status == 200 or 400 <= status < 500, "status", expected="200 or 4xx", actual=status)
        if status == 200:
            shown = wire.given(200, "the image", f"image GET /images/{image}")
            same("the property", expected=value, actual=shown["interop_text"])

    comes_back()
