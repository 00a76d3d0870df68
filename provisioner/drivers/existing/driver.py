"""The six verbs over lent hosts: create claims one, delete gives it back, nothing is destroyed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar, cast

from provisioner.driver import (
    TAG_NAME,
    TAG_RUN,
    Access,
    Description,
    Handle,
    Owner,
    State,
    Status,
    Step,
)
from provisioner.drivers.existing import claims
from provisioner.drivers.existing.claims import ClaimTags
from provisioner.drivers.existing.inventory import Host, Inventory
from provisioner.drivers.existing.survey import Survey, images, survey
from provisioner.errors import (
    BadRequest,
    Capacity,
    Lost,
    NotFound,
    PlatformError,
    Unauthorized,
    Unsupported,
)
from provisioner.features import Metadata
from provisioner.platform import PlatformConfig
from provisioner.reach import dialer_for
from provisioner.remote import Remote, SshRemote
from provisioner.resources import KeySpec, Kind, MachineSpec, Resource, Support
from provisioner.ssh import SshSession

F = TypeVar("F")

IMPLICIT = (Kind.KEY, Kind.IMAGE, Kind.NETWORK, Kind.FIREWALL)
KINDS = dict.fromkeys(Kind, Support.ABSENT) | dict.fromkeys(IMPLICIT, Support.IMPLICIT)
KINDS[Kind.MACHINE] = Support.MANAGED
ABSENT = {
    "power": "hosts are lent; their power is not ours to switch",
    "console": "hosts are lent over SSH only",
    "volume": "hosts come with the disks they have",
    "address": "hosts come with the addresses they have",
    "firewall": "the site's own rules apply; nothing here changes them",
    "metadata": "hosts have no metadata service that we know of",
    "cloud-init": "hosts are installed already",
    "user-data": "hosts are installed already",
    "attachment": "there is nothing to attach",
    "bucket": "there is no object store",
    "service": "there is no load balancer",
    "config": "hosts are installed already",
}


class ExistingDriver:
    """Lends hosts of an inventory, one member each."""

    kind: ClassVar[str] = "existing"

    def __init__(self, config: PlatformConfig, inventory: Inventory) -> None:
        self._config = config
        self._inventory = inventory
        self._hosts = {host.name: host for host in inventory.hosts}
        self._dialer = dialer_for(config.settings)
        self._remotes: dict[str, Remote] = {}
        self._lock = threading.Lock()

    @property
    def platform(self) -> str:
        return self._config.name

    def describe(self) -> Description:
        """Ask every host what it is; hosts that cannot be asked are named in ``absent``."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            asked = list(pool.map(self._ask, self._inventory.hosts))
        errors = [found for found in asked if isinstance(found, PlatformError)]
        facts = [found for found in asked if not isinstance(found, PlatformError)]
        if not facts:
            raise errors[0]
        names = [host.name for host in self._inventory.hosts]
        silent = {
            f"host {name}": str(found)
            for name, found in zip(names, asked, strict=True)
            if isinstance(found, PlatformError)
        }
        return Description(
            platform=self.platform,
            kind=self.kind,
            emulator=bool(self._config.declared.get("emulator", False)),
            kinds=KINDS,
            features=frozenset({"machine", "key", "ssh", "reboot"}),
            absent=ABSENT | silent,
            images=images(facts),
            sizes=tuple(found.size() for found in facts),
            limits={"machines": len(facts), "jobs.machine": 8, "visibility_s": 0, "rate": 20},
            facts={"hosts": names, "hosts.source": "declared: hosts in platforms.yaml"},
        )

    def plan(self, want: Resource) -> Step:
        support = KINDS[want.kind]
        if support is Support.ABSENT:
            reason = ABSENT.get(want.kind, f"existing hosts have no {want.kind}")
            raise Unsupported(f"{want.ref}: {reason}", self.platform)
        if want.kind is not Kind.MACHINE:
            body = {"public_key": want.spec.public_key} if isinstance(want.spec, KeySpec) else {}
            if isinstance(want.spec, KeySpec) and len(want.spec.public_key.split()) < 2:
                raise BadRequest(f"{want.ref}: expected an OpenSSH public key", self.platform)
            return Step(platform=self.platform, resource=want, support=support, body=body, wait_s=0)
        if not isinstance(want.spec, MachineSpec):
            raise BadRequest(f"{want.ref}: expected a machine's specification", self.platform)
        return self._plan_machine(want, want.spec)

    def _plan_machine(self, want: Resource, spec: MachineSpec) -> Step:
        if spec.user_data:
            raise Unsupported(f"{want.ref}: {ABSENT['user-data']}", self.platform)
        fit: list[Host] = []
        unfit: list[str] = []
        for host, reason in self._inventory.candidates(want.name, spec):
            if reason:
                unfit.append(f"{host.name} {reason}")
            else:
                fit.append(host)
        if not fit:
            raise BadRequest(f"{want.ref}: no host fits: {'; '.join(unfit)}", self.platform)
        notes = [
            f"{host.name}: not declared: {', '.join(unknown)}"
            for host in fit
            if (unknown := host.unknown(spec))
        ]
        if spec.hostname:
            notes.append("the host keeps the name it has")
        named = (spec.key, spec.network, *spec.firewalls)
        return Step(
            platform=self.platform,
            resource=want,
            body={"candidates": [host.name for host in fit]},
            refs=tuple(ref for ref in named if ref is not None),
            notes=tuple(notes),
            wait_s=60.0,
        )

    def create(self, step: Step, token: str) -> Handle:
        """Claim the first candidate that is free; the same token gets the same host again.

        A host that cannot be asked is passed over: one dead host must not stop all others. Should
        it hold a claim of this very token, ``find`` shows that as soon as it is back.
        """
        want = step.resource
        run = want.tags.get(TAG_RUN, "")
        missing = [str(ref) for ref in step.refs if ref not in step.bound]
        if missing:
            message = f"{want.ref}: {', '.join(missing)} must exist first"
            raise BadRequest(message, self.platform)
        if step.support is Support.IMPLICIT:
            extra = {str(k): str(v) for k, v in step.body.items()}
            return self._handle(want.kind, f"{run}/{want.name}", want.name, run, extra)
        names, silent = self._mine_first([str(name) for name in step.body["candidates"]], token)
        busy: list[str] = []
        for name in names:
            remote = self._remote(name)
            holder = claims.take(remote, token, want.tags)
            if holder is None:
                for ref, handle in step.bound.items():
                    if ref.kind is Kind.KEY:
                        claims.add_key(remote, token, handle.extra["public_key"])
                return self._handle(want.kind, name, want.name, run, {"token": token})
            busy.append(f"{name} is claimed by run {holder['tags'].get(TAG_RUN) or 'unknown'}")
        if not busy:
            raise silent[0]
        reasons = "; ".join([*busy, *map(str, silent)])
        raise Capacity(f"{want.ref}: no host is free: {reasons}", self.platform)

    def _mine_first(
        self, names: list[str], token: str
    ) -> tuple[list[str], list[Lost | Unauthorized]]:
        """The host this token has already, else all that answer; and why others do not."""
        answer: list[str] = []
        silent: list[Lost | Unauthorized] = []
        for name in names:
            try:
                claim = claims.read(self._remote(name))
            except (Lost, Unauthorized) as error:
                silent.append(error)
                continue
            if claim is not None and claim["token"] == token:
                return [name], silent
            answer.append(name)
        return answer, silent

    def read(self, handle: Handle) -> State | None:
        if handle.kind is not Kind.MACHINE:
            return State(status=Status.READY) if handle.kind in IMPLICIT else None
        host = self._hosts.get(handle.id)
        if host is None:
            return None
        claim = claims.read(self._remote(host.name))
        if claim is None or claim["token"] != handle.extra.get("token", claim["token"]):
            return None
        return State(
            status=Status.READY,
            addresses={"private": host.address},
            access=Access(
                how="ssh",
                host=host.address,
                port=host.port,
                user=host.user,
                host_keys=host.host_key,
                host_keys_from="inventory" if host.host_key else "none",
            ),
            tags=claim["tags"],
            facts={"instance_id": host.name, "user": host.user, "user_source": "declared"},
            raw={"host": host.model_dump(mode="json", exclude={"key"}), "claim": claim["tags"]},
            version=claim["tags"].get(TAG_NAME, ""),
        )

    def delete(self, handle: Handle) -> None:
        """Give the host back as it was; a claim of another run's is left alone."""
        if handle.kind is not Kind.MACHINE or handle.id not in self._hosts:
            return
        remote = self._remote(handle.id)
        claim = claims.read(remote)
        if claim is None:
            return
        token = handle.extra.get("token")
        same_run = claim["tags"].get(TAG_RUN, "") == handle.run
        if claim["token"] == token or (token is None and same_run):
            claims.give_back(remote, claim["token"])

    def find(self, owner: Owner) -> Iterator[Handle]:
        """Claims of the owner's on all hosts.

        Raises:
            Lost, Unauthorized: after all others, if a host could not be asked: what it has
                is not known.
        """
        silent: list[Lost | Unauthorized] = []
        for host in self._inventory.hosts:
            try:
                claim = claims.read(self._remote(host.name))
            except (Lost, Unauthorized) as error:
                silent.append(error)
                continue
            if claim is None or owner.run not in (None, claim["tags"].get(TAG_RUN)):
                continue
            tags = claim["tags"]
            extra = {"token": claim["token"]}
            name, run = tags.get(TAG_NAME, ""), tags.get(TAG_RUN, "")
            yield self._handle(Kind.MACHINE, host.name, name, run, extra)
        if silent:
            refused = all(isinstance(error, Unauthorized) for error in silent)
            message = f"claims are not known: {'; '.join(map(str, silent))}"
            raise (Unauthorized if refused else Lost)(message, self.platform)

    def feature(self, f: type[F], handle: Handle) -> F:
        if f is Metadata and handle.kind is Kind.MACHINE:
            return cast(F, ClaimTags(self._remote(handle.id)))
        reason = ABSENT.get(f.__name__.lower(), f"existing hosts have no {f.__name__}")
        raise Unsupported(reason, self.platform)

    def close(self) -> None:
        with self._lock:
            remotes, self._remotes = list(self._remotes.values()), {}
        for remote in remotes:
            remote.close()

    def _handle(
        self, kind: Kind, id_: str, name: str, run: str, extra: Mapping[str, str]
    ) -> Handle:
        return Handle(
            platform=self.platform, kind=kind, id=id_, name=name, run=run, extra=dict(extra)
        )

    def _remote(self, name: str) -> Remote:
        """The owner's way into a host: with the inventory's key, never with a run's."""
        with self._lock:
            if name not in self._remotes:
                if name not in self._hosts:
                    raise NotFound(f"host {name} is not in the inventory", self.platform)
                host = self._hosts[name]
                access = Access(
                    how="ssh",
                    host=host.address,
                    port=host.port,
                    user=host.user,
                    host_keys=host.host_key,
                )
                known = self._config.state / f"known_hosts-{self.platform}"
                alias = f"{self.platform}:{host.name}"
                session = SshSession(self._dialer, access, host.key, known=known, alias=alias)
                self._remotes[name] = SshRemote(session)
            return self._remotes[name]

    def _ask(self, host: Host) -> Survey | PlatformError:
        """What a host says it is, or why it could not be asked."""
        try:
            return survey(host.name, self._remote(host.name))
        except PlatformError as error:
            return error
