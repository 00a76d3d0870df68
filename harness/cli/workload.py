"""``interop plan``, ``apply``, ``destroy`` and ``explain``: a workload without a guideline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from guidelines.errors import BadDocument
from harness.cli.platforms import FILES
from harness.cli.workload_options import RESULTS, interruptible, parameters, run_folder
from harness.config import read_platforms
from harness.keys import public_key, run_key
from harness.run_spec import new_id, times
from provisioner.budget import HOUR, shown
from provisioner.driver import Driver, Owner
from provisioner.executor import Executor, Happening, OpenShell
from provisioner.ledger import Ledger
from provisioner.lint import site_literals
from provisioner.params import MISSING, Explained, Layer, explain
from provisioner.plan import Plan, Unmet
from provisioner.planner import make_plan
from provisioner.platform import PlatformConfig, open_driver
from provisioner.reap import Reaper, Selection
from provisioner.remote import open_remote
from provisioner.replay import read_ledger
from provisioner.site import Inputs, Site, layers_of, profile_layer
from provisioner.waiting import Cancel
from provisioner.workload import Workload, load_workload

NAMES = click.option("-p", "--platform", "names", multiple=True, required=True, help="Platform.")
SETS = click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Parameter.")
SITE = click.option(
    "--params",
    "site_file",
    type=click.Path(path_type=Path),
    default=None,
    help="File with the site's parameters, name: value; weaker than anything but defaults.",
)
QUIET = ("ready", "pending", "done", "creating")


@click.command("plan")
@click.argument("workload", default="reference")
@NAMES
@FILES
@SETS
@SITE
def plan_command(
    workload: str,
    names: tuple[str, ...],
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    site_file: Path | None,
) -> int:
    """Show what WORKLOAD would create, in order, and what is unmet. Nothing is created.

    Exits 2 when the workload cannot stand on these platforms; every reason is told.
    """
    loaded = load_workload(workload)
    configs = _configs(names, files)
    with _drivers(configs) as drivers:
        inputs = Inputs(
            owner=Owner(run="plan"),
            public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 plan",
            chosen=parameters(sets),
            site=_site_layer(site_file),
        )
        plan = _planned(loaded, configs, drivers, inputs)
    if plan is None:
        return 2
    for line in plan.lines():
        click.echo(line)
    total = f"{len(plan.members)} members, {len(plan.nodes)} steps"
    price = f", {plan.price_per_hour:.2f} an hour" if plan.price_per_hour else ""
    click.echo(f"{total} on {', '.join(plan.platforms)}{price}; {plan.digest}")
    for finding in site_literals(loaded):
        click.echo(f"not site-unaware: {finding}", err=True)
    return 0


@click.command("apply")
@click.argument("workload", default="reference")
@NAMES
@FILES
@SETS
@SITE
@RESULTS
@click.option("--run", "run_id", default="", help="Run to go on with. [default: a new one]")
@click.option("--jobs", type=click.IntRange(0), default=0, help="Threads; 0 is as many as useful.")
@click.option("--hours", type=click.FloatRange(0.01, 240), default=6.0, show_default=True,
              help="After so many hours anybody may reap it.")  # fmt: skip
def apply_command(
    workload: str,
    names: tuple[str, ...],
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    site_file: Path | None,
    results: Path,
    run_id: str,
    jobs: int,
    hours: float,
) -> int:
    """Stand WORKLOAD up and leave it standing. Again with the same --run: nothing changes.

    Exits 0 when everything stands, 3 when something does not; what stands is kept, and taken down
    by `interop destroy`.
    """
    loaded = load_workload(workload)
    configs = _configs(names, files)
    now, _, expires = times(hours)
    run = run_id or new_id(now)
    folder = run_folder(results, run)
    cancel = Cancel()
    with _drivers(configs) as drivers:
        folder.mkdir(parents=True, exist_ok=True)
        key = run_key(folder)
        file = folder / "ledger.jsonl"
        if file.exists():
            expires = read_ledger(file).expires or expires
        owner = Owner(run=run, expires=expires)
        inputs = Inputs(
            owner=owner,
            public_key=public_key(key),
            chosen=parameters(sets),
            site=_site_layer(site_file),
        )
        plan = _planned(loaded, configs, drivers, inputs)
        if plan is None:
            return 2
        if plan.wall_s is not None and hours * HOUR > plan.wall_s:
            click.echo(
                f"unmet: --hours {hours:g}: the budget allows {shown(plan.wall_s)}", err=True
            )
            return 2
        click.echo(f"run {run}: {len(plan.nodes)} steps on {', '.join(plan.platforms)}")
        with Ledger(file, run, expires=expires) as ledger, interruptible(cancel, folder, files):
            executor = Executor(
                drivers,
                ledger,
                owner,
                shell=_shell(configs, drivers, key),
                jobs=jobs,
                cancel=cancel,
                tell=_tell,
            )
            applied = executor.apply(plan, loaded.params, key)
        applied.deployment.save(folder / "lease.json")
    for node, error in applied.errors.items():
        click.echo(f"{node}: {type(error).__name__}: {error}", err=True)
    if applied.blocked:
        click.echo(f"not tried: {', '.join(applied.blocked)}", err=True)
    standing = len(applied.deployment.members)
    word = "stands" if applied.complete else "stands in part"
    click.echo(f"{loaded.name} {word}: {standing} members; lease {folder / 'lease.json'}")
    click.echo(f"take it down with: interop destroy {run} --results {results}")
    return 0 if applied.complete else 3


@click.command("destroy")
@click.argument("run")
@FILES
@RESULTS
@click.option("--jobs", type=click.IntRange(1), default=16, show_default=True, help="Threads.")
def destroy_command(run: str, files: tuple[Path, ...], results: Path, jobs: int) -> int:
    """Take down what RUN (an id, or its folder) made, and prove that it is gone.

    Exits 0 when nothing is left, 3 when something is; it is told why.
    """
    folder = run_folder(results, run)
    ledgers = sorted(folder.glob("ledger*.jsonl"))
    if not ledgers:
        raise BadDocument(str(folder), "", "no ledger there; expected the folder of a run")
    entries = [entry for file in ledgers for entry in read_ledger(file).entries.values()]
    configs = _configs(tuple(sorted({entry.platform for entry in entries})), files)
    with _drivers(configs) as drivers:
        reaper = Reaper(folder.parent, drivers, jobs=jobs, tell=_tell_removal)
        done = reaper.reap(Selection(run=folder.name))
    for alive in done.alive:
        click.echo(f"run {alive} is alive and is not touched", err=True)
    for left in done.left:
        click.echo(f"left: {left}", err=True)
    click.echo(f"{done.gone} gone, {len(done.left)} left")
    return 3 if done.left or done.alive else 0


@click.command("explain")
@click.argument("workload")
@click.argument("member")
@click.argument("param", required=False)
@NAMES
@FILES
@SETS
@SITE
def explain_command(
    workload: str,
    member: str,
    param: str | None,
    names: tuple[str, ...],
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    site_file: Path | None,
) -> int:
    """Show which value PARAM has for MEMBER of WORKLOAD, where it was written, and who lost."""
    loaded = load_workload(workload)
    group, _, index = member.rpartition("-")
    spec = loaded.model.groups.get(group)
    if spec is None or not index.isdigit() or not 1 <= int(index) <= spec.count:
        raise click.UsageError(f"{loaded.name} has no member {member!r}, expected such as app-1")
    if param is not None and param not in loaded.params:
        known = ", ".join(loaded.params) or "none"
        raise click.UsageError(f"{loaded.name} has no parameter {param!r}; known: {known}")
    configs = _configs(names, files)
    inputs = Inputs(
        owner=Owner(run="explain"),
        public_key="",
        chosen=parameters(sets),
        site=_site_layer(site_file),
    )
    for name, config in configs.items():
        profile = profile_layer(name, config.profile, loaded)
        layers = layers_of(loaded, group, member, profile, inputs)
        for one in [param] if param else loaded.params:
            for line in explained(explain(loaded.params[one], layers), name):
                click.echo(line)
    return 0


def explained(told: Explained, platform: str) -> Iterator[str]:
    """One parameter for people: the winner, then the losers."""
    name, secret = told.param.name, told.param.secret

    def shown(value: object) -> str:
        return "(secret)" if secret else f"{value!r}"

    if told.winner is None or told.value is MISSING:
        origin = f"provided by role {told.param.role}" if told.param.role else "no value"
        yield f"{name} on {platform}: {origin}"
        return
    yield f"{name} on {platform} = {shown(told.value)}"
    yield f"  from {told.winner.layer}, {told.winner.source}"
    for loser in told.losers:
        yield f"  not {shown(loser.value)} from {loser.layer}, {loser.source}"


# -- inside ------------------------------------------------------------------------------------


def _configs(names: tuple[str, ...], files: tuple[Path, ...]) -> dict[str, PlatformConfig]:
    platforms = read_platforms(files, names)
    return {name: platforms.get(name) for name in dict.fromkeys(names)}


@contextmanager
def _drivers(configs: Mapping[str, PlatformConfig]) -> Iterator[dict[str, Driver]]:
    """Open drivers, closed at the end."""
    with ExitStack() as stack:
        drivers: dict[str, Driver] = {}
        for name, config in configs.items():
            drivers[name] = open_driver(config)
            stack.callback(drivers[name].close)
        yield drivers


def _planned(
    workload: Workload,
    configs: Mapping[str, PlatformConfig],
    drivers: Mapping[str, Driver],
    inputs: Inputs,
) -> Plan | None:
    """The plan, or None after every unmet thing was told."""
    sites = [
        Site(driver=driver, description=driver.describe(), profile=configs[name].profile)
        for name, driver in drivers.items()
    ]
    try:
        plan = make_plan(workload, sites, inputs)
    except Unmet as unmet:
        for problem in unmet.problems:
            click.echo(f"unmet: {problem}", err=True)
        return None
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    return plan


def _site_layer(file: Path | None) -> Layer:
    from provisioner.documents import read_yaml

    if file is None:
        return Layer(name="site", values={})
    document = read_yaml(file)
    sources = {name: f"{file}:{document.lines.get(name, 0)}" for name in document.value}
    return Layer(name="site", values=document.value, sources=sources)


def _shell(
    configs: Mapping[str, PlatformConfig], drivers: Mapping[str, Driver], key: Path
) -> OpenShell:
    return lambda platform, handle, access: open_remote(
        configs[platform], drivers[platform], handle, access, key
    )


def _tell(happening: Happening) -> None:
    detail = f": {happening.detail}" if happening.detail and happening.what not in QUIET else ""
    click.echo(f"{happening.at:8.1f} s  {happening.node}  {happening.what}{detail}")


def _tell_removal(platform: str, ref: str, what: str, detail: str) -> None:
    if what != "deleting":
        click.echo(f"{platform}  {ref}  {what}: {detail}")
