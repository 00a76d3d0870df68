"""What is created is returned, listed once, and deleted once and for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.driver import TAG_NAME, TAG_RUN, Handle, Status
from provisioner.errors import BadRequest, NotFound, PlatformFault, Unsupported
from provisioner.features import Listing, Objects
from provisioner.resources import ConfigSpec, Kind, VolumeSpec
from suites.api.resources import LARGEST_GIB, cheap_kinds, generated, made, several, spec_of
from suites.claims import claim, same
from suites.seams import Bench, NotApplicable, Observe, Subject

EXAMPLES = 8


@pytest.mark.check("P1")
@pytest.mark.cost("api")
def test_what_was_created_reads_back(
    subject: Subject, bench: Bench, seed: int, observe: Observe, not_applicable: NotApplicable
) -> None:
    """A resource reads back with the name, tags, size and content it was sent with."""
    kinds = cheap_kinds(subject, not_applicable)
    observe("seed", seed, source="observed")
    observe("kinds", [str(kind) for kind in kinds], source="observed")
    for kind in kinds:
        _reads_back(subject, bench, seed, kind)


def _reads_back(subject: Subject, bench: Bench, seed: int, kind: Kind) -> None:
    """Any resource of a kind reads back."""

    @generated(seed, EXAMPLES)
    @given(number=st.integers(0, 2 * LARGEST_GIB), content=st.binary(max_size=4096))
    def holds(number: int, content: bytes) -> None:
        with made(subject, bench, kind, "p1", number) as (handle, name):
            state = subject.driver.read(handle)
            what = f"{kind} {name}"
            claim(state, f"{what} reads back", expected="a resource", actual="nothing")
            assert state is not None
            same(f"{what}: status", expected=Status.READY, actual=state.status)
            same(f"{what}: its name tag", expected=name, actual=state.tags.get(TAG_NAME))
            run = state.tags.get(TAG_RUN)
            same(f"{what}: its run tag", expected=subject.owner.run, actual=run)
            spec = spec_of(kind, number)
            if isinstance(spec, VolumeSpec):
                told = state.facts.get("size_gib")
                same(f"{what}: size in GiB", expected=spec.size_gib, actual=told)
            if isinstance(spec, ConfigSpec):
                data = state.facts.get("data")
                same(f"{what}: its texts", expected=dict(spec.data), actual=data)
            if kind is Kind.BUCKET:
                _content(subject, handle, content)

    holds()


def _content(subject: Subject, bucket: Handle, content: bytes) -> None:
    """Content comes back byte for byte."""
    objects = subject.driver.feature(Objects, bucket)  # type: ignore[type-abstract]
    objects.put("p1/object", content)
    try:
        back = objects.get("p1/object")
        same(f"{len(content)} bytes in {bucket.id}", expected=content.hex(), actual=back.hex())
    finally:
        objects.delete("p1/object")


@pytest.mark.check("P2")
@pytest.mark.cost("api")
def test_what_exists_is_listed_once(
    subject: Subject, bench: Bench, observe: Observe, not_applicable: NotApplicable
) -> None:
    """A list holds a resource exactly once, and a filter by its tags finds it and nothing else."""
    tried = []
    for kind in cheap_kinds(subject, not_applicable):
        with several(subject, bench, kind, "p2", 3) as handles:
            ours = [found.id for found in subject.driver.find(subject.owner)]
            for handle in handles:
                same(f"{handle} among all of the run's", expected=1, actual=ours.count(handle.id))
            try:
                listing = subject.driver.feature(Listing, handles[0])  # type: ignore[type-abstract]
                listed, _ = listing.page(str(kind), 0)
            except Unsupported:
                continue
            tried.append(str(kind))
            for handle in handles:
                same(f"{handle} in the list", expected=1, actual=list(listed).count(handle.id))
                only = {TAG_NAME: handle.name, TAG_RUN: str(subject.owner.run)}
                found, _ = listing.page(str(kind), 0, "", only)
                same(
                    f"list filtered by the tags of {handle}",
                    expected=[handle.id],
                    actual=list(found),
                )
    observe("listed-kinds", tried, source="observed")


@pytest.mark.check("P5")
@pytest.mark.cost("api")
def test_deleting_twice_is_no_accident(
    subject: Subject, bench: Bench, seed: int, observe: Observe, not_applicable: NotApplicable
) -> None:
    """Deleting again, or what never was, is answered alike each time and never by a fault."""
    observe("seed", seed, source="observed")
    for kind in cheap_kinds(subject, not_applicable):
        with made(subject, bench, kind, "p5") as (handle, _):
            pass
        answers = [_delete(subject, handle), _delete(subject, handle)]
        observe(f"delete-{kind}-again", answers[0], source="api")
        same(f"deleting {handle} a second and a third time", expected=answers[0], actual=answers[1])
        claim(
            subject.driver.read(handle) is None,
            f"{handle} stays deleted",
            expected="nothing",
            actual="it is back",
        )

        _never_was(subject, seed, handle)


def _never_was(subject: Subject, seed: int, handle: Handle) -> None:
    """Deleting what never was is answered, whatever its id looks like."""

    @generated(seed, EXAMPLES)
    @given(text=st.text("abcdefABCDEF0123456789-_./ é🙂", min_size=1, max_size=60))
    def holds(text: str) -> None:
        _delete(subject, replace(handle, id=f"interop-none-{text}"))

    holds()


def _delete(subject: Subject, handle: Handle) -> str:
    """How the platform answers; a fault of its own is the requirement's failure."""
    try:
        subject.driver.delete(handle)
    except (BadRequest, NotFound) as refused:
        return type(refused).__name__
    except PlatformFault as fault:
        claim(
            holds=False,
            requirement=f"deleting {handle.id!r}, which is not there, is answered",
            expected="done, not found or bad request",
            actual=f"a fault of the platform: {fault}",
        )
    return "done"
