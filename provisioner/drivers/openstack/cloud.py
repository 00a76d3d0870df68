"""One project of a cloud: its services, what they speak, and one way to call them all.

openstacksdk finds the credentials, the catalog, the endpoints and the versions, with its vendor
profiles; calls go through its service proxies as plain REST, so that what the cloud said stays what
it said. One connection serves all threads: its log-in is guarded by a lock of keystoneauth, its
pool of connections by urllib3; only the making of proxies is not safe, and happens under ours.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from keystoneauth1 import exceptions as auth
from keystoneauth1.session import TCPKeepAliveAdapter
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from provisioner.drivers.openstack.errors import from_answer, translated
from provisioner.drivers.openstack.settings import Settings
from provisioner.errors import BadRequest, Lost, NotFound, Unsupported

CONNECT_S = 10.0
CONNECTIONS = 64
PAGES = 10_000  # a list that never ends is an error, not a reason to go on for ever
# Source: openstacksdk, service types; the attribute of the connection for each.
SERVICES = {
    "compute": "compute",
    "image": "image",
    "network": "network",
    "volume": "block_storage",
    "identity": "identity",
    "object-store": "object_store",
}


class Steady(TCPKeepAliveAdapter):
    """Every request has a deadline, and threads enough have a connection each."""

    def __init__(self, read_s: float) -> None:
        super().__init__(pool_connections=16, pool_maxsize=CONNECTIONS)
        self._read_s = read_s

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = (CONNECT_S, self._read_s)
        return super().send(request, *args, **kwargs)


class Cloud:
    """The services of one project in one region. Safe to use from several threads."""

    def __init__(self, platform: str, settings: Settings) -> None:
        self.platform = platform
        self.settings = settings
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._proxies: dict[str, Any] = {}
        self._newest: dict[str, tuple[int, ...]] = {}
        self._oldest: dict[str, tuple[int, ...]] = {}
        self._api: dict[str, str] = {}
        self._extensions: frozenset[str] | None = None
        self._tenants: dict[str, Cloud] = {}
        file = settings.config_file
        with translated(platform, "read clouds.yaml and the environment"):
            # With a file of its own the platform means that file, whatever the environment says.
            config = OpenStackConfig(
                config_files=None if file is None else [str(file)], load_envvars=file is None
            )
            self._region = config.get_one(
                cloud=settings.cloud or None, region_name=settings.region or None
            )

    @property
    def connection(self) -> Connection:
        """The SDK's connection, opened when first used."""
        with self._lock:
            if self._connection is None:
                with translated(self.platform, "open the connection"):
                    session = self._region.get_session()
                    for scheme in ("http://", "https://"):
                        session.session.mount(scheme, Steady(self.settings.timeout_s))
                    self._connection = Connection(config=self._region)
            return self._connection

    def tenant(self, name: str) -> Cloud:
        """The same cloud as another user sees it, one of the setting ``tenants``.

        Raises:
            BadRequest: it is none of them.
        """
        if name not in self.settings.tenants:
            there = ", ".join(self.settings.tenants) or "there are none"
            raise BadRequest(f"tenants: {name!r} is none of them: {there}", self.platform)
        with self._lock:
            if name not in self._tenants:
                settings = self.settings.model_copy(update={"cloud": name})
                self._tenants[name] = Cloud(self.platform, settings)
            return self._tenants[name]

    @property
    def region(self) -> str:
        """The region's name; empty where the cloud has only one and gives it no name."""
        return str(self._region.get_region_name() or "")

    @property
    def project(self) -> str:
        """Id of the project that everything belongs to."""
        with translated(self.platform, "log in"):
            return str(self.connection.session.get_project_id() or "")

    @property
    def token(self) -> str:
        """The session's token, for calls that are about it."""
        with translated(self.platform, "log in"):
            return str(self.connection.session.get_token() or "")

    def proxy(self, service: str) -> Any:
        """The SDK's proxy of a service.

        Raises:
            Unsupported: the catalog does not have it.
        """
        with self._lock:
            if service not in self._proxies:
                with translated(self.platform, f"find the {service} service"):
                    proxy = getattr(self.connection, SERVICES[service])
                    # What is missing in the catalog raises here. Swift tells no versions.
                    told = not getattr(proxy, "skip_discovery", False)
                    data = proxy.get_endpoint_data() if told else None
                    if (data if told else proxy.get_endpoint()) is None:
                        raise auth.EndpointNotFound(f"no endpoint of {service}")
                self._newest[service] = tuple((data and data.max_microversion) or ())
                self._oldest[service] = tuple((data and data.min_microversion) or ())
                self._api[service] = ".".join(map(str, (data and data.api_version) or ()))
                self._proxies[service] = proxy
            return self._proxies[service]

    def has(self, service: str) -> bool:
        """Whether the catalog offers a service to us."""
        try:
            self.proxy(service)
        except Unsupported:
            return False
        return True

    def speaks(self, service: str, microversion: str) -> bool:
        """Whether a service knows a microversion: its newest is that one or a later."""
        self.proxy(service)
        return bool(self._newest[service]) and self._newest[service] >= _numbers(microversion)

    def newest(self, service: str, known: str) -> str | None:
        """The newest microversion that both know, when *known* is ours; None: there are none."""
        self.proxy(service)
        theirs = self._newest[service]
        return ".".join(map(str, min(theirs, _numbers(known)))) if theirs else None

    def versions(self, service: str) -> str:
        """What a service says it speaks: ``v2.1 (microversions 2.1 to 2.103)``."""
        self.proxy(service)
        oldest, newest = self._oldest[service], self._newest[service]
        between = f"{'.'.join(map(str, oldest))} to {'.'.join(map(str, newest))}"
        return f"v{self._api[service] or '?'}" + (f" (microversions {between})" if newest else "")

    def extensions(self) -> frozenset[str]:
        """What the network service can beyond its core; asked once."""
        with self._lock:
            if self._extensions is None:
                found = self.call("list extensions", "network", "GET", "/extensions")["extensions"]
                self._extensions = frozenset(str(one["alias"]) for one in found)
            return self._extensions

    def send(
        self,
        what: str,
        service: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        microversion: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        authenticated: bool = True,
    ) -> requests.Response:
        """One call; the answer as it is, also when it is an error.

        Raises:
            Unauthorized, Unsupported, Lost: nobody answered for the service.
        """
        proxy = self.proxy(service)
        options: dict[str, Any] = {"headers": dict(headers or {})}
        if body is not None:
            options["json"] = body
        if data is not None:
            options["data"] = data
        if query:
            options["params"] = dict(query)
        if microversion is not None:
            options["microversion"] = microversion
        # What only reads may be sent again when the connection broke; anything else must not.
        retries = 1 if method in ("GET", "HEAD") else 0
        with translated(self.platform, what):
            answer: requests.Response = proxy.request(
                path,
                method,
                connect_retries=retries,
                raise_exc=False,
                authenticated=authenticated,
                **options,
            )
        return answer

    def call(self, what: str, service: str, method: str, path: str, **options: Any) -> Any:
        """One call that must succeed; its JSON, or nothing where there is none.

        *what* begins the message of an error: "create volume data".

        Raises:
            PlatformError: what the service answered.
        """
        answer = self.send(what, service, method, path, **options)
        if answer.status_code >= 400 or answer.status_code == 300:
            raise from_answer(answer, self.platform, what)
        if not answer.content:
            return {}
        try:
            return answer.json()
        except ValueError as error:
            message = f"cannot {what}: the answer is not JSON"
            raise Lost(message, self.platform) from error

    def one(self, what: str, service: str, path: str, key: str, **options: Any) -> Any:
        """One resource as the API says it is, or None when it does not know it."""
        try:
            return self.call(what, service, "GET", path, **options)[key]
        except NotFound:
            return None

    def each(
        self,
        what: str,
        service: str,
        path: str,
        key: str,
        *,
        query: Mapping[str, Any] | None = None,
        microversion: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        asked = dict(query or {})
        seen: set[str] = set()
        for _ in range(PAGES):
            page = self.call(what, service, "GET", path, query=asked, microversion=microversion)
            yield from page.get(key) or ()
            marker = next_marker(page, key)
            if not marker or marker in seen:
                return
            seen.add(marker)
            asked["marker"] = marker

    def close(self) -> None:
        """Close all connections; the next call opens them again."""
        with self._lock:
            connection, self._connection = self._connection, None
            self._proxies = {}
            tenants, self._tenants = self._tenants, {}
        for tenant in tenants.values():
            tenant.close()
        if connection is not None:
            connection.session.session.close()
            connection.close()


def next_marker(page: Mapping[str, Any], key: str) -> str:
    """The marker of the next page; the link's address may name a host that only the cloud knows."""
    link = str(page.get("next") or "")
    for one in page.get(f"{key}_links") or ():
        if one.get("rel") == "next":
            link = str(one.get("href", ""))
    return (parse_qs(urlsplit(link).query).get("marker") or [""])[0]


def at(*parts: str) -> str:
    """A path: each part is one step of it, whatever it holds."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
