"""Volume: sizes that are none, volumes that would shrink, and what is gone.

Source: OpenStack Block Storage API v3 (volumes, volume actions).
"""

from __future__ import annotations

import secrets

import pytest

from provisioner.resources import Kind, VolumeSpec
from suites.claims import same
from suites.openstack.wire import Wire
from suites.seams import Bench


@pytest.mark.check("os-volume-01", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_size_is_a_number_of_gibibytes(wire: Wire) -> None:
    """A volume of no size, a negative one or a word is refused with 400, and none is left."""
    name = f"interop-refused-{secrets.token_hex(4)}"
    for size in (0, -1, "large"):
        body = {"volume": {"name": name, "size": size}}
        wire.refused(400, f"a volume of size {size}", "volume POST /volumes", body=body)
    found = wire.given(200, "volumes", "volume GET /volumes", query={"name": name})
    same("volumes that are left", expected=0, actual=len(found["volumes"]))


@pytest.mark.check("os-volume-02", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_a_volume_does_not_shrink(wire: Wire, bench: Bench) -> None:
    """A volume is not extended to a size it has or had more of; the request is refused."""
    handle = bench.create(Kind.VOLUME, f"os-{secrets.token_hex(3)}", VolumeSpec(size_gib=2))
    try:
        for size in (1, 2):
            body = {"os-extend": {"new_size": size}}
            operation = f"volume POST /volumes/{handle.id}/action"
            wire.refused(400, f"a volume of 2 GiB extended to {size}", operation, body=body)
        shown = wire.given(200, "the volume", f"volume GET /volumes/{handle.id}")["volume"]
        same("its size", expected=2, actual=shown["size"])
    finally:
        bench.remove(handle)


@pytest.mark.check("os-volume-03", needs=("openstack-api", "volume"))
@pytest.mark.cost("api")
def test_what_is_gone_is_not_found(wire: Wire, bench: Bench) -> None:
    """A volume that was deleted is not found, neither to be read nor to be deleted again."""
    handle = bench.create(Kind.VOLUME, f"os-{secrets.token_hex(3)}", VolumeSpec(size_gib=1))
    shown = wire.given(200, "the volume", f"volume GET /volumes/{handle.id}")["volume"]
    same("its status", expected="available", actual=shown["status"])
    bench.remove(handle)
    wire.refused(404, "a read of what is gone", f"volume GET /volumes/{handle.id}")
    wire.refused(404, "a delete of what is gone", f"volume DELETE /volumes/{handle.id}")
