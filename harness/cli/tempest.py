"""``interop tempest run``: the field's own suite on a platform, judged by a guideline."""

from __future__ import annotations

import secrets
import signal
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guidelines.catalog import load_guideline
from guidelines.judge import judge
from guidelines.requirements import choose_program, resolve
from guidelines.results import load_results
from guidelines.verdict import Verdict
from harness.cli.platforms import FILES
from harness.cli.tables import Table, output_options, print_document, print_line, print_tables
from harness.config import read_platforms
from harness.mask import Masker
from provisioner.errors import BadRequest
from provisioner.lab.images import Images
from provisioner.platform import PlatformConfig, open_driver
from reports.verdict import VerdictDocument
from reports.write import write_document, write_text

if TYPE_CHECKING:
    from harness.tempest.cloud import Cloud
    from harness.tempest.selection import Selection

_FILE = click.Path(path_type=Path)
EVERY_S = 15.0  # from one line of progress to the next where nobody looks at a terminal


@click.group("tempest")
def tempest_command() -> None:
    """Tempest, OpenStack's own suite."""


@tempest_command.command("run")
@click.option("-p", "--platform", "name", required=True, help="Platform of kind openstack.")
@FILES
@click.option("--guideline", "reference", required=True, metavar="G", help="Shipped id or file.")
@click.option("--program", metavar="P", help="Program; the guideline's default if not given.")
@click.option(
    "--as",
    "others",
    multiple=True,
    metavar="CLOUD",
    help="More entries of clouds.yaml whose users the tests may act as; no administrators. By"
    " default the platform's own `tenants`.",
)
@click.option("--admin", metavar="CLOUD", help="Let tests make their own users, as this one.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--only", metavar="REGEX", help="Only those of the required tests.")
@click.option("--results", type=_FILE, default=Path("results"), show_default=True)
@output_options
@click.pass_context
def run_command(
    context: click.Context,
    name: str,
    files: tuple[Path, ...],
    reference: str,
    program: str | None,
    others: tuple[str, ...],
    admin: str | None,
    concurrency: int,
    only: str | None,
    results: Path,
    form: str,
) -> None:
    """Run the tests of a guideline's program with Tempest, and judge what comes of it.

    Installs Tempest in an environment of its own, configures it from what the platform offers to
    an ordinary user, keeps the subunit stream as evidence. A test that is required and not there,
    or cannot be served, is listed with the reason. Exits 0 when compliant, 1 when not, 2 on bad
    input, 3 when it could not be told.
    """
    from harness.tempest.config import accounts, render, sections
    from harness.tempest.execution import Workspace, install, version
    from harness.tempest.footing import networks

    platforms = read_platforms(files)
    platform = platforms.get(name)
    guideline = load_guideline(reference)
    today = datetime.now(UTC).date()
    chosen = choose_program(guideline, program, today)
    required = resolve(guideline, chosen, at=today).must_pass
    users, cloud, manager = _cloud(platform, others, admin)
    features, declared = _described(platform)
    say = _say(form)
    if len(users) == 1 and manager is None:
        say("one user only: tests that act as two will fail; name more with --as, or as tenants")
    venv = install(Images(progress=say), say)
    about = f"Tempest {version(venv)}"
    run = f"tempest-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = results / run / name
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):  # leave in order, also in the background
            stack.callback(signal.signal, number, signal.signal(number, _leave))
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="interop-tempest-"))
        reach = platform.settings.get("reach") or {}
        namespace = reach.get("namespace", "")
        workspace = Workspace(venv=venv, folder=Path(scratch), namespace=namespace)
        made = sections(
            cloud,
            features,
            declared,
            folder=workspace.folder,
            admin=manager,
            logs_in=bool(namespace) or not reach,
        )
        listed = ""
        if manager is None:
            say(f"a network for each of {len(users)} users")
            nets = stack.enter_context(networks(platform, list(users), folder.parent, run))
            listed = accounts(users, nets)
        workspace.prepare(render(made), listed)
        words = [user.password for user in (*users.values(), *([manager] if manager else ()))]
        masker = Masker([*platforms.secrets, *words])
        write_text(folder / "tempest.conf", masker.text(render(made)))
        selection = _selected(workspace.known(), [item.check for item in required], only)
        say(f"{about}: {len(selection.tests)} tests for {len(required)} required")
        workers = concurrency if manager else max(1, min(concurrency, len(users) // 2))
        told = _Progress(len(selection.tests), say)
        workspace.run(selection.tests, folder / "stream.subunit", concurrency=workers, told=told)
        for log in ("tempest.log", "stderr"):
            if (workspace.folder / log).exists():
                text = (workspace.folder / log).read_text(encoding="utf-8", errors="replace")
                write_text(folder / log, masker.text(text))
        if not told.counts:
            raise BadRequest(f"tempest ran nothing: {workspace.complaint()}")
    verdict = judge(
        guideline, [load_results(folder / "stream.subunit")], program=chosen.id, at=today
    )
    write_document(
        folder / "verdict.json", VerdictDocument.model_validate(verdict.to_json()).dump()
    )
    document = _report(about, cloud, selection, verdict, declared, told.counts)
    write_document(folder / "tempest.json", document)
    if form == "json":
        print_document(document)
    else:
        _print(document, verdict, folder, form)
    context.exit(verdict.exit_code)


def _cloud(platform: PlatformConfig, others: tuple[str, ...], admin: str | None) -> Any:
    """Users, cloud and administrator of a platform of kind openstack."""
    if platform.kind != "openstack":
        raise BadRequest(f"{platform.name}: is of kind {platform.kind}; Tempest needs openstack")
    from harness.tempest.cloud import Clouds

    file = platform.settings.get("config_file")
    cloud = str(platform.settings.get("cloud", ""))
    clouds = Clouds(Path(file) if file else None, str(platform.settings.get("region", "")))
    acting = dict.fromkeys((cloud, *(others or platform.settings.get("tenants", ()))))
    users = {entry: clouds.user(entry) for entry in acting}
    return users, clouds.look(cloud), clouds.user(admin) if admin else None


def _described(platform: PlatformConfig) -> tuple[frozenset[str], dict[str, Any]]:
    """What the driver says there is, and what the owner declares for Tempest."""
    declared = platform.declared.get("tempest", {})
    if not isinstance(declared, dict):
        raise BadRequest(f"{platform.name}: declared.tempest: expected sections of options")
    driver = open_driver(platform)
    try:
        return driver.describe().features, declared
    finally:
        driver.close()


def _selected(known: list[str], checks: list[Any], only: str | None) -> Selection:
    import re

    from harness.tempest.selection import select

    if only is not None:
        try:
            pattern = re.compile(only)
        except re.error as error:
            raise BadRequest(f"--only: {error}") from error
        checks = [check for check in checks if pattern.search(check.id)]
    selection = select(checks, known)
    if not selection.tests:
        raise BadRequest("none of the required tests is in this Tempest")
    return selection


def _leave(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


class _Progress:
    """Counts tests as they end, and says where it is."""

    def __init__(self, total: int, say: Any) -> None:
        self.counts: Counter[str] = Counter()
        self._total = total
        self._say = say
        self._last = 0.0

    def __call__(self, test: str, status: str, seconds: float) -> None:
        self.counts[status] += 1
        done = sum(self.counts.values())
        if status in ("fail", "uxsuccess"):
            self._say(f"failed: {test}")
        if time.monotonic() - self._last > EVERY_S or done == self._total:
            self._last = time.monotonic()
            counts = ", ".join(f"{number} {name}" for name, number in self.counts.items())
            self._say(f"{done} of {self._total} after {seconds:.0f} s: {counts}")


def _say(form: str) -> Any:
    """Progress goes to the standard error, so that a document can be piped on."""
    quiet = form == "json"
    return lambda text: None if quiet else click.echo(f"tempest: {text}", err=True)


def _report(
    about: str,
    cloud: Cloud,
    selection: Selection,
    verdict: Verdict,
    declared: dict[str, Any],
    counts: Counter[str],
) -> dict[str, Any]:
    """What happened, with the reason of everything that did not pass."""
    absent = set(selection.absent)
    reasons = {
        item.id: f"not in {about}" if item.id in absent else item.reason
        for item in verdict.items
        if item.state.value not in ("passed", "not-applicable")
        and (item.id in absent or item.id in selection.by_check)
    }
    return {
        "schema": "interop.tempest/1",
        "tempest": about,
        "verdict": verdict.verdict.value,
        "counts": verdict.counts.to_json(),
        "ran": dict(counts),
        "services": {name: bool(kind) for name, kind in cloud.services.items()},
        "declared": declared,
        "notes": list(cloud.notes),
        "renamed": list(selection.renamed),
        "not-asked-for": verdict.counts.required - len(selection.by_check) - len(absent),
        "not-passed": [
            {"id": item.id, "state": item.state.value, "reason": reasons[item.id]}
            for item in verdict.items
            if item.id in reasons
        ],
    }


def _print(document: dict[str, Any], verdict: Verdict, folder: Path, form: str) -> None:
    rows = [(entry["state"], entry["id"], entry["reason"]) for entry in document["not-passed"]]
    counts = [(name, number) for name, number in document["counts"].items() if number]
    print_tables(
        [
            Table(title="not passed", columns=("state", "test", "reason"), rows=rows),
            Table(title="required tests", columns=("state", "tests"), rows=counts),
        ],
        form,
    )
    print_line(f"{document['tempest']} for {verdict.guideline} {verdict.program}", form)
    print_line(f"verdict: {verdict.verdict.value}; evidence: {folder / 'stream.subunit'}", form)
