"""Bundles whose statements a trusted signer got wrong, or wrong on purpose: found, in words."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from site_results import guideline_file, result, written

from guidelines.catalog import load_guideline
from harness.attest import bundle
from harness.attest.verify import verify
from harness.cli.main import cli
from reports.attest.envelope import PAYLOAD_TYPE
from reports.attest.holding import worst
from reports.attest.keys import private_key, public_keys
from reports.errors import BadReport

KEY = Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.OpenSSH,
    serialization.NoEncryption(),
)
DAY = date(2026, 11, 2)
VERDICT, RESULT = bundle.VERDICT_ENVELOPE, bundle.RESULT_ENVELOPE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as a trusted vendor signs it, with the run's log, and its guideline."""
    root = tmp_path_factory.mktemp("forged")
    (root / "key").write_bytes(KEY)
    document = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    run = root / "run"
    written(run, [document])
    (run / "000.json").rename(run / "result.json")
    lines = [json.dumps(check) + "\n" for check in document["checks"]]
    (run / "checks.jsonl").write_text("".join(lines))
    guideline = guideline_file(root)
    judging = ["judge", str(run / "result.json"), "--guideline", str(guideline), "--json"]
    judged = CliRunner().invoke(cli, [*judging, "--at", "2026-11-01"])
    (run / "verdict.json").write_text(judged.output)
    words = [str(run), "--guideline", str(guideline), "--at", "2026-11-01"]
    words += ["--key", str(root / "key"), "--to", str(root / "bundle")]
    done = CliRunner().invoke(cli, ["sign", *words])
    assert done.exit_code == 0, (done.output, done.exception)
    return root


@pytest.fixture
def files(place: Path) -> dict[str, bytes]:
    return bundle.read_bundle(place / "bundle")


def wrong(place: Path, files: dict[str, bytes]) -> list[str]:
    """What ``verify`` says fails."""
    trusted = public_keys(files[bundle.SIGNERS].decode(), "trusted")
    known = load_guideline(str(place / "g1.yaml"))
    lines = verify(files, trusted, at=DAY, guideline=known)
    return [line.text for line in lines if line.state == "fails"]


def statement(files: dict[str, bytes], name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(base64.b64decode(json.loads(files[name])["payload"]))
    return payload


def again(
    files: dict[str, bytes], name: str, change: Callable[[dict[str, Any]], object]
) -> dict[str, bytes]:
    """The bundle with a statement changed, and signed anew by the same key."""
    told = statement(files, name)
    change(told)
    payload = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(private_key(KEY, None, "key"))
    text = json.dumps(envelope.to_dict(), indent=1, sort_keys=True) + "\n"
    return {**files, name: text.encode()}


def with_file(files: dict[str, bytes], name: str, data: bytes) -> dict[str, bytes]:
    """The bundle with a file changed, and both statements signed anew over its digest."""

    def change(told: dict[str, Any]) -> None:
        for subject in told["subject"]:
            if subject["name"] == name:
                subject["digest"]["sha256"] = hashlib.sha256(data).hexdigest()

    made = {**files, name: data}
    for envelope in bundle.ENVELOPES:
        made = again(made, envelope, change)
    return made


def test_signed_anew_without_a_change_it_holds(place: Path, files: dict[str, bytes]) -> None:
    assert wrong(place, again(files, VERDICT, lambda told: None)) == []
    assert wrong(place, with_file(files, "checks.jsonl", files["checks.jsonl"])) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("valid_until", "2026-13-45"),
        ("valid_from", "2026-02-30"),
        ("at", "0000-00-00"),
        ("at", "2026-11-2\u0668"),
        ("signed", "2026-11-28T12:42:28"),
        ("level", "three"),
    ],
)
def test_a_day_that_is_none_is_one_line(
    place: Path, files: dict[str, bytes], key: str, value: str
) -> None:
    forged = again(files, VERDICT, lambda told: told["predicate"].update({key: value}))

    with pytest.raises(BadReport, match=rf"payload\.predicate\.verdict\.{key}: "):
        wrong(place, forged)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("valid_until", "9999-12-31", "valid until 9999-12-31 is signed, but its evidence counts"),
        ("valid_from", "2020-01-01", "valid from 2020-01-01 is signed, but it was judged on"),
        ("signed", "9999-12-31T23:59:59-14:00", "has not come yet"),
        ("signed", "0001-01-01T00:00:00+14:00", "signed before its evidence was finished"),
    ],
)
def test_more_than_is_true_may_not_be_signed(
    place: Path, files: dict[str, bytes], key: str, value: str, text: str
) -> None:
    forged = again(files, VERDICT, lambda told: told["predicate"].update({key: value}))

    assert any(text in line for line in wrong(place, forged))


