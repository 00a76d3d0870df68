"""The six verbs on Kubernetes: each kind has a handler, this only knows which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, TypeVar, cast

import kubernetes

from provisioner.chosen_image import image_step
from provisioner.driver import Description, Handle, Owner, State, Status, Step
from provisioner.drivers.kubernetes import features
from provisioner.drivers.kubernetes.abilities import CONTROLLERS, POLICY, abilities
from provisioner.drivers.kubernetes.attachment import Attachments
from provisioner.drivers.kubernetes.choice import Choice
from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.commands import PodExec
from provisioner.drivers.kubernetes.configs import Configs
from provisioner.drivers.kubernetes.firewalls import Firewalls, PolicyRules
from provisioner.drivers.kubernetes.machine import Machines
from provisioner.drivers.kubernetes.network import Networks
from provisioner.drivers.kubernetes.owning import handle
from provisioner.drivers.kubernetes.services import Services
from provisioner.drivers.kubernetes.settings import Settings
from provisioner.drivers.kubernetes.storage import Volumes
from provisioner.errors import BadRequest, Unsupported
from provisioner.features import Console, Exec, Inventory, Listing, Metadata, RawCall, Rules
from provisioner.platform import PlatformConfig
from provisioner.resources import Kind, Resource, Support

F = TypeVar("F")

ABSENT = {
    "key": "commands go through the API, nobody logs in",
    "address": "pods have no address outside of the cluster; nothing is reached from there",
    "bucket": "Kubernetes has no object store",
    "reboot": "a pod is not rebooted: it ends, and another begins anew",
    "block-volume": "a volume is mounted into a pod as a file system",
    "power": "a pod is not switched off: it ends, and another begins anew",
    "boot-device": "a pod boots from nothing",
    "bmc": "a pod has no management controller to talk to",
    "sensors": "a pod has no hardware sensors",
    "event-log": "a pod has no hardware event log",
    "metadata-service": "a pod has no metadata service",
    "metadata": "a pod has no metadata service",
    "user-data": "a pod is given no user data",
    "cloud-init": "a container is not initialised by cloud-init",
    "resize": "a pod's size cannot change",
    "snapshot": "snapshots of volumes need a driver that can do them",
    "ssh": "commands go through the API",
    "public-address": "a pod has no address outside of the cluster",
}
FEATURES = frozenset(
    {
        *("machine", "image", "network", "volume", "attachment", "firewall", "service", "config"),
        *("exec", "console", "inventory", "listing", "pagination", "rawcall", "kubernetes"),
    }
)
OF_PODS = ("exec", "console", "inventory")
NO_NODE = "the cluster has no node that a machine may come to"
LIMITS: dict[str, float] = {"jobs.machine": 32, "rate": 50, "visibility_s": 1, "page_min": 1}


class Handler(Protocol):
    """One kind."""

    def plan(self, want: Resource) -> Step: ...
    def create(self, step: Step, token: str) -> Handle: ...
    def read(self, one: Handle) -> State | None: ...
    def delete(self, one: Handle) -> None: ...
    def find(self, owner: Owner) -> Iterator[Handle]: ...


class Images:
    """Images are declared; choosing one costs nothing."""

    def __init__(self, cluster: Cluster, choice: Choice) -> None:
        self._platform = cluster.platform
        self._choice = choice

    def plan(self, want: Resource) -> Step:
        return image_step(self._platform, want, self._choice.image)

    def create(self, step: Step, token: str) -> Handle:
        return handle(self._platform, Kind.IMAGE, step.body["image"], step.resource.tags)

    def read(self, one: Handle) -> State | None:
        for offer in self._choice.images():
            if offer.id == one.id:
                facts = {"name": offer.name, "user": "root", "user_source": "declared"}
                return State(status=Status.READY, facts=facts)
        return None

    def delete(self, one: Handle) -> None:
        """Nothing was made."""

    def find(self, owner: Owner) -> Iterator[Handle]:
        yield from ()


class KubernetesDriver:
    """One namespace of a cluster."""

    kind: ClassVar[str] = "kubernetes"

    def __init__(self, config: PlatformConfig, settings: Settings, cluster: Cluster) -> None:
        self._config = config
        self._settings = settings
        self._cluster = cluster
        self._choice = Choice(cluster)
        self._able: tuple[frozenset[str], dict[str, str]] | None = None
        self._machines = Machines(cluster, self._choice)
        self._firewalls = Firewalls(cluster)
        self._handlers: dict[Kind, Handler] = {
            Kind.IMAGE: Images(cluster, self._choice),
            Kind.NETWORK: Networks(cluster),
            Kind.VOLUME: Volumes(cluster, self._choice),
            Kind.MACHINE: self._machines,
            Kind.ATTACHMENT: Attachments(cluster, self._machines),
            Kind.FIREWALL: self._firewalls,
            Kind.SERVICE: Services(cluster),
            Kind.CONFIG: Configs(cluster, lambda: CONTROLLERS in self._abilities()[0]),
        }

    @property
    def platform(self) -> str:
        return self._config.name

    def describe(self) -> Description:
        version = self._cluster.call("read the server's version", "GET", "/version")
        groups = self._cluster.call("read the API's groups", "GET", "/apis").get("groups") or ()
        kinds = dict.fromkeys(Kind, Support.ABSENT) | dict.fromkeys(self._handlers, Support.MANAGED)
        kinds[Kind.IMAGE] = Support.IMPLICIT
        found = self._choice.storage_class()
        facts: dict[str, Any] = {
            "namespace": self._settings.namespace,
            "nodes": [str(node["metadata"]["name"]) for node in self._choice.nodes()],
            "nodes.source": "api: nodes nobody keeps machines off",
            "storage_class": str(found["metadata"]["name"]) if found else "",
            "storage_class.source": "declared" if self._settings.storage_class else "api",
            "groups": sorted(
                f"{item['name']}/{one['version']}" for item in groups for one in item["versions"]
            ),
            "groups.source": "api: discovery",
        }
        able, unable = self._abilities()
        lacking = self._lacking()
        kinds |= {Kind(name): Support.ABSENT for name in lacking if name in set(Kind)}
        absent, offered = ABSENT | lacking | unable, set(FEATURES) - set(lacking)
        return Description(
            platform=self.platform,
            kind=self.kind,
            emulator=bool(self._config.declared.get("emulator", False)),
            kinds=kinds,
            features=frozenset(offered | able),
            absent=absent,
            images=self._choice.images(),
            sizes=self._choice.sizes(),
            zones=self._choice.zones(),
            limits=LIMITS | dict(self._settings.limits),
            versions={
                "kubernetes": str(version.get("gitVersion") or ""),
                "client": str(kubernetes.__version__),
            },
            facts=facts,
        )

    def _abilities(self) -> tuple[frozenset[str], dict[str, str]]:
        """What the cluster can do, looked at once, and why not the rest."""
        if self._able is None:
            self._able = abilities(self._config.declared, self._cluster, self._choice)
        return self._able

    def _lacking(self) -> dict[str, str]:
        """What this very cluster cannot do, with the reason, besides what none can."""
        found: dict[str, str] = {}
        if self._choice.storage_class() is None:
            reason = "no default storage class, and none is declared"
            found |= dict.fromkeys((Kind.VOLUME, Kind.ATTACHMENT), reason)
        if not self._choice.nodes() and self._choice.nodes_told:
            found |= dict.fromkeys((Kind.MACHINE, Kind.ATTACHMENT, *OF_PODS), NO_NODE)
        unable = self._abilities()[1]
        if POLICY in unable:
            found[Kind.FIREWALL] = unable[POLICY]
        return {str(name): reason for name, reason in found.items()}

    def plan(self, want: Resource) -> Step:
        handler = self._handlers.get(want.kind)
        absent = ABSENT | self._lacking()
        if handler is None or str(want.kind) in absent:
            raise Unsupported(f"{want.ref}: {absent[want.kind]}", self.platform)
        return handler.plan(want)

    def create(self, step: Step, token: str) -> Handle:
        missing = [str(ref) for ref in step.refs if ref not in step.bound]
        if missing:
            message = f"{step.resource.ref}: {', '.join(missing)} must exist first"
            raise BadRequest(message, self.platform)
        return self._handlers[step.resource.kind].create(step, token)

    def read(self, handle: Handle) -> State | None:
        handler = self._handlers.get(handle.kind)
        return handler.read(handle) if handler is not None else None

    def delete(self, handle: Handle) -> None:
        handler = self._handlers.get(handle.kind)
        if handler is not None:
            handler.delete(handle)

    def find(self, owner: Owner) -> Iterator[Handle]:
        for handler in self._handlers.values():
            yield from handler.find(owner)

    def feature(self, f: type[F], handle: Handle) -> F:
        cluster, kind = self._cluster, handle.kind
        made: object | None = None
        if f is Listing:
            made = features.Pages(cluster)
        elif f is RawCall:
            made = features.Raw(cluster)
        elif f is Metadata and kind in features.PLACES:
            made = features.Tags(cluster, handle)
        elif kind is Kind.FIREWALL and f is Rules:
            made = PolicyRules(cluster, self._firewalls, handle)
        elif kind is Kind.MACHINE and f is Exec:
            made = PodExec(cluster, self._machines, handle.id)
        elif kind is Kind.MACHINE and f is Console:
            made = features.PodLog(cluster, self._machines, handle.id)
        elif kind is Kind.MACHINE and f is Inventory:
            made = features.PodInventory(cluster, self._machines, handle.id)
        if made is None:
            default = f"{kind} has no {f.__name__} on Kubernetes"
            raise Unsupported(ABSENT.get(_dashed(f.__name__), default), self.platform)
        return cast(F, made)

    def close(self) -> None:
        self._cluster.close()


def _dashed(name: str) -> str:
    """``BootDevice`` as ``boot-device``."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
