"""Nothing that was to be kept back reaches the site, wherever it was planted: a property test."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from site_results import guideline_file, publication, result, written

from guidelines.catalog import load_waivers
from harness.publishing import publish
from reports.redact import Private

ALPHABET = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRSTUVWXYZ23456789"
SECRET = st.text(ALPHABET, min_size=12, max_size=24)
ADDRESS = st.builds("198.51.{}.{}".format, st.integers(100, 255), st.integers(100, 255))
ACCOUNT = st.integers(10**11, 10**12 - 1)
PLACES = (
    "reason", "title", "test", "fact", "fact-name", "fact-list", "evidence", "evidence-title",
    "described", "described-key", "absent", "feature", "profile", "step", "incomplete", "leak",
    "declared", "run",
)  # fmt: skip


def planted(document: dict[str, Any], place: str, text: str) -> None:
    """Put *text* somewhere into the document."""
    check, platform = document["checks"][0], document["platform"]
    if place in ("reason", "title", "test"):
        check[place] = f"before {text} after"
    elif place.startswith("fact"):
        name = text if place == "fact-name" else "thing"
        value: Any = [f"a{text}b", {"deep": text}] if place == "fact-list" else text
        check["facts"] = [{"name": name, "value": value, "source": "api"}]
    elif place.startswith("evidence"):
        title = f"$ login {text}" if place == "evidence-title" else "output"
        check["evidence"] = [{"title": title, "text": f"x\n{text}\ny"}]
    elif place == "feature":
        platform["features"] = ["machine", text]
    elif place in ("described", "absent", "profile", "declared"):
        platform.setdefault(place, {})["some"] = text
    elif place == "described-key":
        platform["described"] = {text: "x"}
    elif place == "step":
        document["timings"][0]["step"] = f"machine/{text}"
    elif place == "incomplete":
        document |= {"complete": False, "incomplete": f"cut at {text}"}
    elif place == "leak":
        document["census"] = {"before": {}, "after": {}, "leaks": [f"machine {text}"]}
    else:
        document["run"] = f"run-{text}"


def forms(value: str) -> list[bytes]:
    """A value as it could still be read: plain, in a URL, in base64."""
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")
    return [form.lower().encode() for form in (value, quote(value, safe=""), encoded)]


def leaks(folder: Path, values: list[str]) -> list[str]:
    """Files, by name or content, in which any of the values can be read."""
    found = []
    for file in folder.rglob("*"):
        name = str(file.relative_to(folder)).lower().encode()
        data = file.read_bytes() if file.is_file() else b""
        data = gzip.decompress(data) if file.suffix == ".gz" else data
        text = name + b"\n" + data.lower()
        found += [f"{file}: {v}" for v in values if any(form in text for form in forms(v))]
    return found


@settings(max_examples=25, deadline=None, phases=[p for p in Phase if p is not Phase.shrink])
@given(data=st.data(), secret=SECRET, address=ADDRESS, account=ACCOUNT)
def test_no_planted_value_reaches_any_file_of_the_site(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    secret: str,
    address: str,
    account: int,
) -> None:
    root = tmp_path_factory.mktemp("site")
    document = result("p", "2026-11-01", net_10="failed", disk_03="passed")
    # Known as private by a rule of the publisher, by its place, and by the owner's mark.
    document["platform"]["declared"] = {"account": account, "private": ["account"]}
    document["platform"]["described"] = {"bmc": {"address": address}}
    for value in (secret, address, str(account)):
        for place in data.draw(st.lists(st.sampled_from(PLACES), max_size=4, unique=True)):
            planted(document, place, value)
    document["platform"]["declared"] |= {"account": account, "private": ["account"]}
    document["checks"][1]["evidence"] = [
        {"title": "t", "text": f"https://{address}/redfish/v1 of {account} with {secret}"}
    ]
    paths = written(root / "results", [document])

    publish(
        publication([guideline_file(root)], private=Private(values=(secret,))), paths, root / "site"
    )

    assert (root / "site/index.html").is_file()
    assert leaks(root / "site", [secret, address, str(account)]) == []


def test_words_of_a_guideline_and_of_waivers_are_redacted_too(tmp_path: Path) -> None:
    secret = "Zk9qTx7mVw4bLp"
    guideline = guideline_file(tmp_path)
    text = guideline.read_text(encoding="utf-8")
    for title in ("A small guideline", "Everything", "The component", "Members resolve"):
        assert title in text
        text = text.replace(title, f"{title} of {secret}")
    guideline.write_text(text, encoding="utf-8")
    waiver = {"check": "net-10", "owner": secret, "reason": f"as {secret}", "expires": "2027-01-01"}
    (tmp_path / "w.json").write_text(json.dumps({"waivers": [waiver]}), encoding="utf-8")
    paths = written(tmp_path / "r", [result("p", "2026-11-01", net_10="failed", disk_03="passed")])
    private = Private(values=(secret,))

    publish(
        publication([guideline], private=private, waivers=load_waivers(tmp_path / "w.json")),
        paths,
        tmp_path / "site",
    )

    verdicts = (tmp_path / "site/runs/run-2026-11-01/p.verdicts.json").read_text(encoding="utf-8")
    assert "as [private-1]" in verdicts
    assert leaks(tmp_path / "site", [secret]) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("see c2VjcmV0LXZhbHVl", encoding="utf-8")
    (tmp_path / "b.gz").write_bytes(gzip.compress(json.dumps({"x": "other"}).encode()))

    assert len(leaks(tmp_path, ["secret-value", "other"])) == 2
