"""Compute: the words one puts on a server: its name, its tags, its metadata.

Source: OpenStack Compute API (update server, server tags, server metadata).
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.driver import Handle
from suites.api.resources import generated
from suites.claims import claim, same
from suites.openstack.wire import Wire
from suites.seams import Observe

EXAMPLES = 20
TAGS, TAG_CHARS = 50, 60  # Source: Compute API, server tags
WORD_CHARS = 255


@pytest.mark.check("os-compute-11", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_a_server_is_renamed_as_told(
    wire: Wire, server: Handle, seed: int, observe: Observe
) -> None:
    """A new name of a server reads back byte for byte, or is refused with 400.

    What becomes of a line feed at the end is a fact: nova's pattern lets it pass, and strips it.
    """
    observe("seed", seed, source="observed")
    path = f"/servers/{server.id}"
    before = wire.given(200, "server", f"compute GET {path}")["server"]["name"]

    @generated(seed, EXAMPLES)
    @given(st.text(st.characters(codec="utf-8"), max_size=40).filter(lambda n: n[-1:] != "\n"))
    @example("12345")
    @example("interop.example.org")
    @example("höchste Ära ✓ 中文")
    @example("x" * WORD_CHARS)
    @example("x" * (WORD_CHARS + 1))
    @example("")
    def renamed(name: str) -> None:
        answer = wire(f"compute PUT {path}", body={"server": {"name": name}})
        what = f"renaming to {name[:50]!r}"
        claim(answer.status in (200, 400), what, expected="200 or 400", actual=answer.status)
        if answer.status == 200:
            same("the name answered", expected=name, actual=answer.body["server"]["name"])
            shown = wire.given(200, "server", f"compute GET {path}")["server"]
            same("the name", expected=name, actual=shown["name"])
        claim(
            answer.status == 400 or 0 < len(name) <= WORD_CHARS,
            what,
            expected="400: names have 1 to 255 characters",
            actual=answer.status,
        )

    try:
        renamed()
        answer = wire(f"compute PUT {path}", body={"server": {"name": "interop\n"}})
        name = answer.body["server"]["name"] if answer.status == 200 else f"{answer.status}"
        observe("name-with-line-feed", name, source="api")
    finally:
        wire(f"compute PUT {path}", body={"server": {"name": before}})


@pytest.mark.check("os-compute-12", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_tags_have_a_limit(wire: Wire, server: Handle) -> None:
    """A server has 50 tags of 60 characters and no more; one too many changes nothing."""
    path, version = f"/servers/{server.id}/tags", "2.26"
    before = wire.given(200, "tags", f"compute GET {path}", microversion=version)["tags"]
    full = before + [f"interop-{number}" for number in range(TAGS - len(before))]

    def put(tags: list[str]) -> int:
        return wire(f"compute PUT {path}", body={"tags": tags}, microversion=version).status

    try:
        same(f"{TAGS} tags", expected=200, actual=put(full))
        same(f"{TAGS + 1} tags", expected=400, actual=put([*full, "interop-more"]))
        more = wire(f"compute PUT {path}/interop-more", microversion=version)
        same("one tag more", expected=400, actual=more.status)
        now = wire.given(200, "tags", f"compute GET {path}", microversion=version)["tags"]
        same("the tags", expected=sorted(full), actual=sorted(now))
        same("a tag of 60", expected=200, actual=put([*before, "x" * TAG_CHARS]))
        for wrong in ("x" * (TAG_CHARS + 1), "a/b", "a,b", ""):
            same(f"the tag {wrong!r}", expected=400, actual=put([*before, wrong]))
    finally:
        put(before)


@pytest.mark.check("os-compute-13", needs=("openstack-api",))
@pytest.mark.cost("own")
def test_metadata_has_a_limit(wire: Wire, server: Handle) -> None:
    """Metadata of 255 characters reads back, longer is refused, and what is deleted is gone."""
    path = f"/servers/{server.id}/metadata"
    key, value = "k" * WORD_CHARS, "ü" * WORD_CHARS
    body = {"metadata": {key: value}}
    same("the longest", expected=200, actual=wire(f"compute POST {path}", body=body).status)
    shown = wire.given(200, "an item", f"compute GET {path}/{key}")["meta"]
    same("the item", expected={key: value}, actual=shown)
    for wrong in ({key + "k": "v"}, {"k": value + "v"}, {"": "v"}, {"k": 1}):
        what = f"metadata {str(wrong)[:40]}"
        wire.refused(400, what, f"compute POST {path}", body={"metadata": wrong})
    gone = wire(f"compute DELETE {path}/{key}")
    same("deleting it", expected=204, actual=gone.status)
    wire.refused(404, "what was deleted", f"compute GET {path}/{key}")
