"""Pages add up to the whole list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.driver import TAG_RUN, Handle
from provisioner.errors import BadRequest, NotFound, PlatformFault, Unsupported
from provisioner.features import Listing
from provisioner.resources import Kind
from suites.api.resources import cheap_kinds, generated, several
from suites.claims import claim, same
from suites.seams import Bench, NotApplicable, Observe, Subject

MADE = 6
EXAMPLES = 8
MOST_PAGES = 50


@pytest.mark.check("P3", needs=("pagination",))
@pytest.mark.cost("api")
def test_pages_are_the_list(
    subject: Subject, bench: Bench, seed: int, observe: Observe, not_applicable: NotApplicable
) -> None:
    """For any page size the pages hold each resource once, in one order, and end."""
    kinds = cheap_kinds(subject, not_applicable)
    for kind in sorted(kinds, key=lambda kind: kind is not Kind.VOLUME):
        with several(subject, bench, kind, "p3", MADE) as handles:
            try:
                listing = subject.driver.feature(Listing, handles[0])  # type: ignore[type-abstract]
                listing.page(str(kind), MADE)
            except Unsupported:
                continue
            observe("paged-kind", str(kind), source="observed")
            observe(
                "refused-page-sizes", _sizes(subject, listing, str(kind), handles), source="api"
            )
            _markers(listing, str(kind), seed)
            return
    not_applicable("no list of keys, volumes or buckets comes in pages")


def _sizes(subject: Subject, listing: Listing, kind: str, handles: list[Handle]) -> list[int]:
    """Try every size; returns those that were refused."""
    wanted = {handle.id for handle in handles}
    only = {TAG_RUN: str(subject.owner.run)}
    order: list[str] = []
    refused = []
    for size in range(1, MADE + 2):
        try:
            pages = _walk(listing, kind, size, only)
        except BadRequest:
            refused.append(size)
            continue
        flat = [identity for page in pages for identity in page]
        ours = [identity for identity in flat if identity in wanted]
        what = f"list of {kind}s in pages of {size}"
        same(
            f"{what}: what is there twice",
            expected=[],
            actual=sorted({i for i in ours if ours.count(i) > 1}),
        )
        same(f"{what}: what is missing", expected=[], actual=sorted(wanted - set(ours)))
        claim(
            all(len(page) <= size for page in pages),
            f"{what}: length of pages",
            expected=f"at most {size}",
            actual=[len(page) for page in pages],
        )
        order = order or ours
        same(f"{what}: order", expected=order, actual=ours)
    claim(order, f"list of {kind}s in pages", expected="some page size is taken", actual="none")
    return refused


def _walk(listing: Listing, kind: str, size: int, only: dict[str, str]) -> list[list[str]]:
    """All pages, as far as fifty."""
    pages: list[list[str]] = []
    marker = ""
    while len(pages) < MOST_PAGES:
        page, marker = listing.page(kind, size, marker, only)
        pages.append(list(page))
        if not marker:
            return pages
    raise AssertionError(
        f"list of {kind}s in pages of {size}: expected an end, actual {MOST_PAGES} pages and more"
    )


def _markers(listing: Listing, kind: str, number: int) -> None:
    """A marker that nobody gave is refused, not taken for the beginning, and no fault."""

    @generated(number, EXAMPLES)
    @given(marker=st.text("abcdef0123456789-=/é", min_size=3, max_size=40))
    def holds(marker: str) -> None:
        try:
            page, _ = listing.page(kind, MADE, marker)
        except (BadRequest, NotFound):
            return
        except PlatformFault as fault:
            claim(
                holds=False,
                requirement=f"page of {kind}s after the made-up marker {marker!r}",
                expected="a refusal",
                actual=f"a fault of the platform: {fault}",
            )
            return
        same(
            f"page of {kind}s after the made-up marker {marker!r}",
            expected="a refusal",
            actual=f"a page of {len(page)}",
        )

    holds()
