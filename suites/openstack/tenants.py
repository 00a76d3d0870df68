"""What another project may find out about what is ours, and how it gets what is meant for it.

Source: OpenStack API SIG guidelines (HTTP response codes, 403 and 404), Image API v2 (sharing).
The platform names the other project's user: ``tenants`` in platforms.yaml.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from provisioner.resources import FirewallSpec, Kind, NetworkSpec, Support, VolumeSpec
from suites.claims import same
from suites.openstack.image import new_image
from suites.openstack.wire import Wire
from suites.seams import Bench, NotApplicable, Subject

NOBODYS = "00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def tenant(subject: Subject, not_applicable: NotApplicable) -> str:
    """The name of a user of another project."""
    named = subject.config.settings.get("tenants") or ()
    if not named:
        not_applicable("no user of another project is named: tenants in platforms.yaml")
    return str(named[0])


@pytest.fixture
def image(wire: Wire, subject: Subject) -> Iterator[str]:
    """A new image without data that may be shared; gone at the end."""
    body = new_image(subject, visibility="shared")
    made = wire.given(201, "a new image", "image POST /images", body=body)
    yield made["id"]
    wire(f"image DELETE /images/{made['id']}")


@pytest.mark.check("os-identity-07", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_what_others_have_is_not_there(
    wire: Wire, bench: Bench, subject: Subject, tenant: str, image: str
) -> None:
    """What another project has is refused as what nobody has is: it cannot be told apart."""
    name = f"os-{secrets.token_hex(3)}"
    made = [
        bench.create(Kind.NETWORK, name, NetworkSpec(cidr="10.95.0.0/24")),
        bench.create(Kind.FIREWALL, name, FirewallSpec()),
    ]
    paths = [
        f"image {{}} /images/{image}",
        f"network {{}} /networks/{made[0].id}",
        f"network {{}} /security-groups/{made[1].id}",
    ]
    if subject.description.kinds.get(Kind.VOLUME) is Support.MANAGED:
        made.append(bench.create(Kind.VOLUME, name, VolumeSpec(size_gib=1)))
        paths.append(f"volume {{}} /volumes/{made[2].id}")
    try:
        for path in paths:
            nothing = path[: path.rindex("/") + 1] + NOBODYS
            for method in ("GET", "DELETE"):
                what = f"{path.format(method)} by another project"
                answer = wire.refused(404, what, path.format(method), tenant=tenant)
                unknown = wire.refused(404, "of nobody", nothing.format(method), tenant=tenant)
                same(
                    f"{what}, code as for what nobody has",
                    expected=unknown.code,
                    actual=answer.code,
                )
            wire.given(200, "what is ours", path.format("GET"))
    finally:
        for handle in reversed(made):
            bench.remove(handle)


@pytest.mark.check("os-image-10", needs=("openstack-api",))
@pytest.mark.cost("api")
def test_a_shared_image_is_seen_once_accepted(wire: Wire, tenant: str, image: str) -> None:
    """An image on offer is listed to its project once accepted, and hidden when taken back."""
    token = wire.given(
        200, "the other's token", "identity GET /auth/tokens", subject="own", tenant=tenant
    )["token"]
    project = token["project"]["id"]
    path, name = f"/images/{image}", wire.given(200, "the image", f"image GET /images/{image}")
    query = {"name": name["name"], "visibility": "shared"}

    def listed() -> int:
        found = wire.given(200, "images", "image GET /images", query=query, tenant=tenant)
        return len(found["images"])

    wire.refused(404, "an image of others", f"image GET {path}", tenant=tenant)
    wire.given(200, "an offer", f"image POST {path}/members", body={"member": project})
    same("images listed before it is accepted", expected=0, actual=listed())
    answer = wire.given(
        200,
        "accepting it",
        f"image PUT {path}/members/{project}",
        body={"status": "accepted"},
        tenant=tenant,
    )
    same("status as answered", expected="accepted", actual=answer["status"])
    same("images listed after it", expected=1, actual=listed())
    wire.refused(403, "another's image deleted", f"image DELETE {path}", tenant=tenant)
    wire(f"image DELETE {path}/members/{project}")
    wire.refused(404, "an image taken back", f"image GET {path}", tenant=tenant)
