"""What a machine is asked for with: the body of nova's create call, and its root volume if any."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from provisioner.driver import TAG_RUN, TAG_TOKEN, Handle, Step
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import Cloud
from provisioner.drivers.openstack.owning import MARK, check_metadata, digest
from provisioner.errors import BadRequest, Unsupported
from provisioner.resources import Kind, MachineSpec, Resource

KNOWN = "2.96"  # the newest microversion of nova that this driver was written for
TAGGED = "2.52"  # the first with tags in the create call
NETWORKS_NAMED = "2.37"  # the first that wants to hear "auto" where no network is named
HOSTNAMED = "2.90"  # the first with a host name that is not made from the name, told to everybody
ENCODED_BYTES = 65535  # of user data in base64; source: nova, schemas of servers
USER_DATA_BYTES = ENCODED_BYTES // 4 * 3

NOT_IN_NAMES = re.compile(r"[^a-z0-9-]+")


def token_tag(token: str) -> str:
    """The tag a machine is found by; tags have 60 characters and no slash or comma."""
    return f"{MARK}-token-{digest(token, 24)}"


def run_tag(run: str) -> str:
    """The tag a run's machines are found by."""
    return f"{MARK}-run-{digest(run, 24)}"


def host_name(name: str) -> str:
    """A host name as RFC 1123 has it, made from a machine's name."""
    plain = NOT_IN_NAMES.sub("-", name.lower().replace("_", "-").replace(".", "-")).strip("-")
    return plain[:63].rstrip("-") or f"{MARK}-{digest(name, 8)}"


class Asking:
    """Plans machines, and writes the request."""

    def __init__(self, cloud: Cloud, choice: Choice) -> None:
        self._cloud = cloud
        self._choice = choice

    @property
    def microversion(self) -> str | None:
        """What all calls about machines are made with."""
        return self._cloud.newest("compute", KNOWN)

    def plan(self, want: Resource) -> Step:
        spec, platform = want.spec, self._cloud.platform
        if not isinstance(spec, MachineSpec):
            raise BadRequest(f"{want.ref}: expected a machine's specification", platform)
        if len(spec.user_data) > USER_DATA_BYTES:
            message = f"user data of {len(spec.user_data)} bytes, at most {USER_DATA_BYTES}"
            raise BadRequest(f"{want.ref}: {message}", platform)
        check_metadata(want, platform)
        image = self._choice.image(spec.image)
        size = self._choice.size(spec, image)
        notes = [
            f"image {image.name} ({image.id})",
            f"size {size.name}",
            f"user {image.user}: {image.user_source}",
        ]
        disk = max(spec.disk_gib, image.min_disk_gib)
        root_gib = max(disk, 1) if size.disk_gib < max(disk, 1) else 0
        if root_gib:
            notes.append(f"boots from a volume of {root_gib} GiB")
            if not self._cloud.has("volume"):
                message = f"no size has a disk of {disk} GiB, and there are no volumes"
                raise Unsupported(f"{want.ref}: {message}", platform)
        default = "" if spec.network else self._default_network()
        if default:
            notes.append(f"network {self._cloud.settings.network}: declared")
        named = (spec.key, spec.network, *spec.firewalls)
        return Step(
            platform=platform,
            resource=want,
            body={
                "image": image.id,
                "size": size.id,
                "size_name": size.name,
                "root_gib": root_gib,
                "network": default,
                "hostname": host_name(spec.hostname or want.name),
                "user_data_sha256": sha256(spec.user_data).hexdigest() if spec.user_data else "",
            },
            refs=tuple(ref for ref in named if ref is not None),
            notes=tuple(notes),
            wait_s=600.0,
        )

    def request(self, step: Step, tags: Mapping[str, str], root_volume: str) -> dict[str, Any]:
        """The body of the create call."""
        spec, body, settings = step.resource.spec, step.body, self._cloud.settings
        bound: dict[Kind, list[Handle]] = {}
        for ref, handle in step.bound.items():
            bound.setdefault(ref.kind, []).append(handle)
        server: dict[str, Any] = {
            # Older clouds make the host name from the name, so there the name is that.
            "name": step.resource.name if self._hostnamed() else body["hostname"],
            "flavorRef": body["size"],
            "metadata": dict(tags),
        }
        if self._hostnamed():
            server["hostname"] = body["hostname"]
        if self._cloud.speaks("compute", TAGGED):
            server["tags"] = [MARK, run_tag(tags.get(TAG_RUN, "")), token_tag(tags[TAG_TOKEN])]
        if root_volume:
            server["block_device_mapping_v2"] = [
                {
                    "boot_index": 0,
                    "source_type": "volume",
                    "destination_type": "volume",
                    "uuid": root_volume,
                    "delete_on_termination": True,
                }
            ]
        else:
            server["imageRef"] = body["image"]
        if Kind.NETWORK in bound:
            server["networks"] = [{"uuid": network.id} for network in bound[Kind.NETWORK]]
        elif body["network"]:
            server["networks"] = [{"uuid": body["network"]}]
        elif self._cloud.speaks("compute", NETWORKS_NAMED):
            server["networks"] = "auto"
        if Kind.FIREWALL in bound:
            server["security_groups"] = [{"name": group.id} for group in bound[Kind.FIREWALL]]
        if Kind.KEY in bound:
            server["key_name"] = bound[Kind.KEY][0].id
        if isinstance(spec, MachineSpec) and spec.user_data:
            server["user_data"] = base64.b64encode(spec.user_data).decode()
        if settings.config_drive is not None:
            server["config_drive"] = settings.config_drive
        if settings.zone:
            server["availability_zone"] = settings.zone
        return {"server": server}

    def _default_network(self) -> str:
        """Id of the network declared for machines that name none, if one is declared.

        Raises:
            BadRequest: it is not there, or several have that name.
        """
        wanted = self._cloud.settings.network
        if not wanted:
            return ""
        found = [
            str(net["id"])
            for key in ("name", "id")
            for net in self._cloud.each(
                "look for the network", "network", "/networks", "networks", query={key: wanted}
            )
        ]
        if len(set(found)) != 1:
            message = f"network: {len(set(found))} networks are called {wanted}, expected one"
            raise BadRequest(message, self._cloud.platform)
        return found[0]

    def _hostnamed(self) -> bool:
        return self._cloud.speaks("compute", HOSTNAMED)
