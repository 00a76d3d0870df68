"""The recipes of docs/ci.md, run as they stand there: an empty HOME, no terminal, nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from harness.cli.main import cli

TEXT = (Path(__file__).parent.parent / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
GITHUB = next(block for block in BLOCKS if "jobs" in block)
GITLAB = next(block["interop"] for block in BLOCKS if "interop" in block)
BIN = str(Path(sys.executable).parent)


def commands() -> list[str]:
    """Every line of the page that calls the tool."""
    lines = re.findall(r"^\s*(?:- code=0; |if [^;]+; then )?(interop .*?)(?:  +#.*)?$", TEXT, re.M)
    return [line for line in lines if "interop:" not in line]


@pytest.mark.parametrize("line", commands())
def test_every_option_on_the_page_is_one_of_the_tool(line: str) -> None:
    words = re.split(r"[>;|#]", line)[0].split()
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    known = {
        o
        for p in command.params
        if isinstance(p, click.Option)
        for o in (*p.opts, *p.secondary_opts)
    }

    assert {word for word in words[2:] if re.match(r"--?[a-z]", word)} <= known


def test_the_page_has_lines_to_look_at() -> None:
    assert len(commands()) >= 8


def test_the_steps_for_github_end_as_promised(tmp_path: Path) -> None:
    entry = {"kind": "fake", "emulator": True, "defects": ["net-09"]}
    (tmp_path / "platforms.yaml").write_text(json.dumps({"platforms": {"cloud": entry}}))
    (tmp_path / "waivers.yaml").write_text("[]\n")
    told: dict[str, str] = {}
    ended: dict[str, subprocess.CompletedProcess[str]] = {}

    for step in GITHUB["jobs"]["interop"]["steps"]:
        if "run" in step and "pip install" not in step["run"]:
            ended[step["name"]] = shell(tmp_path, step, told)
            lines = (tmp_path / "output").read_text().splitlines()
            told = dict(line.split("=", 1) for line in lines)

    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    annotations = ended["summary and annotations"].stdout.splitlines()
    run = json.loads((tmp_path / "run.json").read_text())
    sarif = json.loads((tmp_path / "interop.sarif").read_text())
    assert run["exit_code"] == ended["gate"].returncode == 1
    assert annotations[0].startswith("::error title=net-09 failed on cloud::")
    assert "| ✘ failed | net-09 |" in summary
    assert "interop run -p cloud --select net-09 --seed" in summary
    assert "required checks did not run: alloc-01" in summary
    assert "net-09" in {found["ruleId"] for found in sarif["runs"][0]["results"]}


def test_what_cannot_start_ends_with_2_on_both(tmp_path: Path) -> None:
    (tmp_path / "platforms.yaml").write_text("platforms: {}\n")
    run, *_ = (s for s in GITHUB["jobs"]["interop"]["steps"] if s.get("id") == "run")
    script = "\n".join(line for line in GITLAB["script"] if "pip install" not in line)

    started = shell(tmp_path, run, {})
    ended = shell(tmp_path, {"run": script}, {})

    assert (tmp_path / "output").read_text() == "code=2\n"  # no folder: the gate comes next
    assert ended.returncode == 2
    assert "Traceback" not in started.stderr + ended.stderr


def test_gitlabs_script_ends_as_promised_and_keeps_a_baseline(tmp_path: Path) -> None:
    entry = {"kind": "fake", "emulator": True}
    (tmp_path / "platforms.yaml").write_text(json.dumps({"platforms": {"cloud": entry}}))
    (tmp_path / "waivers.yaml").write_text("[]\n")
    branch = "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main"
    lines = [f"export {branch}", *(s for s in GITLAB["script"] if "pip install" not in s)]

    first = shell(tmp_path, {"run": "\n".join(lines)}, {})

    assert first.returncode == 3  # one check alone tells no verdict
    assert 'name="net-09"' in (tmp_path / "junit.xml").read_text()
    assert (tmp_path / "baseline" / "cloud" / "result.json").is_file()
    assert not (tmp_path / "baseline" / "key").exists()
    assert (next((tmp_path / "results").iterdir()) / "key").is_file()  # what is left out


def shell(place: Path, step: dict[str, Any], told: dict[str, str]) -> Any:
    """Run a step as the runner does, with one check instead of all."""
    text = re.sub(r"\$\{\{ steps\.run\.outputs\.(\w+) \}\}", lambda m: told[m[1]], step["run"])
    text = text.replace("interop run -p cloud", "interop run -p cloud --select net-09")
    (place / "home").mkdir(exist_ok=True)
    (place / "output").touch()
    environment = {
        "PATH": f"{BIN}{os.pathsep}/usr/bin:/bin",
        "HOME": str(place / "home"),
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
    }
    return subprocess.run(
        ["bash", "-e", "-c", text], cwd=place, env=environment, capture_output=True, text=True,
        timeout=120, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def test_gitlab_shows_what_the_script_makes() -> None:
    script = "\n".join(GITLAB["script"])
    artifacts = GITLAB["artifacts"]

    for file in (artifacts["reports"]["junit"], "summary.md", "comparison.html"):
        assert file in script
    assert GITLAB["allow_failure"] == {"exit_codes": 3}
