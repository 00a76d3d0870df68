"""Signed bundles on the site: who signed, what holds, a bundle to take; never one that does not."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from site_results import guideline_file, publication, result, written

from guidelines.errors import BadDocument
from harness.attest import bundle
from harness.attest.verify import verify
from harness.cli.main import cli
from harness.publishing import Published, publish
from reports.attest.keys import Signer, public_keys
from reports.errors import BadReport
from reports.redact import Private


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result, a key, and the bundle that the key signed."""
    root = tmp_path_factory.mktemp("signed")
    key = Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH
    plain = serialization.NoEncryption()
    (root / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    (root / "trusted").write_text(f"vendor@example {line.decode()}\n")
    written(root / "results", [result("p", "2026-11-01", net_10="passed", disk_03="passed")])
    words = [str(root / "results/000.json"), "--guideline", str(guideline_file(root))]
    words += ["--key", str(root / "key"), "--to", str(root / "bundle"), "--at", "2026-11-01"]
    done = CliRunner().invoke(cli, ["sign", *words])
    assert done.exit_code == 0, done.output
    return root


def signers(place: Path) -> tuple[Signer, ...]:
    return tuple(public_keys((place / "trusted").read_text(), "trusted"))


def made(place: Path, to: Path, *paths: Path, trusted: bool = True) -> Published:
    known = signers(place) if trusted else ()
    return publish(publication([place / "g1.yaml"], trusted=known), paths, to)


def test_the_certificate_says_by_whom_and_the_bundle_can_be_taken(
    place: Path, tmp_path: Path
) -> None:
    made(place, tmp_path, place / "bundle")

    platform = (tmp_path / "platforms/p.html").read_text(encoding="utf-8")
    page = (tmp_path / "runs/run-2026-11-01/p.html").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "platforms/p.json").read_text(encoding="utf-8"))
    with tarfile.open(tmp_path / "runs/run-2026-11-01/p.bundle.tar.gz") as tar:
        taken = {
            entry.name.removeprefix("bundle/"): io.BytesIO(found.read()).getvalue()
            for entry in tar
            if (found := tar.extractfile(entry)) is not None
        }

    assert 'p.html#signed">vendor@example</a>' in platform
    assert "computed again: compliant, 2 of 2 passed" in page
    assert told["standings"]["g1"]["certificate"]["signed"]["signers"][0]["name"] == (
        "vendor@example"
    )
    assert taken == bundle.read_bundle(place / "bundle")
    states = {line.topic: line.state for line in verify(taken, signers(place), at=None)}
    assert states["signature"] == states["digest"] == states["verdict"] == "holds"


def test_a_key_that_nobody_trusts_has_no_name(place: Path, tmp_path: Path) -> None:
    made(place, tmp_path, place / "bundle", trusted=False)

    page = (tmp_path / "runs/run-2026-11-01/p.html").read_text(encoding="utf-8")

    assert "vendor@example" not in page
    assert "somebody this site does not know" in page


def test_what_nobody_signed_says_so(place: Path, tmp_path: Path) -> None:
    made(place, tmp_path, place / "results/000.json")

    assert "<dt>Signed by</dt><dd>nobody</dd>" in (tmp_path / "platforms/p.html").read_text()


def test_the_bundle_stands_for_the_result_of_the_same_run(place: Path, tmp_path: Path) -> None:
    first = made(place, tmp_path, place / "results/000.json", place / "bundle")
    again = made(place, tmp_path, place / "results/000.json", place / "bundle")

    assert first.results == 1
    assert (tmp_path / "runs/run-2026-11-01/p.bundle.tar.gz").is_file()
    assert again.written == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_bundle_with_one_byte_changed_is_never_published(
    place: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("tampered")
    files = bundle.read_bundle(place / "bundle")
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    changed = bytearray(files[name])
    changed[at] ^= data.draw(st.integers(1, 255))
    bundle.write_bundle(root / "b", files | {name: bytes(changed)})

    with pytest.raises((BadDocument, BadReport)):
        made(place, root / "site", root / "b")

    assert not (root / "site").exists() or not list((root / "site").rglob("*.html"))


@pytest.mark.parametrize(("status", "refused"), [("approved", True), ("draft", False)])
def test_only_a_draft_may_have_changed_since_it_was_signed(
    place: Path, tmp_path: Path, status: str, refused: bool
) -> None:
    text = (place / "g1.yaml").read_text(encoding="utf-8").replace("Data stay", "Data stay put")
    changed = tmp_path / "g1.yaml"
    changed.write_text(text.replace("status: approved", f"status: {status}"), encoding="utf-8")
    by = publication([changed], trusted=signers(place))

    if refused:
        with pytest.raises(BadDocument, match="not the published text"):
            publish(by, [place / "bundle"], tmp_path / "site")
    else:
        assert publish(by, [place / "bundle"], tmp_path / "site").results == 1


def test_a_folder_of_runs_and_bundles_is_found_whole(place: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    words = ["--guideline", str(place / "g1.yaml"), "--trust", str(place / "trusted")]

    done = CliRunner().invoke(cli, ["publish", str(place), "--to", str(site), *words])

    assert done.exit_code == 0, done.output
    assert (site / "runs/run-2026-11-01/p.bundle.tar.gz").is_file()
    assert "signed by vendor@example" in (site / "index.html").read_text(encoding="utf-8")


def test_the_certificate_ends_when_the_evidence_does_however_long_was_signed(
    place: Path, tmp_path: Path
) -> None:
    late = publication([place / "g1.yaml"], day="2027-06-01", trusted=signers(place))
    publish(late, [place / "bundle"], tmp_path)

    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))

    assert date.fromisoformat(index["platforms"][0]["certificate"]["until"]) < date(2027, 6, 1)
    assert index["platforms"][0]["standing"] == "expired"


@pytest.mark.parametrize("private", ["net-10 keeps its promise", "suites.x::test_disk-03"])
def test_a_bundle_with_something_private_is_kept_back(
    place: Path, tmp_path: Path, private: str
) -> None:
    """What was signed cannot be redacted; its page says so, and the value is in no file."""
    by = publication(
        [place / "g1.yaml"], trusted=signers(place), private=Private(values=(private,))
    )

    publish(by, [place / "bundle"], tmp_path)

    page = (tmp_path / "runs/run-2026-11-01/p.html").read_text(encoding="utf-8")
    assert "holds what this site does not publish" in page
    assert "vendor@example" in page
    assert not list(tmp_path.rglob("*.tar.gz"))
    assert "bundle.tar.gz" not in page
    assert all(private.encode() not in f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


def test_what_verify_says_of_a_bundle_is_redacted_too(place: Path, tmp_path: Path) -> None:
    leak = "volume of 4242-4242"
    document = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    document["census"] = {"before": {}, "after": {}, "leaks": [leak]}
    written(tmp_path / "results", [document])
    words = [str(tmp_path / "results/000.json"), "--guideline", str(place / "g1.yaml")]
    words += ["--key", str(place / "key"), "--to", str(tmp_path / "b"), "--at", "2026-11-01"]
    assert CliRunner().invoke(cli, ["sign", *words]).exit_code == 0
    by = publication([place / "g1.yaml"], private=Private(values=("4242-4242",)))

    publish(by, [tmp_path / "b"], tmp_path / "site")

    page = (tmp_path / "site/runs/run-2026-11-01/p.html").read_text(encoding="utf-8")
    assert "resources were left behind: volume of [private-1]" in page
    assert "4242-4242" not in page
