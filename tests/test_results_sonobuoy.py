"""Sonobuoy tarballs: which file counts, and archives that are made to do harm."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from guidelines.errors import BadDocument
from guidelines.evidence import Evidence, Status
from guidelines.results import Limits, load_results

JUNIT = b"<testsuites><testsuite><testcase name='[It] a'/></testsuite></testsuites>"
ITEMS = (
    b"name: e2e\nstatus: passed\nitems:\n- name: x\n  status: passed\n- {name: y, status: failed}\n"
)


def packed(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_790_000_000
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read(folder: Path, data: bytes, limits: Limits | None = None) -> Evidence:
    path = folder / "archive"
    path.write_bytes(data)
    return load_results(path, limits)


def test_junit_of_a_plugin_is_read_and_its_items_are_not_counted_again(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        packed(
            ("plugins/e2e/results/global/junit_01.xml", JUNIT),
            ("plugins/e2e/results/global/e2e.log", b"noise"),
            ("plugins/e2e/sonobuoy_results.yaml", ITEMS),
            ("plugins/other/sonobuoy_results.yaml", ITEMS),
            ("serverversion.json", b'{"gitVersion": "v1.35.0"}'),
        ),
    )

    assert [(outcome.name, outcome.status) for outcome in evidence.outcomes] == [
        ("a", Status.PASSED),
        ("x", Status.PASSED),
        ("y", Status.FAILED),
    ]
    assert evidence.format == "sonobuoy"
    assert evidence.complete
    assert evidence.outcomes[0].where.endswith(
        "#plugins/e2e/results/global/junit_01.xml:testcase[1]"
    )
    assert [(fact.name, fact.value) for fact in evidence.facts] == [
        ("kubernetes-version", "v1.35.0")
    ]


def test_a_plain_tar_is_read_too(tmp_path: Path) -> None:
    data = gzip.decompress(packed(("plugins/e2e/results/global/j.xml", JUNIT)))

    assert len(read(tmp_path, data).outcomes) == 1


def test_items_alone_are_recognised(tmp_path: Path) -> None:
    evidence = read(tmp_path, ITEMS)

    assert evidence.format == "sonobuoy-items"
    assert [outcome.name for outcome in evidence.outcomes] == ["x", "y"]


def test_a_plugin_that_reports_an_error_is_not_complete(tmp_path: Path) -> None:
    evidence = read(
        tmp_path,
        packed(
            ("plugins/e2e/results/global/junit_01.xml", JUNIT),
            ("plugins/e2e/errors/global/error.json", b"{}"),
        ),
    )

    assert not evidence.complete


def test_an_archive_that_breaks_off_is_not_complete(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 4000
    whole = packed(
        ("plugins/e2e/results/global/junit_01.xml", JUNIT), ("plugins/e2e/results/z/log", noise)
    )

    evidence = read(tmp_path, whole[: len(whole) // 2])

    assert len(evidence.outcomes) == 1
    assert not evidence.complete


@pytest.mark.parametrize(
    "name", ["../../etc/x", "/etc/x", "plugins/e2e/../../../x", "plugins\\..\\x"]
)
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadDocument, match="leads out of the archive"):
        read(tmp_path, packed(("plugins/e2e/results/global/j.xml", JUNIT), (name, b"")))


def test_links_are_never_followed(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("plugins/e2e/results/global/junit_01.xml")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        archive.addfile(link)

    with pytest.raises(BadDocument, match="no plugins/NAME/ in it"):
        read(tmp_path, out.getvalue())


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    bomb = packed(("plugins/e2e/results/global/e2e.log", bytes(20_000_000)))

    with pytest.raises(BadDocument, match="more than the 1000000 bytes"):
        read(tmp_path, bomb, Limits(unpacked_bytes=1_000_000))


def test_a_header_that_claims_a_giant_name_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 500_000_000
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(1_000_000)

    with pytest.raises(BadDocument, match="a header of 500000256 bytes"):
        read(tmp_path, data)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    members = [(f"plugins/e2e/results/{number}", b"") for number in range(5)]

    with pytest.raises(BadDocument, match="more than 3 members"):
        read(tmp_path, packed(*members), Limits(members=3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"name: a\nstatus: b\nitems: [*a]", "line 3: an alias"),
        (b"name: a\nname: b\n", "line 2: key name occurs twice"),
        (b"name: " + b"[" * 500, "nested deeper than 100"),
        (b"name: a\n\tb", "expected YAML"),
        (b"name: \xff", "expected"),
        (b"name: a\n", "YAML of no known result"),
        (b"name: a\nstatus: b\nitems: [1]", "items[0]: input should be a valid dictionary"),
        (b"name: a\n[x]: b\nitems: []", "line 2: a key that is no text"),
    ],
)
def test_hostile_yaml_is_one_line(tmp_path: Path, text: bytes, expected: str) -> None:
    with pytest.raises(BadDocument) as raised:
        read(tmp_path, text)

    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)
