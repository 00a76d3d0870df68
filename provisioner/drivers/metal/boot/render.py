"""Renders the boot service's templates, in memory."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("provisioner.drivers.metal.boot"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - scripts and configuration, every value is checked before
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: object) -> str:
    """The text of a template."""
    return _environment().get_template(template).render(values)