def test_what_a_statement_rests_on_it_signs_itself(place: Path, files: dict[str, bytes]) -> None:
    def without(told: dict[str, Any]) -> None:
        told["subject"] = [one for one in told["subject"] if one["name"] != "result.json"]

    for name in (RESULT, VERDICT):
        forged = again(files, name, without)
        assert wrong(place, forged) == [f"result.json: {name} rests on it and has not signed it"]


def test_a_host_is_published_or_cannot_be_told(
    place: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    """Who may enclose a guideline of his own for other components decides what is required."""
    host = files["guideline.yaml"]

    def hosted(id_: str) -> dict[str, bytes]:
        def change(told: dict[str, Any]) -> None:
            told["predicate"]["hosts"] = [{"id": id_, "file": "host-1.yaml"}]
            digest = {"sha256": hashlib.sha256(host).hexdigest()}
            told["subject"].append({"name": "host-1.yaml", "digest": digest})

        return again({**files, "host-1.yaml": host}, VERDICT, change)

    known = load_guideline(str(place / "g1.yaml"))
    key = public_keys(files[bundle.SIGNERS].decode(), "trusted")
    alone = verify(hosted(known.id), key, at=DAY, guideline=known)
    named = verify(hosted(known.id), key, at=DAY, guideline=known, hosts=[known])

    assert worst(alone) == "unknown"
    assert any("with --host" in line.text for line in alone)
    assert worst(named) == "holds"
    assert f"other is signed, {known.id} is in the bundle" in wrong(place, hosted("other"))


def _facts(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The log with one record told otherwise, key by key."""
    first, *rest = files["checks.jsonl"].decode().splitlines()
    for key, value in (("seconds", 0.25), ("reason", "x"), ("started", "2026-11-01T10:00:01Z")):
        line = json.dumps({**json.loads(first), key: value})
        yield key, "".join(f"{one}\n" for one in (line, *rest)).encode()


def test_a_log_that_tells_any_value_otherwise_is_found(
    place: Path, files: dict[str, bytes]
) -> None:
    for key, log in _facts(files):
        told = wrong(place, with_file(files, "checks.jsonl", log))
        assert [text for text in told if "checks.jsonl has another record of it" in text], key


@pytest.mark.parametrize(
    "change",
    [
        {"finished": "9999-12-31T23:59:59.999999+00:00"},
        {"started": "0001-01-01T00:00:00.000000+00:00"},
        {"started": "2026-11-01T10:00:00", "finished": "2026-11-01T10:30:00"},
    ],
    ids=["end of time", "start of time", "no zone"],
)
def test_times_at_the_edge_are_told_and_nothing_breaks(
    place: Path, files: dict[str, bytes], change: dict[str, str]
) -> None:
    document = json.loads(files["result.json"]) | change

    assert wrong(place, with_file(files, "result.json", json.dumps(document).encode()))


def test_a_junit_of_an_unknown_encoding_is_told(place: Path, files: dict[str, bytes]) -> None:
    def named(told: dict[str, Any]) -> None:
        digest = {"sha256": hashlib.sha256(junit).hexdigest()}
        told["subject"].append({"name": "junit.xml", "digest": digest})

    junit = b'<?xml version="1.0" encoding="nope"?><testsuites/>'
    forged = again({**files, "junit.xml": junit}, VERDICT, named)

    assert any(text.startswith("junit.xml cannot be read") for text in wrong(place, forged))


def test_nothing_is_told_of_where_it_was_looked_at(place: Path, files: dict[str, bytes]) -> None:
    del files["guideline.yaml"]

    told = wrong(place, files)

    assert "cannot be computed again: guideline.yaml: file: no such file or directory" in told


def test_a_key_that_openssh_has_no_name_for_is_one_line() -> None:
    key = ec.generate_private_key(ec.SECP256K1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

    with pytest.raises(BadReport, match="secp256k1"):
        private_key(key, None, "key")


def test_the_edge_of_what_may_be_signed_holds(place: Path, files: dict[str, bytes]) -> None:
    """The last day on which the evidence counts, and the day it was judged on."""
    until = statement(files, VERDICT)["predicate"]["valid_until"]
    later = (date.fromisoformat(until) + timedelta(days=1)).isoformat()

    forged = again(files, VERDICT, lambda told: told["predicate"].update({"valid_until": later}))

    assert wrong(place, forged) == [
        f"valid until {later} is signed, but its evidence counts until {until} only"
    ]
