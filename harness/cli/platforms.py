"""``interop platforms``: what is configured, where each value comes from, what a platform says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from harness.config import read_platforms
from provisioner.driver import Description
from provisioner.platform import open_driver

FILES = click.option(
    "--platforms",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Platforms file; several are layers, the last one strongest. [default: platforms.yaml]",
)


@click.group("platforms")
def platforms_command() -> None:
    """List and describe the configured platforms."""


@platforms_command.command("list")
@FILES
def list_command(files: tuple[Path, ...]) -> None:
    """List the platforms."""
    platforms = read_platforms(files, ())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "kind", "emulator", "written at"):
        table.add_column(title)
    for name, config in platforms.configs.items():
        emulator = "yes" if config.declared.get("emulator") else "no"
        table.add_row(name, config.kind, emulator, str(platforms.sources.get(name, "")))
    Console().print(table)


@platforms_command.command("explain")
@click.argument("name")
@FILES
def explain_command(name: str, files: tuple[Path, ...]) -> None:
    """Show where each value of platform NAME was written. Values of secrets are not shown."""
    platforms = read_platforms(files, ())
    platforms.get(name)
    for path, source in platforms.sources.items():
        if path == name or path.startswith(f"{name}."):
            click.echo(f"{path}  {source}")


@platforms_command.command("describe")
@click.argument("name")
@FILES
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def describe_command(name: str, files: tuple[Path, ...], as_json: bool) -> None:
    """Ask platform NAME what it offers. Creates nothing."""
    driver = open_driver(read_platforms(files, [name]).get(name))
    try:
        document = described(driver.describe())
    finally:
        driver.close()
    if as_json:
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    for key, value in document.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{key}: {text}")


def described(description: Description) -> dict[str, Any]:
    """What a platform says it is, as plain JSON values for a result document."""
    return {
        "kinds": {str(kind): str(how) for kind, how in description.kinds.items()},
        "images": [
            {"id": offer.id, "name": offer.name, **offer.facts, "source": offer.source}
            for offer in description.images
        ],
        "sizes": [
            {"id": offer.id, "name": offer.name, **offer.facts, "source": offer.source}
            for offer in description.sizes[:20]
        ],
        "zones": list(description.zones),
        "limits": dict(description.limits),
        "versions": dict(description.versions),
        "facts": dict(description.facts),
    }
