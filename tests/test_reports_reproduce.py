"""What an engineer asks of a failure: how to repeat it, since when it is, what was new then."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from site_results import guideline_file, result, site, written

from guidelines.errors import BadDocument
from harness.cli.main import cli
from reports.exports.summary import github, markdown
from reports.junit import suites
from reports.reproduce import reproduce
from reports.result import Result
from reports.site.documents import Summary
from reports.site.history import Platform
from reports.site.since import broken, moments, news
from reports.site.summary import summarise
from reports.subject import About, Subject, subject_of

Export = Callable[[Sequence[Subject], Mapping[str, About]], str]


def summary(document: dict[str, object]) -> Summary:
    made = Result.model_validate(document)
    return summarise(made, key="k", digest="sha256:0", redacted=False, judged=[])


def test_the_command_names_checks_seed_and_any_unusual_workload() -> None:
    line = reproduce("eu cloud", ["net-09", "disk-05"], seed=7, workload="small")

    assert shlex.split(line) == [
        "interop", "run", "-p", "eu cloud", "--select", "net-09,disk-05", "--workload", "small",
        "--seed", "7",
    ]  # fmt: skip
    assert "--workload" not in reproduce("a", ["x"], workload="reference")
    assert "--select" not in reproduce("a", [f"net-{n}" for n in range(50)])


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "hidden\u2028"])
def test_a_name_that_cannot_be_typed_makes_no_command(name: str) -> None:
    assert reproduce(name, ["net-09"]) == ""


def test_the_command_is_one_that_the_tool_takes() -> None:
    words = shlex.split(reproduce("nowhere", ["net-09"], seed=7, workload="small"))[1:]

    done = CliRunner().invoke(cli, [*words, "--platforms", "no-such-file.yaml"])

    assert isinstance(done.exception, BadDocument)  # it took every word and looked for the file
    assert "no-such-file.yaml" in str(done.exception)


@pytest.mark.parametrize("form", [markdown, github, suites])
def test_every_export_of_a_failure_says_how_to_repeat_it(form: Export) -> None:
    document = result("p", "2026-11-01", net_10="failed", disk_03="passed")
    subject = subject_of(Result.model_validate(document))

    assert "interop run -p p --select net-10 --seed 1" in form([subject], {})
    assert "interop run" not in form([replace(subject, seed=None)], {})


def test_since_is_the_first_bad_run_after_the_last_good_one() -> None:
    days = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
    states = ["failed", "passed", "failed", "failed"]
    runs = [result("p", d, net_10=s, disk_03="failed") for d, s in zip(days, states, strict=True)]
    platform = Platform(name="p", results=tuple(summary(run) for run in runs))

    told = {
        one.check: (one.first.day, one.last.day if one.last else "") for one in broken(platform)
    }

    assert told == {"net-10": ("2026-03-01", "2026-02-01"), "disk-03": ("2026-01-01", "")}
    assert [(m.last.day, m.first.day, m.checks) for m in moments(broken(platform))] == [
        ("2026-02-01", "2026-03-01", ("net-10",))
    ]


def test_a_newer_run_of_chosen_checks_does_not_move_since() -> None:
    full = result("p", "2026-01-01", net_10="failed")
    part = result("p", "2026-02-01", net_10="passed", complete=False, incomplete="selected")
    platform = Platform(name="p", results=(summary(full), summary(part)))

    assert [(one.first.day, one.last) for one in broken(platform)] == [("2026-01-01", None)]


def test_what_was_new_when_it_broke() -> None:
    before = result("p", "2026-01-01", net_10="passed")
    after = result("p", "2026-02-01", net_10="failed")
    before["platform"] |= {"declared": {"product": {"version": "1"}}, "features": ["machine"]}
    after["platform"] |= {"declared": {"product": {"version": "2"}}, "features": ["machine", "bmc"]}
    before["platform"]["described"] = {"endpoint": "192.0.2.1"}
    after["platform"]["described"] = {"endpoint": "192.0.2.2"}
    after["suite"]["digest"] = "sha256:" + "1" * 64

    told = news(summary(before), summary(after))

    assert told == [
        ("product.version", "1", "2"),
        ("features", "machine", "bmc, machine"),
        ("suites", "sha256:000000000000", "sha256:111111111111"),
    ]


def test_the_pages_of_a_platform_and_a_result_say_it(tmp_path: Path) -> None:
    old = result("p", "2026-10-01", net_10="passed", disk_03="passed")
    new = result("p", "2026-11-01", net_10="passed", disk_03="failed")
    old["platform"]["declared"] = {"version": "14.1"}
    new["platform"]["declared"] = {"version": "14.2"}
    site(tmp_path, [old, new])
    command = "interop run -p p --select disk-03 --seed 1"

    platform = (tmp_path / "site/platforms/p.html").read_text(encoding="utf-8")
    page = (tmp_path / "site/runs/run-2026-11-01/p.html").read_text(encoding="utf-8")
    good = (tmp_path / "site/runs/run-2026-10-01/p.html").read_text(encoding="utf-8")

    assert command in platform
    assert "14.1" in platform
    assert 'passed <a href="../runs/run-2026-10-01/p.html#disk-03">2026-10-01</a>' in platform
    assert command in page
    assert command not in good


def test_a_regression_says_how_to_repeat_it_in_every_form(tmp_path: Path) -> None:
    old, new = written(
        tmp_path / "r",
        [result("p", "2026-10-01", net_10="passed"), result("p", "2026-11-01", net_10="failed")],
    )
    by = str(guideline_file(tmp_path))
    for form in ("text", "markdown", "html"):
        out = tmp_path / f"out.{form}"
        words = ["compare", str(new), "--baseline", str(old), "--guideline", by]
        CliRunner().invoke(cli, [*words, "--format", form, "--output", str(out)])

        text = out.read_text(encoding="utf-8").replace("\\", "")
        assert "interop run -p p --select net-10" in text
