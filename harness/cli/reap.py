"""``interop reap``: find and remove what dead runs left behind."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from harness.cli.platforms import FILES
from harness.cli.workload_options import RESULTS, run_folder
from harness.config import read_platforms
from provisioner.driver import Driver
from provisioner.errors import PlatformError
from provisioner.platform import open_driver
from provisioner.reap import Leftover, Reaper, Selection


@click.command("reap")
@click.option("--run", default="", metavar="RUN", help="One run: its id, or its folder.")
@click.option("--expired", is_flag=True, help="Whatever has outlived its time, of any run.")
@click.option("--mine", is_flag=True, help="All runs that have a ledger in --results.")
@click.option("-p", "--platform", "names", multiple=True, help="Look there only. [default: all]")
@FILES
@RESULTS
@click.option("--yes", is_flag=True, help="Do it; without it nothing is changed.")
def reap_command(
    run: str,
    expired: bool,
    mine: bool,
    names: tuple[str, ...],
    files: tuple[Path, ...],
    results: Path,
    yes: bool,
) -> int:
    """Find what dead runs left behind, and with --yes remove it.

    Runs whose process is alive are not touched, and nothing without our tags is seen. Exits 0
    when nothing is left (or would be), 3 when something is, a platform could not be asked, or the
    run is alive.
    """
    if sum((bool(run), expired, mine)) != 1:
        raise click.UsageError("expected exactly one of --run, --expired and --mine")
    if run:
        folder = run_folder(results, run)
        if folder != results / run and not folder.is_dir():
            raise click.UsageError(f"--run: {run}: no such folder")
        run, results = folder.name, folder.parent
    which = Selection(run=run, expired=expired, mine=mine)
    platforms = read_platforms(files, names or None)
    for name in names:
        platforms.get(name)
    with ExitStack() as stack:
        drivers: dict[str, Driver] = {}
        unasked: list[str] = []
        for name in names or platforms.configs:
            try:
                driver = open_driver(platforms.configs[name])
                stack.callback(driver.close)
                driver.describe()
                drivers[name] = driver
            except PlatformError as error:
                unasked.append(f"{name}: {type(error).__name__}: {error}")
        reaper = Reaper(results, drivers, tell=_tell)
        leftovers, seen = reaper.look(which)
        for run_id in seen.alive:
            click.echo(f"run {run_id} is alive and is not touched", err=True)
        for line in (*unasked, *seen.unasked):
            click.echo(f"could not ask: {line}", err=True)
        for left in leftovers:
            click.echo(_line(left))
        if not yes:
            nothing = "nothing to remove"
            if run and not (results / run).is_dir():
                nothing += f"; no run {run} in {results}, so only its tags were looked for"
            click.echo(f"{len(leftovers)} would be removed; repeat with --yes to do it"
                       if leftovers else nothing)  # fmt: skip
            return 3 if unasked or seen.unasked or (run and seen.alive) else 0
        done = reaper.reap(which)
    for text in done.left:
        click.echo(f"left: {text}", err=True)
    click.echo(f"{done.gone} gone, {len(done.left)} left")
    return 3 if done.left or unasked or (run and done.alive) else 0


def _line(left: Leftover) -> str:
    age = f"{left.age_s / 3600:.1f} h old" if left.age_s else ""
    identity = left.handle.id if left.handle is not None else "no id known"
    expires = f"expires {left.expires}" if left.expires else ""
    parts = [left.run, left.platform, left.ref, identity, age, expires, f"by {left.known}"]
    return "  ".join(part for part in parts if part)


def _tell(platform: str, ref: str, what: str, detail: str) -> None:
    click.echo(f"{platform}  {ref}  {what}: {detail}")
