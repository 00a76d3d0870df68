"""A run's own Allure folder, once the verdict is there: what pytest wrote, as it was judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from guidelines.model import Guideline
from harness.subjects import about_checks
from reports.exports.allure import context, judged
from reports.result import Result
from reports.subject import judgement_of, subject_of
from reports.verdict import VerdictDocument
from reports.write import write_text


def tell_verdict(
    folder: Path,
    result: Result,
    verdict: VerdictDocument,
    guideline: Guideline,
    build: Mapping[str, str],
    *,
    missing: bool,
) -> None:
    """Bring the results in *folder* in line with the verdict; nothing if there is no folder.

    Args:
        folder: where allure-pytest wrote.
        result: what was seen.
        verdict: what it came to.
        guideline: by which it was judged.
        build: of the CI system, see ``build_of``.
        missing: whether required checks that did not run are told; not if only some were asked for.
    """
    if not folder.is_dir():
        return
    components = guideline.programs[verdict.program].components
    judgement = judgement_of(verdict, digest=guideline.digest, components=components)
    subject = replace(subject_of(result), judgement=judgement)
    about = about_checks(guideline, list(guideline.programs))
    for name, text in judged(_written(folder), subject, about, missing=missing):
        write_text(folder / name, text)
    for name, text in context([subject], build):
        write_text(folder / name, text)


def _written(folder: Path) -> dict[str, dict[str, Any]]:
    """The results by the names of their files; one that breaks off is none: pytest was killed."""
    found = {}
    for file in sorted(folder.glob("*-result.json")):
        with suppress(ValueError):
            found[file.name] = json.loads(file.read_text(encoding="utf-8"))
    return found


def build_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The build that runs us, in the words of Allure's executor.json; nothing outside of one.

    Source: GitHub and GitLab documentation, predefined variables. Jenkins' plugin writes its own.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        server, repository, run, name, number = (
            environment.get(f"GITHUB_{word}", "")
            for word in ("SERVER_URL", "REPOSITORY", "RUN_ID", "WORKFLOW", "RUN_NUMBER")
        )
        url = f"{server}/{repository}/actions/runs/{run}"
        told = {"name": "GitHub Actions", "type": "github", "buildName": f"{name} #{number}"}
        return told | {"buildUrl": url}
    if environment.get("GITLAB_CI") == "true":
        name, number, url = (
            environment.get(f"CI_{word}", "") for word in ("JOB_NAME", "PIPELINE_IID", "JOB_URL")
        )
        told = {"name": "GitLab CI", "type": "gitlab", "buildName": f"{name} #{number}"}
        return told | {"buildUrl": url}
    return {}
