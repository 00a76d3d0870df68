"""Turns a workload and platforms into a plan, or into the list of everything that is unmet.

Planning changes nothing: drivers validate and price, values are chosen and checked, and every
want of every role is traced to what will provide it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.documents import BadWorkload
from provisioner.errors import BadRequest, Unsupported
from provisioner.openings import rules_of
from provisioner.params import choose, expand
from provisioner.plan import Node, Plan, PlannedMember, Unmet, ordered
from provisioner.resources import (
    AttachmentSpec,
    FirewallSpec,
    ImageSpec,
    KeySpec,
    Kind,
    MachineSpec,
    NetworkSpec,
    Ref,
    Resource,
    Spec,
    Support,
    VolumeSpec,
)
from provisioner.site import Inputs, Site, layers_of, profile_layer
from provisioner.spec import GroupModel
from provisioner.wants import role_nodes, with_required
from provisioner.workload import Workload

KEY = "run"
FIREWALL = "members"


def make_plan(workload: Workload, sites: Sequence[Site], inputs: Inputs) -> Plan:
    """Plan *workload* over *sites*; with several, members are dealt out in turn, or by ``place``.

    Raises:
        Unmet: it cannot be carried out; has every reason at once.
        BadWorkload: a parameter's value is wrong.
        PlatformError: a platform did not answer.
    """
    drawing = _Drawing(workload, {site.name: site for site in sites}, inputs)
    return drawing.plan()


class _Drawing:
    """A plan in the making."""

    def __init__(self, workload: Workload, sites: Mapping[str, Site], inputs: Inputs) -> None:
        self.workload = workload
        self.model = workload.model
        self.sites = sites
        self.inputs = inputs
        self.nodes: dict[str, Node] = {}
        self.problems: dict[str, None] = {}
        self.notes: dict[str, None] = {}
        self.members: list[PlannedMember] = []

    def plan(self) -> Plan:
        for layer in (self.inputs.chosen, self.inputs.site):
            for name in layer.values:
                if name not in self.workload.params:
                    source = layer.sources.get(name, layer.name)
                    known = ", ".join(sorted(self.workload.params)) or "none"
                    self._unmet(
                        f"{source}: {name} is no parameter of {self.workload.name}; known: {known}"
                    )
        self._needs()
        placed = self._placed()
        for site in self.sites.values():
            self._common(site)
        for group, index, site in placed:
            self._member(group, index, site)
        self._roles()
        self._room()
        if self.problems:
            raise Unmet(tuple(self.problems))
        return Plan(
            run=self.inputs.owner.run or "",
            workload=self.workload.name,
            version=self.model.version,
            digest=self.workload.digest,
            nodes=ordered(self.nodes),
            members=tuple(self.members),
            texts=self.workload.texts,
            contents=self.workload.files,
            secrets=self._secrets(),
            notes=tuple(self.notes),
            wall_s=self.model.budget.seconds(self._price()),
        )

    def _secrets(self) -> frozenset[str]:
        named = {name for name, param in self.workload.params.items() if param.secret}
        for role in self.model.roles.values():
            named |= {name for name, spec in role.provides.items() if spec.secret}
        return frozenset(named)

    # -- what platforms must be ----------------------------------------------------------------

    def _needs(self) -> None:
        needs = self.model.needs
        count = sum(group.count for group in self.model.groups.values())
        if count < needs.machines.count:
            self._unmet(f"needs {needs.machines.count} machines, groups have {count}")
        for site in self.sites.values():
            about = site.description
            for wanted in needs.features:
                feature = wanted.removesuffix("?")
                if feature in about.features:
                    continue
                reason = about.absent.get(feature, "its description does not offer it")
                if wanted.endswith("?"):
                    self._note(f"{site.name}: without {feature}: {reason}")
                else:
                    self._unmet(f"{site.name}: needs {feature}: {reason}")
            arches = {image.facts.get("arch") for image in about.images} - {None, ""}
            if needs.machines.arch and arches and not arches & set(needs.machines.arch):
                there = ", ".join(sorted(map(str, arches)))
                self._unmet(f"{site.name}: needs arch {needs.machines.arch}, images have {there}")

    def _spread(self, group: str, spec: GroupModel) -> None:
        """No driver can yet be told to keep machines apart; nobody shall believe they are."""
        if not spec.spread:
            return
        told = f"groups.{group}.spread: machines cannot be spread over {spec.spread.rstrip('?')}s"
        if spec.spread.endswith("?"):
            self._note(told)
        else:
            self._unmet(f"{told}; with {spec.spread}? it is a wish")

    def _placed(self) -> list[tuple[str, int, Site]]:
        """Every member with its platform."""
        placed = []
        every = list(self.sites)
        turn = 0
        for group, spec in self.model.groups.items():
            self._spread(group, spec)
            allowed = self.model.place.get(group, every)
            unknown = [name for name in allowed if name not in self.sites]
            if unknown:
                known = ", ".join(every) or "none"
                self._unmet(f"place.{group}: no platform {unknown[0]}; known: {known}")
                continue
            for index in range(1, spec.count + 1):
                name = allowed[(index - 1 if group in self.model.place else turn) % len(allowed)]
                placed.append((group, index, self.sites[name]))
                turn += 1
        return placed

    def _room(self) -> None:
        """Limits that are known beforehand."""
        for site in self.sites.values():
            most = site.description.limits.get("machines")
            mine = sum(1 for member in self.members if member.platform == site.name)
            if most is not None and mine > most:
                self._unmet(f"{site.name}: needs {mine} machines, its limit is {most:g}")
        used = {member.platform for member in self.members}
        about = [site.description for site in self.sites.values() if site.name in used]
        for problem in self.model.budget.unmet(len(self.members), self._price(), about):
            self._unmet(problem)

    def _price(self) -> float:
        """What everything costs an hour."""
        return sum(node.step.price_per_hour for node in self.nodes.values() if node.step)

    # -- resources -----------------------------------------------------------------------------

    def _name(self, name: str, site: Site) -> str:
        """Shared resources of a run are named apart where there are several platforms."""
        return name if len(self.sites) == 1 else f"{name}-{site.name}"

    def _has(self, site: Site, kind: Kind) -> bool:
        return site.description.kinds.get(kind, Support.ABSENT) is not Support.ABSENT

    def _common(self, site: Site) -> None:
        """The key, networks and firewall of one platform."""
        if self._has(site, Kind.KEY):
            self._add(
                site, Kind.KEY, self._name(KEY, site), KeySpec(public_key=self.inputs.public_key)
            )
        else:
            self._note(f"{site.name}: no key is registered: {self._why(site, Kind.KEY)}")
        first: Ref | None = None
        for network, net in self.model.networks.items():
            name = self._name(network, site)
            spec = NetworkSpec(cidr=net.cidr, ipv6=net.ipv6 != "no")
            self._add(site, Kind.NETWORK, name, spec)
            first = first or Ref(Kind.NETWORK, name)
        if not self.model.firewall:
            return
        if not self._has(site, Kind.FIREWALL):
            self._note(f"{site.name}: nothing filters: {self._why(site, Kind.FIREWALL)}")
            return
        rules, wrong = rules_of(self.model.firewall)
        for problem in wrong:
            self._unmet(problem)
        wall = FirewallSpec(rules=rules, network=first)
        self._add(site, Kind.FIREWALL, self._name(FIREWALL, site), wall)

    def _member(self, group: str, index: int, site: Site) -> None:
        spec = self.model.groups[group]
        name = f"{group}-{index}"
        key, wall = self._name(KEY, site), self._name(FIREWALL, site)
        networks = tuple(self.model.networks)
        machine = Ref(Kind.MACHINE, name)
        self._add(
            site,
            Kind.MACHINE,
            name,
            MachineSpec(
                cpu=spec.size.cpu,
                memory_mib=spec.size.memory,
                disk_gib=-(-spec.size.disk // 1024),
                image=_image(spec, self.model.needs.machines.arch),
                key=self._known(Kind.KEY, key),
                network=self._known(Kind.NETWORK, self._name(networks[0], site))
                if networks
                else None,
                firewalls=tuple(filter(None, (self._known(Kind.FIREWALL, wall),))),
                hostname=name,
            ),
        )
        volumes: dict[str, Ref] = {}
        for volume, want in self.model.volumes.items():
            if want.group != group:
                continue
            lacking = [k for k in (Kind.VOLUME, Kind.ATTACHMENT) if not self._has(site, k)]
            if lacking:
                told = f"{site.name}: no volume {volume}: {self._why(site, lacking[0])}"
                (self._note if want.optional else self._unmet)(told)
                continue
            ref = Ref(Kind.VOLUME, f"{volume}-{name}")
            size = -(-want.size // 1024)
            self._add(site, Kind.VOLUME, ref.name, VolumeSpec(size_gib=size, machine=machine))
            joined = AttachmentSpec(machine=machine, what=ref)
            self._add(site, Kind.ATTACHMENT, ref.name, joined)
            volumes[volume] = ref
        self.members.append(
            PlannedMember(
                name=name,
                group=group,
                index=index,
                platform=site.name,
                roles=with_required(spec.roles, self.model.roles),
                volumes=volumes,
                networks=networks,
            )
        )

    def _known(self, kind: Kind, name: str) -> Ref | None:
        ref = Ref(kind, name)
        return ref if str(ref) in self.nodes else None

    def _why(self, site: Site, kind: Kind) -> str:
        return site.description.absent.get(str(kind), f"there is no {kind} on this platform")

    def _add(self, site: Site, kind: Kind, name: str, spec: Spec) -> None:
        """Have the driver plan one resource."""
        tags = self.inputs.owner.tags(name)
        want = Resource(kind=kind, name=name, spec=spec, tags=tags)
        try:
            step = site.driver.plan(want)
        except (BadRequest, Unsupported) as error:
            self._unmet(f"{site.name}: {want.ref}: {error.message}")
            return
        after = tuple(str(ref) for ref in step.refs)
        node = Node(id=str(want.ref), platform=site.name, after=after, step=step)
        self.nodes[node.id] = node

    # -- roles ---------------------------------------------------------------------------------

    def _roles(self) -> None:
        profiles = {
            name: profile_layer(name, site.profile, self.workload)
            for name, site in self.sites.items()
        }
        values: dict[str, Mapping[str, Any]] = {}
        cache: dict[tuple[str, str], Mapping[str, Any]] = {}
        for member in self.members:
            key = (member.group, member.platform)
            if member.name not in self.model.members and key in cache:
                values[member.name] = cache[key]
                continue
            layers = layers_of(
                self.workload, member.group, member.name, profiles[member.platform], self.inputs
            )
            try:
                chosen = expand(choose(self.workload.params, layers), self.workload.params)
            except BadWorkload as error:
                told = (error.source, error.where, error.expected)
                self._unmet(": ".join(part for part in told if part))
                chosen = {}
            values[member.name] = chosen
            if member.name not in self.model.members:
                cache[key] = chosen
        nodes, problems = role_nodes(self.workload, self.members, values, set(self.nodes))
        self.nodes.update(nodes)
        for problem in problems:
            self._unmet(problem)

    def _unmet(self, problem: str) -> None:
        self.problems[problem] = None

    def _note(self, note: str) -> None:
        self.notes[note] = None


def _image(spec: GroupModel, arches: Sequence[str]) -> ImageSpec:
    arch = spec.image.arch or (arches[0] if len(arches) == 1 else "")
    return ImageSpec(os=spec.image.os, version=spec.image.version, arch=arch)
