"""``interop sign``: put a name to a result and its verdict."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import click
from securesystemslib.signer import CryptoSigner

from guidelines.catalog import DATA, load_guideline, shipped_guidelines
from guidelines.errors import BadDocument
from guidelines.requirements import choose_program
from harness.attest import bundle
from harness.attest.sign import Case, countersign, make
from harness.attest.verify import BESIDE
from harness.cli.guideline import day_option
from harness.private import read_private
from reports.attest.keys import is_encrypted, private_key
from reports.errors import BadReport
from reports.read import read_verdict
from reports.redact import Private
from reports.verdict import VerdictDocument

_FILE = click.Path(path_type=Path)
KEY_BYTES = 64 * 1024


@click.command("sign")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=_FILE)
@click.option("--key", "key_file", type=_FILE, required=True, help="Private key, PEM or OpenSSH.")
@click.option(
    "--passphrase-from",
    metavar="env:NAME|file:PATH",
    help="Where the key's passphrase is; asked for on a terminal if not given.",
)
@click.option("--to", "folder", type=_FILE, help="The bundle to make.")
@click.option("--guideline", "reference", metavar="G", help="Shipped id or file.")
@click.option("--program", metavar="P", help="Program; the guideline's default if not given.")
@day_option("Judge as of this day; the day of the run's verdict, or today.")
@click.option("--waivers", type=_FILE, help="File of granted exceptions.")
@click.option("--known-failing", type=_FILE, help="List of known failures.")
@click.option("--strict", is_flag=True, help="A known failure that passes fails the verdict.")
@click.option("--host", "hosts", multiple=True, metavar="G", help="Guideline of other components.")
@click.option("--private", "private_file", type=_FILE, help="File of what is not to be published.")
@click.option(
    "--valid",
    "days",
    type=click.IntRange(1, 3660),
    default=365,
    show_default=True,
    help="Days the verdict may be relied on; never longer than its evidence counts.",
)
def sign_command(
    results: tuple[Path, ...],
    key_file: Path,
    passphrase_from: str | None,
    folder: Path | None,
    reference: str | None,
    program: str | None,
    at: date,
    waivers: Path | None,
    known_failing: Path | None,
    strict: bool,
    hosts: tuple[str, ...],
    private_file: Path | None,
    days: int,
) -> None:
    """Judge RESULT and sign what was seen and what it comes to, as a bundle.

    RESULT is a platform's folder of a run, one or more files of evidence with --guideline, or a
    bundle: then the signature is added to it (a certification body signs what a vendor sent).
    The bundle holds in-toto statements in DSSE envelopes and every file they are about. A result
    of ours is signed as it may be published: secrets, addresses of management controllers and
    what --private names are taken out before.
    """
    signer = _signer(key_file, passphrase_from)
    if len(results) == 1 and bundle.is_bundle(results[0]):
        before = bundle.read_bundle(results[0])
        files = countersign(before, signer)
        known = files == before
        if folder is not None or not known:
            bundle.write_bundle(folder or results[0], files, replace=folder is None)
        how = "already" if known else "as well"
        click.echo(f"signed {how} by {signer.public_key.keyid}: {folder or results[0]}")
        return
    if folder is None:
        raise click.UsageError("--to: where is the bundle to be made?")
    explicit = click.get_current_context().get_parameter_source("at")
    given = at if explicit is click.core.ParameterSource.COMMANDLINE else None
    case, expected = _case(results, reference, program, given)
    if waivers or known_failing or strict or hosts:
        expected = None  # the run's own verdict knew of none of these
    case = replace(
        case,
        waivers=waivers,
        known_failing=known_failing,
        strict=strict,
        hosts=[_file(host) for host in hosts],
    )
    private = read_private(private_file) if private_file else Private()
    files = make(case, signer, days=days, private=private, expected=expected)
    bundle.write_bundle(folder, files)
    verdict = read_verdict(folder)
    click.echo(f"{verdict.guideline} {verdict.program}: {verdict.verdict}")
    click.echo(f"signed by {signer.public_key.keyid}: {folder}")


def _case(
    results: tuple[Path, ...], reference: str | None, program: str | None, at: date | None
) -> tuple[Case, VerdictDocument | None]:
    """What is to be signed; for a folder of a run, by what its own verdict was judged."""
    first = results[0]
    if len(results) == 1 and (first / "result.json").is_file():
        told = read_verdict(first)
        guideline = _file(reference or told.guideline)
        same = reference is None and program is None and at is None
        case = Case(
            evidence=[first / "result.json"],
            beside=[first / name for name in BESIDE if (first / name).is_file()],
            guideline=guideline,
            program=program or told.program,
            at=at or date.fromisoformat(told.at),
        )
        return case, told if same else None
    if reference is None:
        raise click.UsageError("--guideline: by what is the evidence judged?")
    for path in results:
        if not path.is_file():
            raise BadReport(str(path), "", "expected a file of evidence, or a platform's folder")
    day = at or date.today()
    chosen = choose_program(load_guideline(reference), program, day)
    case = Case(evidence=results, guideline=_file(reference), program=chosen.id, at=day)
    return case, None


def _file(reference: str) -> Path:
    """The file of a guideline: a path, or a shipped one's."""
    if Path(reference).is_file():
        return Path(reference)
    if reference in shipped_guidelines():
        return DATA / f"{reference}.yaml"
    raise BadDocument(reference, "", "no such file, and no shipped guideline")


def _signer(file: Path, passphrase_from: str | None) -> CryptoSigner:
    with file.open("rb") as stream:
        data = stream.read(KEY_BYTES)
    passphrase = _passphrase(passphrase_from)
    if passphrase is None and is_encrypted(data):
        if not sys.stdin.isatty():
            raise BadReport(str(file), "key", "needs a passphrase; give --passphrase-from")
        passphrase = click.prompt(f"passphrase of {file.name}", hide_input=True, err=True).encode()
    return private_key(data, passphrase, str(file))


def _passphrase(reference: str | None) -> bytes | None:
    """The passphrase a reference leads to."""
    if reference is None:
        return None
    kind, _, where = reference.partition(":")
    if kind == "env" and where in os.environ:
        return os.environ[where].encode()
    if kind == "file" and where:
        return Path(where).read_bytes().rstrip(b"\r\n")
    raise click.UsageError("--passphrase-from: expected env:NAME of a set variable, or file:PATH")
