from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from guidelines.catalog import load_guideline
from guidelines.model import Expectation
from harness.attest import bundle
from harness.attest.verify import verify
from harness.cli.sign import sign_command
from harness.cli.verify import verify_command
from harness.outcome import settle
from reports.attest.holding import Line
from reports.attest.keys import Signer, private_key, public_keys
from reports.errors import BadReport
from reports.result import (
    CheckRecord,
    EvidenceRecord,
    FactRecord,
    PlatformRecord,
    SuiteRecord,
    ToolRecord,
)
from reports.result import Result as Document

PROGRAM = "open-infrastructure-compute"
START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def openssh(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    passphrase: bytes = b"",
) -> bytes:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else None
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        how or serialization.NoEncryption(),
    )


def public_line(private: bytes, name: str = "") -> str:
    key = serialization.load_ssh_private_key(private, None).public_key()
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{line.decode()} {name}\n"


VENDOR = openssh(ed25519.Ed25519PrivateKey.generate())
BODY = openssh(ed25519.Ed25519PrivateKey.generate())


def fact(expected: Expectation) -> FactRecord:
    """A fact as it is expected to be."""
    value: Any = expected.values[0] if expected.values else 1
    if expected.low is not None:
        value = expected.low + 1
    return FactRecord(name=expected.fact, value=value, unit=expected.unit, source="guest")


def document(outcome: str = "passed") -> Document:
    """A whole result, every check of the program in it."""
    guideline = load_guideline("2026.11")
    checks = [
        CheckRecord.model_validate(
            {
                "id": name,
                "test": f"suites.test::{name}",
                "outcome": outcome,
                "reason": "" if outcome == "passed" else "because",
                "started": (START + timedelta(seconds=number)).isoformat(),
                "seconds": 0.5,
                "facts": [fact(expected) for expected in check.expects],
                "evidence": [EvidenceRecord(title="hostname", text="a")],
            }
        )
        for number, (name, check) in enumerate(guideline.checks.items())
    ]
    features = {need for check in guideline.checks.values() for need in check.needs}
    return Document(
        id="run-1-cloud", run="run-1",
        platform=PlatformRecord(
            name="cloud", kind="fake", features=sorted(features | {"pagination"})
        ),
        started=START.isoformat(), finished=(START + timedelta(minutes=5)).isoformat(),
        complete=True, tool=ToolRecord(version="0.1.0"),
        suite=SuiteRecord(digest="sha256:" + "0" * 64, seed=1), checks=checks,
    )  # fmt: skip


def run_folder(folder: Path, result: Document) -> Path:
    settle(folder, result, load_guideline("2026.11"), PROGRAM, date(2026, 11, 21))
    log = "".join(json.dumps(check.model_dump(mode="json")) + "\n" for check in result.checks)
    (folder / "checks.jsonl").write_text(log, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "vendor").write_bytes(VENDOR)
    (folder / "vendor.pub").write_text(public_line(VENDOR, "vendor@example"))
    (folder / "body").write_bytes(BODY)
    (folder / "body.pub").write_text(public_line(BODY, "body@example"))
    return folder


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Path:
    """A bundle, signed by the vendor, of a platform that passed everything."""
    folder = tmp_path_factory.mktemp("signed")
    made = sign(run_folder(folder / "cloud", document()), keys / "vendor", "--to", folder / "b")
    assert made.exit_code == 0, made.output
    return folder / "b"


def sign(result: Path, key: Path, *arguments: object) -> Result:
    return CliRunner().invoke(sign_command, [str(result), "--key", str(key), *map(str, arguments)])


def look(folder: Path, *arguments: object) -> Result:
    """``interop verify`` on the day after the run, unless told otherwise."""
    day = () if "--at" in arguments else ("--at", "2026-11-22")
    return CliRunner().invoke(
        verify_command, [str(folder), "--format", "json", *map(str, (*day, *arguments))]
    )


def said(result: Result, state: str) -> list[str]:
    return [line["text"] for line in json.loads(result.output)["lines"] if line["state"] == state]


def lines(files: dict[str, bytes], *, at: date | None = date(2026, 11, 22)) -> list[Line]:
    return verify(files, signers(), at=at)


def signers() -> list[Signer]:
    return public_keys(public_line(VENDOR, "vendor@example"), "test")


def test_a_good_bundle_holds_and_says_by_whom(signed: Path, keys: Path) -> None:
    seen = look(signed, "--key", keys / "vendor.pub")

    assert seen.exit_code == 0, seen.output
    assert said(seen, "fails") == []
    assert said(seen, "unknown") == []
    assert any("signed by vendor@example" in text for text in said(seen, "holds"))
    assert json.loads(seen.output)["claims"]["verdict"] == "compliant"


