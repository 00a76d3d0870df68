"""What makes a command fail: the policies of ``--fail-on``, for builds that gate on a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
from click.decorators import FC

from guidelines.catalog import load_guideline
from guidelines.errors import BadDocument
from harness.subjects import (
    Judging,
    expanded,
    load_about,
    load_subjects,
    read_subject,
    stored_waivers,
)
from harness.suites_files import suites_digest
from reports.compare.guards import objections
from reports.compare.regressions import Changes, changes

POLICIES = ("verdict", "not-compliant", "regression", "never")
_TOLD = {
    "verdict": "verdict: 1 not compliant, 3 could not be judged.",
    "not-compliant": "not-compliant: only 1.",
    "regression": "regression: 1 if anything passed in the --baseline and does not now,"
    " 3 if that cannot be told.",
    "never": "never: 0.",
}


def fail_on_option(*names: str) -> Callable[[FC], FC]:
    """``--fail-on`` with the policies *names*, the first one the default."""
    return click.option(
        "--fail-on",
        type=click.Choice(names or POLICIES),
        default=(names or POLICIES)[0],
        show_default=True,
        help=" ".join([*(_TOLD[name] for name in names or POLICIES), "Bad input is always 2."]),
    )


def gated(code: int, policy: str) -> int:
    """The exit code of a verdict's *code* under a policy that asks for no baseline."""
    if policy == "never":
        return 0
    if policy == "not-compliant":
        return int(code == 1)
    return code


def regression_code(found: Changes) -> int:
    """1 if something got worse, 3 if something that passed can now not be told, else 0.

    A verdict or level that fell because something could not be told is 3 as well.
    """
    unsure = {change.member for change in found.of("unknown")}
    fallen = [f for f in found.fallen if f.after == "not-compliant" or f.member not in unsure]
    if found.of("regression") or fallen:
        return 1
    return 3 if unsure else 0


def check_baselines(baselines: Sequence[Path]) -> None:
    """Refuse, before a run begins, baselines of other suites than are installed now.

    Raises:
        BadDocument: one is no result, or other checks ran for it.
    """
    installed = suites_digest()
    for path in expanded(baselines):
        subject, _ = read_subject(path)
        if subject.suite != installed:
            message = "other checks ran for it than are installed now; make a new baseline"
            raise BadDocument("--baseline", str(path), message)


def against(
    folder: Path,
    baselines: Sequence[Path],
    reference: str,
    program: str | None,
) -> Changes:
    """What changed in the run in *folder* against the baselines.

    Raises:
        BadDocument: the baselines are not comparable with it; results that did not finish are
            told by their own verdict and are no reason here.
    """
    judging = Judging(
        guideline=load_guideline(reference),
        program=program,
        waivers=stored_waivers([folder]),
    )
    new = load_subjects(expanded([folder]), judging)
    earlier = expanded(baselines)
    old = load_subjects(earlier, replace(judging, waivers=stored_waivers(earlier)))
    grave = [o for o in objections([*new, *old]) if o.grave and o.code in ("suite", "workload")]
    if grave:
        text = "; ".join(objection.text for objection in grave)
        raise BadDocument("--baseline", "", f"not comparable: {text}")
    return changes(new, old, load_about([*new, *old], judging.guideline))
