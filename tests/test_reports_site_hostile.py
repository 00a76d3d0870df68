"""Results that were made to harm: a site comes of them whole, or one line says what is wrong."""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from defusedxml import ElementTree
from site_results import guideline_file, publication, result, written

from harness.cli.main import cli, main
from harness.publishing import publish
from reports.errors import BadReport

MARKUP = (
    """x"'><img src=x onerror=alert(1)><script>alert(2)</script></title></style>{{7*7}}\\u0041\\1"""
)
CONTROL = "a\0b\x1b[31m\x07\u202e\ufffe"


def everywhere(text: str) -> dict[str, Any]:
    """A result with *text* wherever a result has words."""
    document = result(text, "2026-11-01", net_10="failed", disk_03="passed")
    document |= {"id": text, "run": text, "complete": False, "incomplete": text}
    document["tool"] = {"name": text, "version": text}
    document["workload"] = {"name": text, "version": text, "digest": text, "probe": text}
    document["timings"] = [
        {"step": text, "kind": text, "started": 0, "seconds": 1, "outcome": text}
    ]
    document["census"] = {"before": {text: 1}, "after": {text: 2}, "leaks": [text]}
    document["platform"] |= {
        "kind": text,
        "features": [text],
        "absent": {text: text},
        "declared": {text: text, "yes": True},
        "described": {text: [text]},
        "profile": {text: {text: text}},
    }
    document["checks"][0] |= {"reason": text, "title": text, "test": text, "params": {text: text}}
    document["checks"][0]["facts"] = [
        {"name": text, "value": {text: text}, "unit": text, "source": text, "member": text}
    ]
    document["checks"][0]["evidence"] = [{"title": text, "text": text}]
    return document


class Tags(HTMLParser):
    """What a browser would make of a page: its elements, and attributes that run."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            link = name in ("href", "src", "action", "xlink:href")
            if name.startswith("on") or (link and (value or "").lower().startswith("javascript:")):
                self.wrong.append(f"{tag} {name}={value}")
        if ("src", "x") in attrs:
            self.wrong.append(tag)


@pytest.mark.parametrize("text", [MARKUP, CONTROL, "javascript:alert(1)"])
def test_words_stay_words(text: str, tmp_path: Path) -> None:
    other = result("q", "2026-11-02", net_10="passed", disk_03="passed")
    paths = written(tmp_path / "r", [everywhere(text), other])

    publish(publication([guideline_file(tmp_path)]), paths, tmp_path / "site")

    for file in (tmp_path / "site").rglob("*"):
        if file.suffix in (".svg", ".xml"):
            ElementTree.parse(file)
        if file.suffix == ".html":
            tags = Tags()
            page = file.read_text(encoding="utf-8")
            tags.feed(page)
            assert tags.wrong == [], file
            assert "<script>alert" not in page
    assert (tmp_path / "site/index.html").is_file()


@pytest.mark.parametrize(("started", "seconds"), [(0, 1e12), (1e308, 1e308), (-1e308, -5)])
def test_a_step_that_took_for_ever_is_drawn(started: float, seconds: float, tmp_path: Path) -> None:
    document = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    document["timings"][0] |= {"started": started, "seconds": seconds}

    publish(
        publication([guideline_file(tmp_path)]), written(tmp_path / "r", [document]), tmp_path / "s"
    )

    assert "machine/m1" in (tmp_path / "s/runs/run-2026-11-01/p.html").read_text(encoding="utf-8")


def test_a_run_on_the_first_day_of_all_is_compared(tmp_path: Path) -> None:
    document = result("p", "2026-11-01", net_10="passed", disk_03="passed")
    document |= dict.fromkeys(("started", "finished"), "0001-01-01T00:00:00+14:00")
    other = result("q", "2026-11-02", net_10="passed", disk_03="passed")
    paths = [str(path) for path in written(tmp_path / "r", [document, other])]
    guideline = str(guideline_file(tmp_path))

    done = CliRunner().invoke(
        cli, ["compare", *paths, "--guideline", guideline, "--format", "json"]
    )

    assert done.exit_code == 0, done.exception
    assert "0001-01-01" in json.dumps(json.loads(done.output))


def test_an_error_tells_a_hostile_name_without_moving_the_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal would obey what it is sent; here it is a name in a complaint."""
    paths = written(tmp_path / "r", [everywhere(CONTROL), everywhere("q")])
    guideline = str(guideline_file(tmp_path))
    words = ["interop", "compare", *map(str, paths), "--guideline", guideline]
    monkeypatch.setattr("sys.argv", words)

    with pytest.raises(SystemExit) as ended:
        main()

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "did not finish" in told
    assert all(one.isprintable() for one in told.rstrip("\n"))


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_comparison_does_not_move_the_cursor_either(form: str, tmp_path: Path) -> None:
    document = everywhere(CONTROL) | {"complete": True, "incomplete": ""}
    del document["workload"]
    other = result("q", "2026-11-02", net_10="passed", disk_03="passed")
    paths = [str(path) for path in written(tmp_path / "r", [document, other])]
    words = ["compare", *paths, "--guideline", str(guideline_file(tmp_path)), "--format", form]

    done = CliRunner().invoke(cli, words)

    assert done.exit_code == 0, done.exception
    assert "[31m" in done.output.replace("\\", "")
    assert not {one for one in CONTROL if not one.isprintable()} & set(done.output)


def test_a_pipe_in_place_of_a_result_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "result.json")

    with pytest.raises(BadReport, match=r"result\.json: not a file"):
        publish(
            publication([guideline_file(tmp_path)]), [tmp_path / "result.json"], tmp_path / "site"
        )