def test_nothing_of_where_it_lay_is_published(signed: Path) -> None:
    for file in signed.iterdir():
        assert str(signed.parent).encode() not in file.read_bytes(), file.name


def test_without_a_trusted_key_nothing_can_be_told(signed: Path) -> None:
    seen = look(signed)

    assert seen.exit_code == 3
    assert any("name it with --key" in text for text in said(seen, "unknown"))


def test_another_key_than_the_signers_fails(signed: Path, keys: Path) -> None:
    seen = look(signed, "--key", keys / "body.pub")

    assert seen.exit_code == 1
    assert any("no signature by a key you trust" in text for text in said(seen, "fails"))


def complaints(files: dict[str, bytes]) -> list[str]:
    """What does not hold, be it that the bundle cannot even be read."""
    try:
        return [line.text for line in lines(files) if line.state == "fails"]
    except BadReport as error:
        return [str(error)]


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_one_byte_changed_anywhere_is_found_and_named(signed: Path, data: st.DataObject) -> None:
    files = bundle.read_bundle(signed)
    name = data.draw(st.sampled_from(sorted(files)))
    content = files[name]
    at = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(("flip", "drop", "add")))
    byte = content[at] ^ data.draw(st.integers(1, 255))
    middle = {"flip": bytes([byte]), "drop": b"", "add": bytes([content[at], byte])}[how]
    files[name] = content[:at] + middle + content[at + 1 :]

    wrong = complaints(files)

    assert any(name in text for text in wrong), (name, wrong)


@pytest.mark.parametrize("name", ["result.json", "verdict.json", "junit.xml", "guideline.yaml"])
def test_a_missing_file_is_named(signed: Path, name: str) -> None:
    files = bundle.read_bundle(signed)
    del files[name]

    wrong = [line.text for line in lines(files) if line.state == "fails"]

    assert any(text.startswith(f"{name}: missing") for text in wrong)


def test_an_added_file_is_named(signed: Path) -> None:
    files = bundle.read_bundle(signed) | {"more.json": b"{}"}

    wrong = [line.text for line in lines(files) if line.state == "fails"]

    assert wrong == ["more.json: nobody signed it; it was added"]


def test_who_rewrites_the_verdict_and_signs_it_anew_is_found_out(
    tmp_path: Path, keys: Path
) -> None:
    """A signature makes nothing true: the verdict is computed again."""
    folder = run_folder(tmp_path / "cloud", document("failed"))
    made = sign(folder, keys / "vendor", "--to", tmp_path / "b")
    assert made.exit_code == 0, made.output
    files = bundle.read_bundle(tmp_path / "b")
    forged = _forged(files)

    wrong = [line.text for line in lines(forged) if line.state == "fails"]

    assert wrong == [
        "computed again it is another: compliant is signed, judging comes to not-compliant"
    ]


def _forged(files: dict[str, bytes]) -> dict[str, bytes]:
    """The bundle of a vendor who signs another verdict than the one it came to."""
    from reports.attest.envelope import Sealed
    from reports.attest.statement import VerdictPredicate, statement

    made = dict(files)
    made["verdict.json"] = files["verdict.json"].replace(b'"not-compliant"', b'"compliant"', 1)
    old = Sealed.parse(
        files[bundle.VERDICT_ENVELOPE], json.loads(files[bundle.VERDICT_ENVELOPE]), "old"
    ).statement
    assert isinstance(old.predicate, VerdictPredicate)
    predicate = old.predicate.model_copy(update={"verdict": "compliant"})
    again = Sealed.of(statement({name: made[name] for name in old.digests()}, predicate))
    again.sign(private_key(VENDOR, None, "test"))
    made[bundle.VERDICT_ENVELOPE] = again.dump()
    return made


def test_an_expired_certificate_says_since_when(signed: Path, keys: Path) -> None:
    seen = look(signed, "--key", keys / "vendor.pub", "--at", "2028-01-01")

    assert seen.exit_code == 1
    assert any(text.startswith("expired: valid until 2027-05-19") for text in said(seen, "fails"))


def test_an_old_verdict_is_refused_where_that_is_asked(signed: Path, keys: Path) -> None:
    key = ("--key", keys / "vendor.pub", "--at", "2027-01-01")

    assert look(signed, *key).exit_code == 0
    seen = look(signed, *key, "--max-age", "30")
    assert seen.exit_code == 1
    assert said(seen, "fails") == ["judged on 2026-11-21, 41 days ago; at most 30 are accepted"]


