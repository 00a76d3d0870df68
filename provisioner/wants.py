"""Traces every want of every role to what provides it, and so to what must be done before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provisioner.params import LATE
from provisioner.plan import Node, PlannedMember, RoleTask
from provisioner.spec import RoleModel
from provisioner.templates import BadTemplate, is_template, references
from provisioner.workload import Workload

ALWAYS = ("member", "run", "workload")


def role_nodes(
    workload: Workload,
    members: Sequence[PlannedMember],
    values: Mapping[str, Mapping[str, object]],
    resources: set[str],
) -> tuple[dict[str, Node], list[str]]:
    """One node for each role on each member, and everything that is unmet."""
    tracing = _Tracing(workload, members, resources)
    return tracing.nodes(values), tracing.problems


def with_required(roles: Sequence[str], known: Mapping[str, RoleModel]) -> tuple[str, ...]:
    """*roles* and everything they require, each after what it requires."""
    found: dict[str, None] = {}

    def add(role: str, chain: tuple[str, ...]) -> None:
        if role in found or role in chain or role not in known:
            return  # a cycle shows when the plan is put in order
        for needed in known[role].requires:
            add(needed, (*chain, role))
        found[role] = None

    for role in roles:
        add(role, ())
    return tuple(found)


class _Tracing:
    def __init__(
        self, workload: Workload, members: Sequence[PlannedMember], resources: set[str]
    ) -> None:
        self.workload = workload
        self.roles = workload.model.roles
        self.members = members
        self.problems: list[str] = []
        self.machines: dict[str, list[str]] = {}
        self.with_role: dict[str, list[PlannedMember]] = {}
        self.attached: dict[str, tuple[str, ...]] = {}
        for member in members:
            self.machines.setdefault(member.group, []).append(str(member.ref))
            joined = (f"attachment/{ref.name}" for ref in member.volumes.values())
            own = (str(member.ref), *joined)
            self.attached[member.name] = tuple(node for node in own if node in resources)
            for role in member.roles:
                self.with_role.setdefault(role, []).append(member)
        self.leaders = {
            role: {m.name: node_id(m, role) for m in self._leaders(role)} for role in self.roles
        }
        self.providers: dict[str, list[str]] = {}
        for role, spec in self.roles.items():
            for name in spec.provides:
                self.providers.setdefault(name, []).append(role)

    def nodes(self, values: Mapping[str, Mapping[str, object]]) -> dict[str, Node]:
        self._requires()
        wanted = {role: self._wants(role, spec, values) for role, spec in self.roles.items()}
        nodes: dict[str, Node] = {}
        for member in self.members:
            for role in member.roles:
                spec = self.roles[role]
                after = list(self.attached[member.name])
                after += [node_id(member, needed) for needed in spec.requires
                          if needed in member.roles]  # fmt: skip
                for source in wanted[role]:
                    after += self._before(source, member, role)
                nodes[node_id(member, role)] = Node(
                    id=node_id(member, role),
                    platform=member.platform,
                    after=tuple(dict.fromkeys(after)),
                    task=RoleTask(
                        member=member.name,
                        role=role,
                        spec=spec,
                        values=values[member.name],
                        leader=member.name in self.leaders[role],
                    ),
                )
        return nodes

    def _leaders(self, role: str) -> list[PlannedMember]:
        """The members of a role that provide: the first ones, or all where nobody leads."""
        mine = self.with_role.get(role, [])
        return mine[: self.roles[role].cardinality.leader or len(mine)]

    def _requires(self) -> None:
        for role, spec in self.roles.items():
            for needed in spec.requires:
                if needed not in self.roles:
                    where = self.workload.source("roles", role, "requires")
                    known = ", ".join(self.roles)
                    told = f"{where}: role {role} requires {needed}: no such role; known: {known}"
                    self.problems.append(told)

    def _wants(
        self, role: str, spec: RoleModel, values: Mapping[str, Mapping[str, object]]
    ) -> list[str]:
        """The sources of a role's wants: ``members``, ``members.GROUP`` or ``role:NAME``."""
        where = self.workload.source("roles", role, "wants")
        holders = self.with_role.get(role, [])
        sources: list[str] = []
        for want in spec.wants:
            root, _, rest = want.partition(".")
            if root in ALWAYS or root == "fact":
                continue
            if root == "members":
                group = rest.split(".")[0]
                if group and group not in self.workload.model.groups:
                    known = ", ".join(self.workload.model.groups)
                    told = f"{where}: role {role} wants {want}: no such group; known: {known}"
                    self.problems.append(told)
                sources.append(f"members.{group}" if group else "members")
                continue
            offered = [r for r in self.providers.get(want, []) if self.with_role.get(r)]
            if offered:
                sources += [f"role:{provider}" for provider in offered]
                continue
            lacking = [m.name for m in holders if want not in values.get(m.name, {})]
            if holders and lacking:
                self.problems.append(f"{where}: role {role} wants {want}: {self._nobody(want)}")
        self._undeclared(role, spec)
        return sources

    def _nobody(self, want: str) -> str:
        param = self.workload.params.get(want)
        if want in self.providers:
            roles = ", ".join(self.providers[want])
            return f"no member has the role that provides it ({roles})"
        if param is not None and param.role:
            return f"role {param.role} does not provide it"
        if param is not None:
            return "it has no value in any layer and no default"
        return "no parameter of that name, and no role provides it"

    def _undeclared(self, role: str, spec: RoleModel) -> None:
        """Names in a role's templates that it does not want."""
        texts = [(step, self.workload.texts[step]) for step in spec.steps]
        texts += [(f"provides {n}", p.value) for n, p in spec.provides.items() if p.value]
        for label, text in texts:
            if not is_template(text):
                continue
            try:
                named = references(text, label)
            except BadTemplate as error:
                self.problems.append(f"role {role}: {error}")
                continue
            for path in sorted(named):
                if not self._allowed(path, spec):
                    told = f"role {role}: {label} uses {path}, which the role does not want"
                    self.problems.append(told)

    def _allowed(self, path: str, spec: RoleModel) -> bool:
        if path.split(".")[0] in ALWAYS:
            return True
        parts = path.split(".")
        prefixes = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
        for want in (*spec.wants, *spec.provides):
            if want in prefixes or want.startswith(f"{path}."):
                return True
        return parts[0] in LATE and parts[0] in spec.wants

    def _before(self, source: str, member: PlannedMember, role: str) -> list[str]:
        """The nodes that must be done for a want of *member*."""
        if source == "members":
            return [machine for group in self.machines.values() for machine in group]
        if source.startswith("members."):
            return self.machines.get(source.removeprefix("members."), [])
        provider = source.removeprefix("role:")
        leaders = self.leaders[provider]
        if provider == role and member.name in leaders:
            return []
        return list(leaders.values())


def node_id(member: PlannedMember, role: str) -> str:
    """The id of a role's node."""
    return f"role/{member.name}/{role}"
