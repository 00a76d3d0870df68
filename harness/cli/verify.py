"""``interop verify``: say in words what holds of a signed bundle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guidelines.catalog import load_guideline, read_mapping
from harness.attest import bundle
from harness.attest.rejudge import sealed_of
from harness.attest.verify import verify
from harness.cli.guideline import day_option
from harness.cli.tables import Table, output_options, print_document, print_line, print_tables
from reports.attest.holding import Line, Revocation, worst
from reports.attest.keys import Signer, public_keys
from reports.attest.statement import VerdictPredicate
from reports.errors import BadReport

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
EXIT = {"holds": 0, "fails": 1, "unknown": 3}
VERDICT_EXIT = {"compliant": 0, "not-compliant": 1, "inconclusive": 3}
SUMMARY = {
    "holds": "all of it holds",
    "fails": "it does not hold",
    "unknown": "it could not be told whether it holds",
}


@click.command("verify")
@click.argument("folder", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--key", "keys", multiple=True, type=_FILE, help="A public key you trust.")
@click.option("--trust", "keys_too", multiple=True, type=_FILE, help="File of allowed signers.")
@click.option("--guideline", "reference", metavar="G", help="The guideline it must be judged by.")
@click.option("--host", "hosts", multiple=True, metavar="G", help="Guideline of other components.")
@day_option("Look at it on this day; today if not given.")
@click.option("--max-age", type=click.IntRange(0), metavar="DAYS", help="Refuse older verdicts.")
@click.option("--revoked", "revoked_file", type=_FILE, help="List of what counts no longer.")
@click.option("--require-compliant", is_flag=True, help="A true verdict must also be compliant.")
@output_options
@click.pass_context
def verify_command(
    context: click.Context,
    folder: Path,
    keys: tuple[Path, ...],
    keys_too: tuple[Path, ...],
    reference: str | None,
    hosts: tuple[str, ...],
    at: date,
    max_age: int | None,
    revoked_file: Path | None,
    require_compliant: bool,
    form: str,
) -> None:
    """Compute the verdict in BUNDLE again from its evidence, and check all that was signed.

    Exits 0 when everything holds, whatever the verdict says (but see --require-compliant), 1 when
    something does not, 2 on a bundle that cannot be read, 3 when it cannot be told: no key is
    trusted, or the guideline is nobody's.
    """
    if (folder / "result.json").is_file() and not bundle.is_bundle(folder):
        raise BadReport(str(folder), "", "no bundle but a result; `interop sign` makes one of it")
    files = bundle.read_bundle(folder)
    trusted = [signer for path in (*keys, *keys_too) for signer in trusted_keys(path)]
    lines = verify(
        files,
        trusted,
        at=at,
        max_age=max_age,
        revocations=_revocations(revoked_file) if revoked_file else (),
        guideline=load_guideline(reference) if reference else None,
        hosts=[load_guideline(host) for host in hosts],
    )
    said = sealed_of(files)[bundle.VERDICT_ENVELOPE].statement.predicate
    assert isinstance(said, VerdictPredicate)  # noqa: S101 - sealed_of saw to it
    state = worst(lines)
    _print(lines, said, state, form)
    code = EXIT[state]
    context.exit(VERDICT_EXIT[said.verdict] if require_compliant and code == 0 else code)


def _print(lines: list[Line], said: VerdictPredicate, state: str, form: str) -> None:
    if form == "json":
        document: Mapping[str, object] = {
            "schema": "interop.verification/1",
            "state": state,
            "claims": said.model_dump(mode="json"),
            "lines": [
                {"state": line.state, "topic": line.topic, "text": line.text} for line in lines
            ],
        }
        print_document(document)
        return
    order = ("fails", "unknown", "note", "holds")
    rows = [
        (line.state, line.topic, line.text)
        for line in sorted(lines, key=lambda line: order.index(line.state))
    ]
    print_tables([Table(columns=("", "what", "what was found"), rows=rows)], form)
    level = f", level {said.level}" if said.level is not None else ""
    print_line(f"it says: {said.guideline.id} {said.program}: {said.verdict}{level}", form)
    print_line(SUMMARY[state], form)


def trusted_keys(path: Path) -> list[Signer]:
    """The public keys in a file: PEM, OpenSSH, or allowed signers."""
    data = path.read_bytes()[: 1024 * 1024]
    try:
        return public_keys(data.decode(), str(path))
    except UnicodeDecodeError as error:
        raise BadReport(str(path), "", "not a public key") from error


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    what: str = Field(pattern=r"^(sha256:[0-9a-f]{64}|SHA256:[A-Za-z0-9+/]{43})$")
    since: date
    reason: str


class _Revocations(BaseModel):
    model_config = ConfigDict(extra="forbid")
    revoked: list[_Entry]


def _revocations(path: Path) -> list[Revocation]:
    """A YAML or JSON file: ``revoked: [{what: ..., since: DATE, reason: ...}]``.

    ``what`` is the digest of a verdict (``sha256:...``) or a key's fingerprint (``SHA256:...``).

    Raises:
        BadReport: it is something else.
    """
    try:
        found = _Revocations.model_validate(read_mapping(path)[0])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadReport(str(path), where, str(first["msg"]).lower()) from error
    return [Revocation(what=one.what, on=one.since, reason=one.reason) for one in found.revoked]
