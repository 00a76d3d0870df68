"""Images: those that machines boot from are there already; checks make some of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from provisioner.chosen_image import image_step
from provisioner.driver import TAG_EXPIRES, TAG_NAME, TAG_RUN, Handle, Owner, State, Status, Step
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.owning import belongs, handle
from provisioner.errors import NotFound
from provisioner.resources import Kind, Resource

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
UNLOCK = [{"op": "replace", "path": "/protected", "value": False}]


class Images:
    """Choosing one costs nothing; only what carries our tags as properties is ever deleted."""

    def __init__(self, cloud: Cloud, choice: Choice) -> None:
        self._cloud = cloud
        self._choice = choice

    def plan(self, want: Resource) -> Step:
        return image_step(self._cloud.platform, want, self._choice.image)

    def create(self, step: Step, token: str) -> Handle:
        tags = step.resource.tags
        return handle(self._cloud.platform, Kind.IMAGE, step.body["image"], tags)

    def read(self, handle: Handle) -> State | None:
        item = self._item(f"read {handle}", handle.id)
        image = self._choice.by_id(handle.id) if item is not None else None
        if item is None or image is None:
            return None
        facts = {"name": image.name, "user": image.user, "user_source": image.user_source}
        return State(status=Status.READY, tags=own(item), facts=facts)

    def delete(self, handle: Handle) -> None:
        """Delete an image that is a run's; any other one was there before us and stays."""
        item = self._item(f"delete {handle}", handle.id)
        if item is None or TAG_RUN not in item:
            return
        with suppress(NotFound):
            path = f"/images{at(handle.id)}"
            if item.get("protected"):
                self._cloud.call(
                    f"delete {handle}", "image", "PATCH", path, body=UNLOCK, headers=PATCH
                )
            self._cloud.call(f"delete {handle}", "image", "DELETE", path)

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Images of our project whose properties say whose they are."""
        query = {"owner": self._cloud.project}
        if owner.run is not None:
            query[TAG_RUN] = owner.run
        for item in self._cloud.each("find images", "image", "/images", "images", query=query):
            if belongs(own(item), owner):
                yield handle(self._cloud.platform, Kind.IMAGE, item["id"], own(item))

    def _item(self, what: str, image: str) -> dict[str, Any] | None:
        """An image's own document, which has no key around it; None if there is none."""
        try:
            return dict(self._cloud.call(what, "image", "GET", f"/images{at(image)}"))
        except NotFound:
            return None


def own(item: Mapping[str, Any]) -> dict[str, str]:
    """Our tags among an image's properties."""
    return {tag: str(item[tag]) for tag in (TAG_RUN, TAG_NAME, TAG_EXPIRES) if tag in item}
