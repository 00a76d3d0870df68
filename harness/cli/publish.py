"""``interop publish``: a static site of many results, made again when there are more."""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from guidelines.catalog import load_guideline, load_waivers
from guidelines.errors import BadDocument
from harness.attest.bundle import VERDICT_ENVELOPE, is_bundle
from harness.cli.guideline import day_option
from harness.cli.verify import trusted_keys
from harness.private import read_private
from harness.publication import Publication, machine_salt
from harness.publishing import publish
from reports.read import digest
from reports.redact import Private

_FILE = click.Path(path_type=Path)
DEEP = ("*/result.json", "*/*/result.json")  # in a run's folder, in a folder of runs


@click.command("publish")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=_FILE)
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--guideline",
    "references",
    multiple=True,
    default=("2026.11",),
    show_default=True,
    help="Shipped id or file; certificates go by the first.",
)
@click.option("--program", metavar="P", help="Program to judge by. [default: by platform]")
@click.option("--waivers", "waiver_file", type=_FILE, help="File of granted exceptions.")
@click.option("--private", "private_file", type=_FILE, help="File of what is not to be published.")
@click.option(
    "--trust",
    "trust_files",
    multiple=True,
    type=_FILE,
    help="File of allowed signers, whose names stand at signed bundles.",
)
@click.option("--title", default="Interop", show_default=True, help="Title of the site.")
@click.option("--base-url", default="", help="Address it is published at; for the feed.")
@day_option("States as of this day; today if not given.")
def publish_command(
    results: tuple[Path, ...],
    folder: Path,
    references: tuple[str, ...],
    program: str | None,
    waiver_file: Path | None,
    private_file: Path | None,
    trust_files: tuple[Path, ...],
    title: str,
    base_url: str,
    at: date,
) -> None:
    """Publish RESULTs as a static site.

    A RESULT is a result.json, its folder, a run's folder, a folder of runs, a result of another
    tool, or a signed bundle. A bundle is verified first and can be taken from the site; one that
    does not hold is refused. The site needs no server and fetches nothing. Give all results each
    time: what is published already is not read again, and what is no longer given is removed.

    Secrets and addresses of management controllers are taken out, and so is whatever
    platform.declared.private of a result, or the file of --private, names: values, keys, networks.
    """
    if find_spec("vl_convert") is None:
        raise click.UsageError("needs vl-convert-python: pip install 'interop-harness[site]'")
    if base_url and not base_url.startswith(("https://", "http://")):
        raise BadDocument("--base-url", "", "expected an address such as https://example.org/")
    publication = Publication(
        guidelines=[load_guideline(reference) for reference in dict.fromkeys(references)],
        program=program,
        waivers=load_waivers(waiver_file) if waiver_file else (),
        waivers_digest=digest(waiver_file) if waiver_file else "",
        private=read_private(private_file) if private_file else Private(),
        day=at,
        title=title,
        base=f"{base_url.rstrip('/')}/" if base_url else "",
        salt=machine_salt(),
        trusted=tuple(signer for file in trust_files for signer in trusted_keys(file)),
    )
    ids = [guideline.id for guideline in publication.guidelines]
    if len(set(ids)) < len(ids):
        raise BadDocument("--guideline", "", f"given twice: {', '.join(ids)}")
    if program and not any(program in g.programs for g in publication.guidelines):
        known = ", ".join(p for g in publication.guidelines for p in g.programs)
        raise BadDocument("--program", program, f"no such program; known: {known}")
    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("results", total=None)
        done = publish(
            publication,
            find_results(results),
            folder,
            lambda number, all_: bar.update(task, completed=number, total=all_, refresh=True),
        )
    click.echo(
        f"{done.results} results, {done.read} of them new;"
        f" {len(done.written)} files written, {done.same} unchanged, {len(done.removed)} removed"
    )
    click.echo(f"site: {folder / 'index.html'}")


def find_results(paths: tuple[Path, ...]) -> list[Path]:
    """The results at *paths*, each once: files, and folders that hold some.

    Raises:
        BadDocument: there is nothing at a path.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        inside = [path]
        if path.is_dir() and is_bundle(path):
            found.setdefault(path.resolve(), path)
            continue
        if path.is_dir() and not (path / "result.json").is_file():
            bundles = sorted(one.parent for one in path.glob(f"*/{VERDICT_ENVELOPE}"))
            deep = sorted(
                file
                for pattern in DEEP
                for file in path.glob(pattern)
                if not is_bundle(file.parent)
            )
            deep = [*bundles, *deep]
            inside = deep or [path]
        elif path.is_dir():
            inside = [path / "result.json"]
        elif not path.exists():
            raise BadDocument(str(path), "", "no such file or folder; expected results")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())
