"""Limits: names, labels, annotations and sizes, each at its limit and one beyond.

Source: Kubernetes documentation, "Object Names and IDs", "Labels and Selectors", "ConfigMaps",
"Secrets"; the size of annotations is in k8s.io/apimachinery/pkg/api/validation.
"""

from __future__ import annotations

import base64

import pytest

from suites.claims import same
from suites.kubernetes.wire import CORE, LABEL, MAPS, Object, Wire

DRY = {"dryRun": "All"}
NAME, LABEL_CHARS = 253, 63
ANNOTATIONS = 256 * 1024  # bytes of all keys and values
CONTENT = 1024 * 1024  # bytes of all values
PREFIX = "a" * 200 + "." + "b" * 52  # the longest prefix of a label's key


def long(wire: Wire, length: int) -> str:
    """A name of that length."""
    return wire.group + "x" * (length - len(wire.group))


@pytest.mark.check("k8s-limit-01", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_names_have_limits(wire: Wire) -> None:
    """A name is a DNS subdomain of at most 253 characters, a service's a label of at most 63."""
    for top, length in ((MAPS, NAME), (f"{CORE}/services", LABEL_CHARS)):
        spec: Object = {} if top is MAPS else {"spec": {"ports": [{"port": 80}]}}
        for name, status in ((long(wire, length), 201), (long(wire, length + 1), 422)):
            body = wire.body(metadata={"name": name}, **spec)
            what = f"a name of {len(name)} in {top.rpartition('/')[2]}"
            wire.refused(status, what, f"POST {top}", body=body, query=DRY)
    for odd in ("_x", "-", ".", "..x", "-ä", "X", "/x", " x"):
        body = wire.body(metadata={"name": wire.group + odd})
        wire.refused(422, f"a name that ends {odd!r}", f"POST {MAPS}", body=body, query=DRY)
    body = wire.body(metadata={"name": ""})
    wire.refused(422, "no name", f"POST {MAPS}", body=body, query=DRY)


@pytest.mark.check("k8s-limit-02", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_labels_have_limits(wire: Wire) -> None:
    """A label's name and value have at most 63 plain characters, its prefix at most 253."""
    for what, label, status in (
        ("a value of 63", {"a": "v" * 63}, 201),
        ("a value of 64", {"a": "v" * 64}, 422),
        ("an empty value", {"a": ""}, 201),
        ("a value of plain characters", {"a": "A.b_c-1"}, 201),
        ("a value that begins with a dash", {"a": "-b"}, 422),
        ("a value with a space", {"a": "b c"}, 422),
        ("a value with ü", {"a": "ü"}, 422),
        ("a key of 63", {"k" * 63: "v"}, 201),
        ("a key of 64", {"k" * 64: "v"}, 422),
        ("a prefix of 253", {f"{PREFIX}/{'k' * 63}": "v"}, 201),
        ("a prefix of 254", {f"{PREFIX}c/{'k' * 63}": "v"}, 422),
        ("an empty prefix", {"/k": "v"}, 422),
        ("two prefixes", {"a/b/c": "v"}, 422),
    ):
        body = wire.body(metadata={"labels": {LABEL: wire.group, **label}})
        wire.refused(status, what, f"POST {MAPS}", body=body, query=DRY)


@pytest.mark.check("k8s-limit-03", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_annotations_have_limits(wire: Wire) -> None:
    """All annotations of a thing have at most 256 KiB together, and any text is theirs."""
    for size, status in ((ANNOTATIONS, 201), (ANNOTATIONS + 1, 422)):
        first = {"interop.example/a": "ü\n" * 100}
        used = sum(len(key.encode()) + len(text.encode()) for key, text in first.items())
        rest = {"b": "x" * (size - used - 1)}
        body = wire.body(metadata={"annotations": first | rest})
        wire.refused(status, f"annotations of {size}", f"POST {MAPS}", body=body, query=DRY)


@pytest.mark.check("k8s-limit-04", needs=("kubernetes.api",))
@pytest.mark.cost("api")
def test_content_has_limits(wire: Wire) -> None:
    """A config map and a secret take 1 MiB, read it back, and refuse one byte more."""
    full = "x" * CONTENT
    wire.make(MAPS, data={"a": full})
    body = wire.given(200, "a full config map", f"GET {MAPS}/{wire.name()}")
    same("bytes that came back", expected=CONTENT, actual=len(body["data"]["a"]))
    more = wire.body("more", data={"a": full, "b": "y"})
    wire.refused((413, 422), "a byte too many", f"POST {MAPS}", body=more)
    secrets = f"{CORE}/secrets"
    for size, status in ((CONTENT, 201), (CONTENT + 1, (413, 422))):
        text = base64.b64encode(b"x" * size).decode()
        one = wire.body(str(size), data={"a": text})
        wire.note(secrets, one["metadata"]["name"])
        wire.refused(status, f"a secret of {size}", f"POST {secrets}", body=one)
