"""Root volumes: what a machine boots from when its size has no disk, or a smaller one."""

from __future__ import annotations

from typing import Any

from provisioner.clock import Clock
from provisioner.driver import TAG_TOKEN, Step
from provisioner.drivers.openstack.cloud import Cloud, at
from provisioner.drivers.openstack.errors import fault
from provisioner.drivers.openstack.owning import label
from provisioner.errors import NotFound, Timeout

TAG_ROOT = "interop-root"  # tells a machine's own disk from a data volume; it has the same tags
READY_S = 600.0  # the image is copied into the volume meanwhile


class RootVolumes:
    """Volumes made from an image. They go with their machine; left alone, they are found."""

    def __init__(self, cloud: Cloud, clock: Clock) -> None:
        self._cloud = cloud
        self._clock = clock

    def ready(self, step: Step, tags: dict[str, str], what: str) -> str:
        """The id of the machine's root volume, made once per token, ready to boot from.

        Raises:
            PlatformError: cinder refused or failed; Timeout: it was not ready in time.
        """
        name = label(tags[TAG_TOKEN], f"root {step.resource.name}")
        volume = self._made(name, tags[TAG_TOKEN])
        if volume is None:
            body: dict[str, Any] = {
                "size": step.body["root_gib"],
                "name": name,
                "imageRef": step.body["image"],
                "metadata": {**tags, TAG_ROOT: "yes"},
            }
            if self._cloud.settings.volume_zone:
                body["availability_zone"] = self._cloud.settings.volume_zone
            volume = self._cloud.call(what, "volume", "POST", "/volumes", body={"volume": body})[
                "volume"
            ]
        return self._await(str(volume["id"]), what)

    def _made(self, name: str, token: str) -> dict[str, Any] | None:
        for item in self._cloud.each(
            "look for the root volume",
            "volume",
            "/volumes/detail",
            "volumes",
            query={"name": name},
        ):
            if (item.get("metadata") or {}).get(TAG_TOKEN) == token:
                return item
        return None

    def _await(self, volume: str, what: str) -> str:
        deadline = self._clock.monotonic() + READY_S
        pause = 0.5
        while True:
            item = self._cloud.one(what, "volume", f"/volumes{at(volume)}", "volume")
            if item is None:
                raise NotFound(f"cannot {what}: its volume is gone", self._cloud.platform)
            if item["status"] == "available":
                return volume
            if str(item["status"]).startswith("error"):
                message = f"cannot {what}: its volume is in state {item['status']}"
                raise fault(message)(message, self._cloud.platform)
            if self._clock.monotonic() >= deadline:
                message = f"cannot {what}: its volume is {item['status']} after {READY_S:.0f} s"
                raise Timeout(message, self._cloud.platform)
            self._clock.sleep(pause)
            pause = min(5.0, pause * 1.5)
