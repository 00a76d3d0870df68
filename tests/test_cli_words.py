"""What the command says to words it does not know, and to terminals that know few signs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from guidelines.errors import BadDocument
from guidelines.results import load_results
from harness.cli.main import _one_line, cli
from harness.cli.run import _selected
from harness.cli.run_output import TEXT, quiet_console


def told(*words: str) -> tuple[int, str]:
    """Exit code and everything printed."""
    result = CliRunner().invoke(cli, list(words))
    return result.exit_code, result.output


def test_a_misspelt_command_is_answered_with_the_nearest() -> None:
    code, text = told("jugde")

    assert code == 2
    assert "did you mean 'judge'" in text


def test_a_misspelt_check_is_answered_with_the_nearest_or_with_the_chapters() -> None:
    with pytest.raises(BadDocument, match="no such check; did you mean 'net-09'"):
        _selected(("nett-09",), "2026.11")
    with pytest.raises(BadDocument, match=r"no such check; chapters are .*life, .*net"):
        _selected(("zzzzzz",), "2026.11")


def test_a_platform_that_is_named_twice_is_told() -> None:
    code, text = told("run", "-p", "x", "-p", "x")

    assert code == 2
    assert "-p x: given twice" in text


def test_policies_are_explained_only_where_they_can_be_chosen() -> None:
    assert "regression:" in told("run", "--help")[1]
    assert "regression:" not in told("judge", "--help")[1]


def test_an_error_of_a_replaced_file_names_the_file_that_was_asked_for() -> None:
    error = IsADirectoryError(21, "Is a directory", ".out.x1y2", None, "out")

    assert _one_line(error) == "out: is a directory"


def test_a_run_that_is_not_there_is_no_run_without_leftovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "platforms.yaml").write_text("platforms: {p: {kind: fake}}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("INTEROP_PLATFORMS", raising=False)

    assert "no such folder" in told("reap", "--run", "results/nope")[1]
    assert "no run nope in results, so only its tags were looked for" in told(
        "reap", "--run", "nope"
    )[1].replace("\n", " ")


def test_signs_the_terminal_cannot_show_are_no_reason_to_die() -> None:
    script = "from harness.cli import main; main.cli.main = lambda **_: print('\\u2714 passed');"
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}

    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{script} main.main()"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "? passed\n", "")


@pytest.mark.parametrize("words", [("guideline", "show", "2026.11"), ("--help",)])
def test_a_reader_that_leaves_is_no_verdict(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    interop = str(Path(sys.executable).with_name("interop"))
    done = subprocess.run([interop, *words], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_a_run_whose_reader_leaves_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", closefd=False) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        console = quiet_console(TEXT)
        console.print("a line")
        console.print("another")
    os.close(writing)

    assert console.quiet


def test_a_folder_without_results_is_told_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"no result\.json and no \*-result\.json in it"):
        load_results(tmp_path)


def test_a_wrong_option_of_run_waits_for_no_ssh_and_no_pytest() -> None:
    program = "import sys, harness.cli.run; print({'paramiko', 'pytest'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)

    assert done.stdout == "set()\n"