def test_what_was_revoked_counts_no_longer(signed: Path, keys: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((signed / "verdict.json").read_bytes()).hexdigest()
    listed = tmp_path / "revoked.yaml"
    listed.write_text(
        f"revoked:\n- what: 'sha256:{digest}'\n  since: 2026-11-22\n"
        "  reason: withdrawn by its owner\n"
    )
    key = ("--key", keys / "vendor.pub", "--revoked", listed)

    seen = look(signed, *key)

    assert seen.exit_code == 1
    assert said(seen, "fails") == [
        "this verdict is revoked from 2026-11-22: withdrawn by its owner"
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [("revoked: 1\n", "revoked"), ("revoked: [{what: x, since: 2026-01-01, reason: y}]\n", "what")],
)
def test_a_bad_list_of_revocations_is_one_line(
    signed: Path, tmp_path: Path, text: str, where: str
) -> None:
    listed = tmp_path / "revoked.yaml"
    listed.write_text(text)

    seen = look(signed, "--revoked", listed)

    assert isinstance(seen.exception, BadReport)
    assert where in str(seen.exception)


def test_a_body_signs_what_a_vendor_sent(signed: Path, keys: Path, tmp_path: Path) -> None:
    made = sign(signed, keys / "body", "--to", tmp_path / "both")
    assert made.exit_code == 0, made.output
    trust = tmp_path / "allowed"
    trust.write_text(
        f'vendor namespaces="interop,git" {public_line(VENDOR)}'
        f'body valid-after="20260101",valid-before="20990101" {public_line(BODY)}'
    )

    seen = look(tmp_path / "both", "--trust", trust)

    assert seen.exit_code == 0, seen.output
    found = json.loads(seen.output)["lines"]
    who = {
        line["text"].split("signed by ")[1].split()[0]
        for line in found
        if line["state"] == "holds" and line["topic"] == "signature"
    }
    assert who == {"vendor", "body"}


def test_the_same_key_again_changes_nothing(signed: Path, keys: Path) -> None:
    before = bundle.read_bundle(signed)
    again = sign(signed, keys / "vendor")

    assert again.output.startswith("signed already by SHA256:")
    assert bundle.read_bundle(signed) == before


def test_what_is_mistaken_for_a_key_or_a_bundle_is_named(signed: Path, keys: Path) -> None:
    cloud = signed.parent / "cloud"

    assert "public key; expected the private" in str(sign(cloud, keys / "vendor.pub").exception)
    assert "private key; expected the public" in str(
        look(signed, "--trust", keys / "vendor").exception
    )
    assert "no bundle but a result; `interop sign`" in str(look(cloud).exception)


def test_nobody_countersigns_a_bundle_that_does_not_hold(
    signed: Path, keys: Path, tmp_path: Path
) -> None:
    files = bundle.read_bundle(signed)
    files["result.json"] += b" "
    bundle.write_bundle(tmp_path / "bad", files)

    made = sign(tmp_path / "bad", keys / "body")

    assert isinstance(made.exception, BadReport)
    assert "result.json" in str(made.exception)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ('valid-before="20260101"', "was trusted only until 2026-01-01"),
        ('valid-after="20990101"', "is trusted only from 2099-01-01"),
        ('namespaces="git"', "no public key"),
    ],
)
def test_a_signer_counts_only_for_what_it_is_allowed(
    signed: Path, tmp_path: Path, option: str, text: str
) -> None:
    trust = tmp_path / "allowed"
    trust.write_text(f"vendor {option} {public_line(VENDOR)}")

    seen = look(signed, "--trust", trust)

    if seen.exception is not None and not isinstance(seen.exception, SystemExit):
        assert text in str(seen.exception)
    else:
        assert seen.exit_code == 1
        assert any(text in line for line in said(seen, "fails"))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda: rsa.generate_private_key(65537, 2048), id="rsa"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP256R1()), id="p256"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), id="p384"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP521R1()), id="p521"),
    ],
)
def test_other_kinds_of_keys_sign_too(signed: Path, tmp_path: Path, key: Callable[[], Any]) -> None:
    private = openssh(key())
    (tmp_path / "k").write_bytes(private)
    (tmp_path / "k.pub").write_text(public_line(private))

    made = sign(signed, tmp_path / "k", "--to", tmp_path / "b")

    assert made.exit_code == 0, made.output
    assert look(tmp_path / "b", "--key", tmp_path / "k.pub").exit_code == 0


