"""A run's Allure folder after the verdict, also where pytest was killed while it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from guidelines.catalog import load_guideline
from harness.allure_folder import tell_verdict
from reports.read import read_result, read_verdict


def test_a_file_that_breaks_off_and_checks_that_never_ran_are_told(tmp_path: Path) -> None:
    entry = {"kind": "fake", "emulator": True}
    (tmp_path / "platforms.yaml").write_text(json.dumps({"platforms": {"cloud": entry}}))
    interop = Path(sys.executable).with_name("interop")
    words = ("run", "-p", "cloud", "--select", "net-06", "--fail-on", "never", "--json")
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [interop, *words], cwd=tmp_path, env=home, capture_output=True, text=True, timeout=180
    )
    run = Path(json.loads(done.stdout)["folder"]) / "cloud"
    (run / "allure" / "broken-result.json").write_text('{"uuid": "b')
    verdict = read_verdict(run)

    tell_verdict(
        run / "allure", read_result(run), verdict, load_guideline("2026.11"), {}, missing=True
    )

    said = {}
    for file in (run / "allure").glob("*-result.json"):
        if file.name != "broken-result.json":
            result = json.loads(file.read_text())
            said[result["name"].split()[0]] = result["status"]
    assert said.pop("net-06") == "passed"
    assert set(said.values()) == {"failed"}
    assert len(said) == verdict.counts["missing"] > 0
