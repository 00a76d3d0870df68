"""``interop lab``: real platforms on this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from provisioner.lab import doctor, up
from provisioner.lab.images import Images, default_cache
from provisioner.lab.kubernetes import build
from provisioner.lab.serve import PLATFORMS
from provisioner.lab.space import Space

NAME = click.option(
    "--name",
    "--lab",
    "name",
    envvar="INTEROP_LAB",
    default="default",
    show_default=True,
    help="Which lab; several can be up side by side.",
)


@click.group("lab")
def lab_command() -> None:
    """Real platforms on this machine, in a network of their own. Needs root."""


@lab_command.command("up")
@NAME
@click.option(
    "--only",
    multiple=True,
    metavar="NAME[,NAME]",
    help=f"Platforms, of {', '.join(PLATFORMS)}; may be given again. [default: all]",
)
@click.option(
    "--defect",
    "defects",
    multiple=True,
    metavar="PLATFORM:NAME",
    help="A fault to have, such as lab-metal:volume-loses-fsync; may be given again.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write platforms.yaml here.",
)
def up_command(
    name: str, only: tuple[str, ...], defects: tuple[str, ...], write: Path | None
) -> None:
    """Start a lab and print its platforms.yaml.

    Images are built at the first time and kept. A lab that is up is left as it is.
    """
    space = Space(name=name)
    began = time.monotonic()

    def say(platform: str, text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {platform}: {text}", err=True)

    chosen = [item.strip() for item in ",".join(only).split(",") if item.strip()]
    path = up.up(space, chosen, say, defects=defects)
    text = path.read_text(encoding="utf-8")
    if write is not None:
        fresh = write.with_name(f".{write.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(write)
    click.echo(f"# {write or path}")
    click.echo(text, nl=False)


@lab_command.command("down")
@NAME
@click.option("--all", "every", is_flag=True, help="Every lab on this machine.")
@click.pass_context
def down_command(context: click.Context, name: str, every: bool) -> None:
    """End a lab and remove every trace of it. Works after its processes were killed, too."""
    left = []
    for lab in up.labs() if every else [name]:
        left += up.down(Space(name=lab))
    for line in left:
        click.echo(f"left: {line}", err=True)
    context.exit(3 if left else 0)


@lab_command.command("status")
@NAME
@click.pass_context
def status_command(context: click.Context, name: str) -> None:
    """Say how each part of a lab is. Exits 1 when a part is not ready."""
    found = up.status(Space(name=name))
    if not found:
        click.echo(f"lab {name} is not up")
    for part in found:
        click.echo(f"{part.name:12} {part.state:9} {part.detail}")
    context.exit(0 if found and all(part.state == "ready" for part in found) else 1)


@lab_command.command("doctor")
@click.pass_context
def doctor_command(context: click.Context) -> None:
    """Say what this machine lacks for a lab, and how to get it. Exits 1 when something lacks."""
    findings = doctor.examine(Images())
    for finding in findings:
        click.echo(f"{'ok     ' if finding.well else 'MISSING'} {finding.text}")
    context.exit(0 if all(finding.well for finding in findings) else 1)


@lab_command.command("images")
@click.option("--prune", is_flag=True, help="Remove images of older recipes. No lab may be up.")
def images_command(prune: bool) -> None:
    """Build the images of guests that are not in the cache, and list them."""
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {text}", err=True)

    if os.geteuid():
        raise click.ClickException("lab images: needs root: the images hold root's files")
    images = Images(default_cache(), say)
    images.small()
    images.disk()
    if prune:
        if running := up.labs():
            raise click.ClickException(f"lab images: lab {running[0]} is up and may use them")
        for name in images.prune():
            click.echo(f"removed {name}")
    for name, size in images.status():
        click.echo(f"{size >> 20:6} MiB  {images.cache / name}")


@lab_command.group("build")
def build_command() -> None:
    """Build what no distribution ships ready-made. Kept in the cache."""


@build_command.command("kubernetes")
@click.option("--install", is_flag=True, help="Install the Debian packages that are missing.")
def build_kubernetes_command(install: bool) -> None:
    """Compile Kubernetes from Debian's source package: about 16 minutes and 4 GB of disk, once.

    A build that broke off goes on where it was. Without --install it says which packages it needs.
    """
    began = time.monotonic()
    told = ""

    def say(text: str) -> None:
        nonlocal told
        if text != told:
            click.echo(f"{time.monotonic() - began:6.1f} s  {text}", err=True)
        told = text

    if install and (packages := build.missing(build.needed(default_cache()))):
        if os.geteuid():
            raise click.ClickException("lab build: --install needs root")
        build.install(packages, say)
    click.echo(build.build(default_cache(), say))