def test_a_short_rsa_key_is_refused() -> None:
    weak = openssh(rsa.generate_private_key(65537, 1024))  # noqa: S505 - on purpose

    with pytest.raises(BadReport, match="1024 bits"):
        private_key(weak, None, "key")


def test_a_passphrase_comes_by_reference(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "k").write_bytes(openssh(ed25519.Ed25519PrivateKey.generate(), b"correct horse"))

    without = sign(signed, tmp_path / "k", "--to", tmp_path / "b")
    monkeypatch.setenv("PHRASE", "correct horse")
    made = sign(signed, tmp_path / "k", "--to", tmp_path / "b", "--passphrase-from", "env:PHRASE")

    assert "needs a passphrase" in str(without.exception)
    assert made.exit_code == 0, made.output
    assert all(b"correct horse" not in file.read_bytes() for file in (tmp_path / "b").iterdir())


def test_evidence_of_another_tool_is_signed_like_ours(tmp_path: Path, keys: Path) -> None:
    evidence = tmp_path / "run.xml"
    evidence.write_text(
        '<testsuite name="s" tests="2"><testcase classname="c" name="one" time="1"/>'
        '<testcase classname="c" name="two" time="1"/></testsuite>'
    )
    listed = tmp_path / "list.txt"
    listed.write_text("c.one\nc.two\n")
    made = sign(evidence, keys / "vendor", "--guideline", listed, "--to", tmp_path / "b")
    assert made.exit_code == 0, made.output
    key = ("--key", keys / "vendor.pub", "--at", date.today().isoformat())

    alone = look(tmp_path / "b", *key)
    with_list = look(tmp_path / "b", *key, "--guideline", listed)

    assert alone.exit_code == 3, "the list is nobody's but the signer's"
    assert with_list.exit_code == 0, with_list.output
    assert json.loads(with_list.output)["claims"]["verdict"] == "compliant"


def test_a_true_verdict_that_is_not_compliant_can_be_refused(tmp_path: Path, keys: Path) -> None:
    folder = run_folder(tmp_path / "cloud", document("failed"))
    sign(folder, keys / "vendor", "--to", tmp_path / "b")
    key = ("--key", keys / "vendor.pub")

    assert look(tmp_path / "b", *key).exit_code == 0
    assert look(tmp_path / "b", *key, "--require-compliant").exit_code == 1


def _late(result: Document) -> Document:
    check = result.checks[0].model_copy(update={"started": "2026-11-22T00:00:00+00:00"})
    return result.model_copy(update={"checks": [check, *result.checks[1:]]})


def _long(result: Document) -> Document:
    check = result.checks[0].model_copy(update={"seconds": 4000.0})
    return result.model_copy(update={"checks": [check, *result.checks[1:]]})


def _backwards(result: Document) -> Document:
    return result.model_copy(update={"finished": "2026-11-21T09:00:00+00:00"})


@pytest.mark.parametrize(
    ("change", "text"),
    [(_late, "outside the run"), (_long, "longer than the run"), (_backwards, "ended before")],
)
def test_what_cannot_have_happened_is_said(
    tmp_path: Path, keys: Path, change: Callable[[Document], Document], text: str
) -> None:
    folder = run_folder(tmp_path / "cloud", change(document()))
    made = sign(folder, keys / "vendor", "--to", tmp_path / "b")
    assert made.exit_code == 0, made.output

    seen = look(tmp_path / "b", "--key", keys / "vendor.pub")

    assert seen.exit_code == 1
    assert any(text in line for line in said(seen, "fails"))


@pytest.mark.parametrize("name", ["junit.xml", "checks.jsonl"])
def test_a_log_that_tells_another_story_is_found(tmp_path: Path, keys: Path, name: str) -> None:
    folder = run_folder(tmp_path / "cloud", document())
    text = (folder / name).read_text()
    lines_ = text.splitlines()
    cut = next(i for i, line in enumerate(lines_) if "net-09" in line)
    end = next(
        i
        for i, line in enumerate(lines_[cut:], cut)
        if name[-1] == "l" and ("</testcase>" in line or name == "checks.jsonl")
    )
    (folder / name).write_text("\n".join(lines_[:cut] + lines_[end + 1 :]) + "\n")
    sign(folder, keys / "vendor", "--to", tmp_path / "b")

    seen = look(tmp_path / "b", "--key", keys / "vendor.pub")

    assert seen.exit_code == 1
    assert any(name in line and "net-09" in line for line in said(seen, "fails"))


