"""Options and words that the commands about workloads share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from guidelines.errors import BadDocument
from provisioner.params import Layer
from provisioner.waiting import Cancel

RESULTS = click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder with a folder for each run.",
)


def parameters(sets: Sequence[str]) -> Layer:
    """``KEY=VALUE`` words as the strongest layer."""
    values: dict[str, str] = {}
    for word in sets:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadDocument("--set", word, "expected KEY=VALUE")
        values[key] = value
    return Layer(name="command line", values=values, sources=dict.fromkeys(values, "--set"))


def run_folder(results: Path, run: str) -> Path:
    """The folder of a run given by its id, or by a path to the folder itself."""
    given = Path(run)
    if len(given.parts) > 1 or run in (".", ".."):
        return given.resolve()
    return results / run


@contextmanager
def interruptible(cancel: Cancel, folder: Path, files: Sequence[Path]) -> Iterator[None]:
    """The first interrupt stops the work in order; the second prints the reap command and ends."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        cancel.request("interrupted")
        if cancel.requests == 1:
            click.echo("interrupted: nothing more is created; once more to stop at once", err=True)
            return
        told = "".join(f" --platforms {file}" for file in files)
        click.echo(f"interop reap --run {folder}{told} --yes", err=True)
        os._exit(130)

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
