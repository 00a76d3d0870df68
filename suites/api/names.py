"""Names and tags come back unchanged, or are refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.driver import Handle
from provisioner.errors import BadRequest, Conflict, Lost, PlatformFault, Unsupported
from provisioner.features import Metadata
from provisioner.resources import Kind
from suites.api.resources import cheap_kinds, generated, made, spec_of
from suites.claims import claim, same
from suites.seams import Bench, NotApplicable, Observe, Subject
from suites.waits import until

TAG = "interop-note"
EXAMPLES = 12
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
EDGES = (
    "",
    " leading",
    "trailing ",
    "\ttab and\nnewline",
    "/ , ; \" ' < > & % + = @ : \\",
    "nul \0 inside",
    "é composed",
    "e\u0301 decomposed",
    "Straße İstanbul",
    "עברית عربي",
    "🙂 \U0001f9d1‍\U0001f680",
    "\ufeffbom",
    "a" * 256,
    "a" * 257,
    "漢" * 256,
    "aws:reserved",
    "kubernetes.io/reserved",
)


@pytest.mark.check("P4")
@pytest.mark.cost("api")
def test_texts_are_kept_or_refused(
    subject: Subject, bench: Bench, seed: int, observe: Observe, not_applicable: NotApplicable
) -> None:
    """Any text as a tag, or else as a name, reads back byte for byte or is refused."""
    observe("seed", seed, source="observed")
    kinds = sorted(cheap_kinds(subject, not_applicable), key=lambda kind: kind is not Kind.VOLUME)
    refused: list[str] = []
    with made(subject, bench, kinds[0], "p4") as (handle, _):
        try:
            tags = subject.driver.feature(Metadata, handle)  # type: ignore[type-abstract]
        except Unsupported:
            tags = None

        def holds(text: str) -> None:
            try:
                if tags is None:
                    _as_name(subject, bench, kinds[0], text)
                else:
                    _as_tag(subject, tags, handle, text)
            except (BadRequest, Conflict):
                refused.append(text)
            except PlatformFault as fault:
                claim(
                    holds=False,
                    requirement=f"the text {text!r} is kept or refused",
                    expected="either",
                    actual=f"a fault of the platform: {fault}",
                )

        tried = given(text=TEXT)(holds)
        for edge in EDGES:
            tried = example(text=edge)(tried)
        generated(seed, EXAMPLES)(tried)()
    observe("tried-as", "name" if tags is None else "tag", source="observed")
    observe("refused-texts", [ascii(text)[:60] for text in refused], source="api")
    claim(
        len(refused) < len(EDGES) + EXAMPLES,
        "some text is kept",
        expected="one",
        actual="all are refused",
    )


def _as_tag(subject: Subject, tags: Metadata, handle: Handle, text: str) -> None:
    """The text as a tag's value."""
    tags.update_tags({TAG: text})
    window = float(subject.description.limits.get("visibility_s", 0.0))

    def told() -> str | None:
        state = subject.driver.read(handle)
        return state.tags.get(TAG) if state is not None else None

    try:
        back = until(told, lambda value: value == text, window)
    except Lost as lost:
        tags.update_tags({TAG: "plain"})
        subject.driver.read(handle)  # raises when it was not the text that broke the answer
        claim(
            holds=False,
            requirement=f"a tag's value that was taken reads back ({text!a})",
            expected="a readable answer",
            actual=f"an answer that cannot be read: {lost}",
        )
        return
    claim(
        back == text,
        "a tag's value that was taken reads back byte for byte",
        expected=ascii(text),
        actual=ascii(back),
    )


def _as_name(subject: Subject, bench: Bench, kind: Kind, text: str) -> None:
    """The text as a name."""
    handle = bench.create(kind, text, spec_of(kind, 0))
    try:
        state = subject.driver.read(handle)
        back = handle.name if state is None else state.tags.get("interop-name", handle.name)
        claim(
            back == text,
            "a name that was taken reads back byte for byte",
            expected=ascii(text),
            actual=ascii(back),
        )
        same("the handle's name", expected=ascii(text), actual=ascii(handle.name))
    finally:
        subject.driver.delete(handle)
