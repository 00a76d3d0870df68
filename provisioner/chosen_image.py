"""An image that is there already is chosen, not made: the one plan of it that drivers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from provisioner.driver import Step
from provisioner.errors import BadRequest
from provisioner.resources import ImageSpec, Resource, Support


class Chosen(Protocol):
    """What is known of an image that a selector fits."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


def image_step(platform: str, want: Resource, choose: Callable[[ImageSpec], Chosen]) -> Step:
    """The plan of an image: nothing is made, and nothing is waited for.

    Raises:
        BadRequest: *want* is no image, or *choose* says that none fits.
    """
    if not isinstance(want.spec, ImageSpec):
        raise BadRequest(f"{want.ref}: expected an image's selector", platform)
    image = choose(want.spec)
    return Step(
        platform=platform,
        resource=want,
        support=Support.IMPLICIT,
        body={"image": image.id},
        notes=(f"image {image.name} ({image.id})",),
        wait_s=0,
    )
