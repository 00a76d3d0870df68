"""What a platform of bare metal says it is."""

from __future__ import annotations

from importlib.metadata import version

from provisioner.driver import Description, Offer
from provisioner.drivers.metal.choice import offered_images
from provisioner.drivers.metal.settings import MetalSettings
from provisioner.platform import PlatformConfig
from provisioner.resources import Kind, Support

USER_DATA_BYTES = 256 * 1024
EMULATED_JOBS = 2  # more machines that boot on emulated processors only slow each other down
ALWAYS = ("ssh", "user-data", "bmc", "power", "boot-device", "sensors", "event-log", "inventory",
          "controller", "listing", "names", "reboot", "block-volume")  # fmt: skip


def supported(settings: MetalSettings) -> dict[Kind, Support]:
    """How each kind is there."""
    spare = any(machine.spares for machine in settings.inventory)
    disks = Support.MANAGED if spare else Support.ABSENT
    return {
        **dict.fromkeys(Kind, Support.ABSENT),
        Kind.KEY: Support.MANAGED,
        Kind.MACHINE: Support.MANAGED,
        Kind.VOLUME: disks,
        Kind.ATTACHMENT: disks,
        Kind.NETWORK: Support.IMPLICIT,
        Kind.IMAGE: Support.IMPLICIT,
    }


def describe(config: PlatformConfig, settings: MetalSettings) -> Description:
    """The description; talks to nobody."""
    kinds = supported(settings)
    absent = {
        "firewall": "the network of bare metal filters nothing by itself",
        "address": "a machine has the address the boot service gives it, and no other",
        "bucket": "there is no object store on bare metal",
        "service": "there is no load balancer on bare metal",
        "config": "there is no store of configuration on bare metal",
        "metadata": "machines get their seed when they register; no metadata service stays",
        "cloud-init": "the default image has its own initialisation; debian-12 has cloud-init",
    }
    if kinds[Kind.VOLUME] is Support.ABSENT:
        absent["volume"] = absent["attachment"] = "no machine of the inventory has a spare disk"
    features = {str(kind) for kind, how in kinds.items() if how is not Support.ABSENT}
    features |= set(ALWAYS)
    if all(machine.bmc.protocol == "ipmi" for machine in settings.inventory):
        features |= {"console", "raw-call"}
    else:
        absent["console"] = "serial over LAN needs IPMI; some controllers are driven by redfish"
        absent["raw-call"] = "raw commands need IPMI; some controllers are driven by redfish"
    emulator = bool(config.declared.get("emulator"))
    jobs = settings.jobs or (EMULATED_JOBS if emulator else 0)
    biggest = max(settings.inventory, key=lambda m: (m.cpu, m.memory_mib))
    sizes = {f"{m.cpu}-{m.memory_mib}": m for m in settings.inventory}
    return Description(
        platform=config.name,
        kind="metal",
        emulator=emulator,
        kinds=kinds,
        features=frozenset(features),
        absent=absent,
        images=offered_images(settings),
        sizes=tuple(
            Offer(
                id=name,
                name=name,
                facts={"cpu": m.cpu, "memory_mib": m.memory_mib},
                source="declared: inventory",
            )
            for name, m in sorted(sizes.items())
        ),
        limits={
            "machines": len(settings.inventory),
            "visibility_s": 0.0,
            "user_data_bytes": USER_DATA_BYTES,
            **({"jobs.machine": jobs} if jobs else {}),
        },
        versions={"pyghmi": version("pyghmi"), "ipmi": "2.0"},
        facts={"machines": len(settings.inventory), "largest_cpu": biggest.cpu},
    )
