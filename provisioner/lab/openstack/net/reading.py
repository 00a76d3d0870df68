"""Reads the world from neutron's database in one transaction, a few plain queries.

What cannot be understood is left out, so that one odd row does not stop the network of all others:
the port then stays closed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from neutron.db import models_v2 as v2
from neutron.db.extra_dhcp_opt import models as dhcp_options
from neutron.db.models import address_group, allowed_address_pair, dns, external_net, l3
from neutron.db.models import securitygroup as groups
from neutron.db.port_security import models as port_security
from neutron.plugins.ml2 import models as ml2
from neutron_lib.db import api as db
from sqlalchemy import select

from provisioner.lab.openstack.net import world as w

LOG = logging.getLogger(__name__)
ANY = ("0.0.0.0/0", "::/0")

T = TypeVar("T")
Pairs = dict[str, tuple[Any, ...]]


def read(context: Any) -> w.World:
    """All of it, as *context* (an administrator's) may see it."""
    with db.CONTEXT_READER.using(context):
        return _Reader(context.session).world()


class _Reader:
    def __init__(self, session: Any) -> None:
        self._session = session

    def _rows(self, *columns: Any) -> Sequence[Any]:
        return list(self._session.execute(select(*columns)).all())

    def _many(self, key: Any, *columns: Any, order: Any = None) -> Pairs:
        """Rows by their first column; one column gives plain values, more give tuples."""
        wanted = select(key, *columns)
        if order is not None:
            wanted = wanted.order_by(order)
        found: dict[str, list[Any]] = defaultdict(list)
        for row in self._session.execute(wanted):
            found[row[0]].append(row[1] if len(columns) == 1 else tuple(row[1:]))
        return {name: tuple(values) for name, values in found.items()}

    def world(self) -> w.World:
        return w.World(
            networks=self._networks(),
            ports=self._ports(),
            groups=self._groups(),
            address_groups={
                name: tuple(_good(w.cidr, members))
                for name, members in self._many(
                    address_group.AddressAssociation.address_group_id,
                    address_group.AddressAssociation.address,
                ).items()
            },
            routers=self._routers(),
            floating=self._floating(),
        )

    def _networks(self) -> dict[str, w.Network]:
        servers = self._many(
            v2.DNSNameServer.subnet_id, v2.DNSNameServer.address, order=v2.DNSNameServer.order
        )
        routes = self._many(
            v2.SubnetRoute.subnet_id, v2.SubnetRoute.destination, v2.SubnetRoute.nexthop
        )
        subnets: dict[str, list[w.Subnet]] = defaultdict(list)
        row = v2.Subnet
        for it in self._rows(
            row.id, row.network_id, row.cidr, row.gateway_ip, row.enable_dhcp, row.ip_version
        ):
            if it.ip_version == 4:
                subnet = w.Subnet(
                    id=it.id,
                    network=it.network_id,
                    cidr=w.cidr(it.cidr),
                    gateway=w.address(it.gateway_ip) if it.gateway_ip else "",
                    dhcp=bool(it.enable_dhcp),
                    nameservers=tuple(_good(w.address, servers.get(it.id, ()))),
                    routes=tuple(sorted(_good(_route, routes.get(it.id, ())))),
                )
                subnets[it.network_id].append(subnet)
        outside = {it[0] for it in self._rows(external_net.ExternalNetwork.network_id)}
        net = v2.Network
        return {
            it.id: w.Network(
                id=it.id,
                project=it.project_id or "",
                mtu=it.mtu or 1500,
                external=it.id in outside,
                up=bool(it.admin_state_up),
                subnets=tuple(sorted(subnets[it.id], key=lambda subnet: subnet.id)),
            )
            for it in self._rows(net.id, net.project_id, net.mtu, net.admin_state_up)
        }

    def _ports(self) -> dict[str, w.Port]:
        addresses = self._many(
            v2.IPAllocation.port_id, v2.IPAllocation.subnet_id, v2.IPAllocation.ip_address
        )
        member, pair = groups.SecurityGroupPortBinding, allowed_address_pair.AllowedAddressPair
        chosen = self._many(member.port_id, member.security_group_id)
        pairs = self._many(pair.port_id, pair.mac_address, pair.ip_address)
        option = dhcp_options.ExtraDhcpOpt
        options = self._many(
            option.port_id, option.opt_name, option.opt_value, option.ip_version, order=option.id
        )
        names = dict(self._pairs(dns.PortDNS.port_id, dns.PortDNS.dns_name))
        bound = dict(self._pairs(ml2.PortBinding.port_id, ml2.PortBinding.host))
        secured = dict(
            self._pairs(
                port_security.PortSecurityBinding.port_id,
                port_security.PortSecurityBinding.port_security_enabled,
            )
        )
        found, row = {}, v2.Port
        for it in self._rows(
            row.id, row.network_id, row.mac_address, row.device_id, row.device_owner,
            row.project_id, row.admin_state_up, row.status,
        ):  # fmt: skip
            name = names.get(it.id) or ""
            found[it.id] = w.Port(
                id=it.id,
                network=it.network_id,
                mac=w.mac(it.mac_address),
                addresses=tuple(sorted(_good(_held, addresses.get(it.id, ())))),
                device=it.device_id or "",
                owner=it.device_owner or "",
                project=it.project_id or "",
                host=bound.get(it.id) or "",
                status=it.status or "",
                name=name.lower() if w.LABEL.fullmatch(name) else "",
                up=bool(it.admin_state_up),
                secured=bool(secured.get(it.id, True)),
                groups=tuple(sorted(chosen.get(it.id, ()))),
                pairs=tuple(sorted(_good(_pair, pairs.get(it.id, ())))),
                options=tuple(_good(_option, options.get(it.id, ()))),
            )
        return found

    def _pairs(self, *columns: Any) -> list[tuple[str, Any]]:
        return [(row[0], row[1]) for row in self._rows(*columns)]

    def _groups(self) -> dict[str, tuple[w.Rule, ...]]:
        found: dict[str, list[w.Rule]] = {it[0]: [] for it in self._rows(groups.SecurityGroup.id)}
        rules = self._rows(*groups.SecurityGroupRule.__table__.columns)
        for it in sorted(rules, key=lambda row: str(row.id)):
            rules_of = _good(_rule, (it,))
            found.setdefault(it.security_group_id, []).extend(rules_of)
        return {name: tuple(rules) for name, rules in found.items()}

    def _routers(self) -> dict[str, w.Router]:
        routes = self._many(
            l3.RouterRoute.router_id, l3.RouterRoute.destination, l3.RouterRoute.nexthop
        )
        row = l3.Router
        return {
            it.id: w.Router(
                id=it.id,
                up=bool(it.admin_state_up),
                snat=bool(it.enable_snat),
                status=it.status or "",
                routes=tuple(sorted(_good(_route, routes.get(it.id, ())))),
            )
            for it in self._rows(row.id, row.admin_state_up, row.enable_snat, row.status)
        }

    def _floating(self) -> dict[str, w.Floating]:
        row = l3.FloatingIP
        columns = (row.id, row.floating_ip_address, row.router_id, row.fixed_ip_address,
                   row.fixed_port_id, row.status)  # fmt: skip
        return {
            it.id: w.Floating(
                id=it.id,
                address=w.address(it.floating_ip_address),
                router=it.router_id or "",
                inner=w.address(it.fixed_ip_address) if it.fixed_ip_address else "",
                port=it.fixed_port_id or "",
                status=it.status or "",
            )
            for it in self._rows(*columns)
        }


def _good(make: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
    """What could be made of *items*; those of IPv6, and broken ones, are left out."""
    found = []
    for item in items:
        try:
            found.append(make(item))
        except ValueError as error:
            LOG.debug("left out: %s", error)
    return found


def _route(item: tuple[str, str]) -> tuple[str, str]:
    return w.cidr(item[0]), w.address(item[1])


def _held(item: tuple[str, str]) -> tuple[str, str]:
    return item[0], w.address(item[1])


def _pair(item: tuple[str, str]) -> tuple[str, str]:
    return w.mac(item[0]), w.cidr(item[1])


def _option(item: tuple[str, str, int]) -> tuple[str, str]:
    name, value, version = item
    if version != 4 or not w.PLAIN_NAME.fullmatch(name) or not w.PLAIN_VALUE.fullmatch(value):
        raise ValueError(f"DHCP option {name!r}")
    return name, value


def _rule(row: Any) -> w.Rule:
    version = 6 if str(row.ethertype).lower() == "ipv6" else 4
    prefix = row.remote_ip_prefix or ""
    plain = "" if prefix in ANY else prefix
    return w.Rule(
        direction=row.direction,
        protocol=(row.protocol or "").lower(),
        first=row.port_range_min,
        last=row.port_range_max,
        cidr=w.cidr(plain) if plain and version == 4 else plain,
        group=row.remote_group_id or "",
        addresses=row.remote_address_group_id or "",
        version=version,
    )
