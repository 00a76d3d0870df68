"""What a cloud says it is: from its catalog, versions, extensions, quotas and lists."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from provisioner.driver import Description
from provisioner.drivers.openstack.asking import USER_DATA_BYTES
from provisioner.drivers.openstack.choice import Choice
from provisioner.drivers.openstack.cloud import SERVICES, Cloud
from provisioner.drivers.openstack.network import Networks
from provisioner.drivers.openstack.owning import ITEMS, TEXT_CHARS
from provisioner.platform import PlatformConfig
from provisioner.resources import Kind, Support

ABSENT = {
    "boot-device": "a server boots from its own disk only",
    "bmc": "a server has no management controller to talk to",
    "sensors": "a server has no hardware sensors",
    "event-log": "a server has no hardware event log",
    "inventory": "a server has no hardware inventory of its own",
    "controller": "a server has no management controller to talk to",
    "exec": "commands go over SSH",
    "service": "load balancers are not used by this driver",
    "config": "there is no such thing in OpenStack",
    "ipv6": "not set up by this driver yet",
}
FEATURES = frozenset(
    {
        *("machine", "key", "image", "network", "firewall", "power", "console", "metadata"),
        *("user-data", "cloud-init", "listing", "pagination", "rawcall", "firewall-rules"),
        *("resize", "ssh", "openstack-api", "reboot"),
    }
)
WITH_VOLUMES = frozenset({"volume", "attachment", "snapshot", "block-volume"})
# What the services take and what it is polite to ask of them.
LIMITS: dict[str, float] = {
    "jobs.machine": 16,
    "jobs.network": 4,
    "rate": 20,
    "visibility_s": 2,
    "user_data_bytes": USER_DATA_BYTES,
    "tags": ITEMS - 1,
    "tag_value_chars": TEXT_CHARS,
}
# Extensions of the network service that tell clouds apart. Source: neutron-lib, api/definitions.
EXTENSIONS = (
    "security-group",
    "router",
    "external-net",
    "standard-attr-tag",
    "auto-allocated-topology",
    "dns-integration",
    "port-security",
    "allowed-address-pairs",
    "security-groups-default-rules",
    "stateful-security-group",
    "fip-port-details",
    "net-mtu",
)


def describe(
    config: PlatformConfig, cloud: Cloud, choice: Choice, networks: Networks
) -> Description:
    """Ask for everything that can be known without making anything.

    Raises:
        PlatformError: compute, network or image service are not there, or do not answer.
    """
    images, sizes = choice.offers()
    external = networks.external()
    features, absent = set(FEATURES), dict(ABSENT)
    kinds = dict.fromkeys(Kind, Support.ABSENT)
    managed = [Kind.KEY, Kind.NETWORK, Kind.FIREWALL, Kind.MACHINE]
    if external is not None:
        managed += [Kind.ADDRESS]
        features |= {"address"}
    else:
        absent["address"] = "there is no external network to take floating addresses from"
    if cloud.has("volume"):
        managed += [Kind.VOLUME]
        features |= WITH_VOLUMES
    else:
        absent |= dict.fromkeys(WITH_VOLUMES, "the catalog has no block storage")
    if cloud.has("volume") or external is not None:
        managed += [Kind.ATTACHMENT]
        features |= {"attachment"}
        absent.pop("attachment", None)
    if cloud.has("object-store"):
        managed += [Kind.BUCKET]
        features |= {"bucket", "objects"}
    else:
        absent |= dict.fromkeys(("bucket", "objects"), "the catalog has no object store")
    kinds |= dict.fromkeys(managed, Support.MANAGED)
    kinds[Kind.IMAGE] = Support.IMPLICIT
    return Description(
        platform=config.name,
        kind="openstack",
        emulator=bool(config.declared.get("emulator", False)),
        kinds=kinds,
        features=frozenset(features),
        absent=absent,
        images=images,
        sizes=sizes,
        zones=_zones(cloud),
        limits=LIMITS | _quota(cloud) | dict(cloud.settings.limits),
        versions=_versions(cloud),
        facts=_facts(cloud, external),
    )


def _zones(cloud: Cloud) -> tuple[str, ...]:
    """Names of the zones machines can be in."""
    found = cloud.call("list zones", "compute", "GET", "/os-availability-zone")
    return tuple(
        sorted(
            str(zone["zoneName"])
            for zone in found["availabilityZoneInfo"]
            if zone["zoneState"]["available"]
        )
    )


def _quota(cloud: Cloud) -> dict[str, float]:
    """How many machines the project may have; -1 means as many as it likes."""
    told = cloud.call("read limits", "compute", "GET", "/limits")["limits"]["absolute"]
    most = float(told.get("maxTotalInstances", -1))
    return {"machines": most} if most >= 0 else {}


def _versions(cloud: Cloud) -> dict[str, str]:
    """What each service says it speaks, and what we speak with it."""
    found = {name: cloud.versions(name) for name in SERVICES if cloud.has(name)}
    return found | {"openstacksdk": version("openstacksdk")}


def _facts(cloud: Cloud, external: Mapping[str, Any] | None) -> dict[str, Any]:
    settings, there = cloud.settings, cloud.extensions()
    return {
        "region": cloud.region,
        "zone": settings.zone or "left to the cloud",
        "external_network": str((external or {}).get("name", "")),
        "external_network.source": "declared"
        if settings.external_network
        else "api: GET /networks",
        "network_extensions": [name for name in EXTENSIONS if name in there],
        "harness_address": settings.harness_address or "any",
        "harness_address.source": "declared" if settings.harness_address else "default",
        "limits.source": "api: GET /limits, documented, or declared: limits in platforms.yaml",
    }