def test_a_run_whose_verdict_was_edited_is_not_signed(tmp_path: Path, keys: Path) -> None:
    folder = run_folder(tmp_path / "cloud", document("failed"))
    text = (folder / "verdict.json").read_text()
    (folder / "verdict.json").write_text(text.replace('"not-compliant"', '"compliant"', 1))

    made = sign(folder, keys / "vendor", "--to", tmp_path / "b")

    assert "is not what judging this result comes to" in str(made.exception)
    assert not (tmp_path / "b").exists()


def test_a_run_judged_by_an_older_text_says_how_to_sign_it(tmp_path: Path, keys: Path) -> None:
    folder = run_folder(tmp_path / "cloud", document())
    verdict = json.loads((folder / "verdict.json").read_text())
    verdict["guideline_digest"] = "sha256:" + "0" * 64
    (folder / "verdict.json").write_text(json.dumps(verdict))

    made = sign(folder, keys / "vendor", "--to", tmp_path / "b")
    anew = sign(folder, keys / "vendor", "--to", tmp_path / "b", "--guideline", "2026.11")

    assert "another text of 2026.11; to judge anew, give --guideline 2026.11" in str(made.exception)
    assert anew.exit_code == 0, anew.output


def test_a_bundle_is_never_overwritten(signed: Path, keys: Path, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "cloud", document())

    made = sign(folder, keys / "vendor", "--to", signed)

    assert "never overwritten" in str(made.exception)


@pytest.mark.parametrize("how", ["link", "fifo", "folder", "name", "many"])
def test_a_hostile_folder_is_one_line(signed: Path, tmp_path: Path, how: str) -> None:
    bundle.write_bundle(tmp_path / "b", bundle.read_bundle(signed))
    bad = tmp_path / "b" / "extra"
    if how == "link":
        bad.symlink_to("/etc/passwd")
    elif how == "fifo":
        os.mkfifo(bad)
    elif how == "folder":
        bad.mkdir()
    elif how == "name":
        (tmp_path / "b" / "a b\n").write_text("")
    else:
        for number in range(bundle.MAX_FILES):
            (tmp_path / "b" / f"f{number}").touch()

    seen = look(tmp_path / "b")

    assert isinstance(seen.exception, BadReport)
    assert "\n" not in str(seen.exception)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"a": 1, "a": 2}', '{"payload": "!", "payloadType": "x", "signatures": []}',
     '{"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
     "[" * 100_000],
)  # fmt: skip
def test_a_hostile_envelope_is_one_line(signed: Path, text: str) -> None:
    files = bundle.read_bundle(signed) | {bundle.VERDICT_ENVELOPE: text.encode()}

    with pytest.raises(BadReport, match=r"verdict\.intoto\.json"):
        lines(files)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "who\n", "ssh-ed25519\n", "ssh-ed25519 AAAA\n", "ssh-dss AAAA\n",
             "who bogus=1 ssh-ed25519 AAAA\n", "-----BEGIN PUBLIC KEY-----\nx\n"],
)  # fmt: skip
def test_a_bad_public_key_is_one_line(text: str) -> None:
    with pytest.raises(BadReport, match="keys"):
        public_keys(text, "keys")


def test_what_is_signed_may_be_published(tmp_path: Path, keys: Path) -> None:
    """Planted secrets, a controller's address and private values are in no file of a bundle."""
    planted = {
        "password": "hunter2-correct-horse",
        "bmc-address": "10.99.88.77",
        "account": "4242-4242-4242",
        "network": "172.20.1.9",
    }
    result = document()
    check = result.checks[0].model_copy(
        update={
            "reason": f"seen at {planted['network']} of {planted['account']}",
            "evidence": [
                EvidenceRecord(title="call", text=f"password={planted['password']}"),
                EvidenceRecord(title="link", text=f"ipmitool -H {planted['bmc-address']} status"),
            ],
        }
    )
    platform = result.platform.model_copy(update={"declared": {"bmc": planted["bmc-address"]}})
    result = result.model_copy(update={"checks": [check, *result.checks[1:]], "platform": platform})
    folder = run_folder(tmp_path / "cloud", result)
    rules = tmp_path / "private.yaml"
    rules.write_text(f"values: ['{planted['account']}']\nnetworks: ['172.20.0.0/16']\n")

    made = sign(folder, keys / "vendor", "--to", tmp_path / "b", "--private", rules)
    seen = look(tmp_path / "b", "--key", keys / "vendor.pub")

    assert made.exit_code == 0, made.output
    assert seen.exit_code == 0, seen.output
    for file in (tmp_path / "b").iterdir():
        for what, secret in planted.items():
            assert secret.encode() not in file.read_bytes(), (file.name, what)
