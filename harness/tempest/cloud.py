"""What Tempest must be told of a cloud, found out from the cloud itself as an ordinary user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from provisioner.errors import BadRequest, PlatformFault, Unauthorized

# Tempest's name of a service -> the types it has in a catalog. Source: service-types-authority.
SERVICES: Mapping[str, tuple[str, ...]] = {
    "nova": ("compute",),
    "glance": ("image",),
    "neutron": ("network",),
    "cinder": ("block-storage", "volumev3", "block-store", "volume"),
    "swift": ("object-store",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Whose name a test may act in."""

    username: str
    password: str
    project: str
    user_domain: str
    project_domain: str
    roles: tuple[str, ...] = ()

    def as_account(self, network: str) -> dict[str, Any]:
        """An entry of Tempest's accounts file; *network* is the name of one of its project."""
        return {
            "username": self.username,
            "password": self.password,
            "project_name": self.project,
            "user_domain_name": self.user_domain,
            "project_domain_name": self.project_domain,
            "roles": list(self.roles),
            "resources": {"network": network},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A cloud in Tempest's terms. Ids are the cloud's own."""

    auth_url: str
    region: str
    interface: str
    ca_file: str
    verify: bool
    services: Mapping[str, str]  # Tempest's name -> the type in the catalog
    images: tuple[str, ...]  # the smallest first
    flavors: tuple[str, ...]  # the smallest that the image fits on first
    public_network: str = ""
    public_name: str = ""
    extensions: tuple[str, ...] = ()
    ssh_user: str = ""
    notes: tuple[str, ...] = field(default=())


class Clouds:
    """The entries of one clouds.yaml (or of the usual places, if none is named)."""

    def __init__(self, config_file: Path | None, region: str) -> None:
        files: dict[str, Any] = {"config_files": [str(config_file)]} if config_file else {}
        self._region = region
        self._config = OpenStackConfig(load_envvars=config_file is None, **files)

    def user(self, cloud: str) -> User:
        """The user of an entry; only password log-in can be handed on to Tempest.

        Raises:
            BadRequest: there is no such entry, or it logs in some other way.
            Unauthorized: it cannot log in.
        """
        entry = self._entry(cloud)
        auth = entry.config["auth"]
        for key in ("username", "password"):
            if not auth.get(key):
                raise BadRequest(f"cloud {cloud or '(default)'}: auth.{key}: Tempest needs it")
        domain = auth.get("domain_name") or "Default"
        with _open(entry) as connection:
            roles = _access(connection).role_names
        return User(
            username=auth["username"],
            password=auth["password"],
            project=auth.get("project_name") or "",
            user_domain=auth.get("user_domain_name") or domain,
            project_domain=auth.get("project_domain_name") or domain,
            roles=tuple(sorted(roles)),
        )

    def look(self, cloud: str) -> Cloud:
        """Find out what a cloud has.

        Raises:
            BadRequest: no such entry.
            Unauthorized: it does not let us in.
            PlatformFault: it has nothing to boot, or refused an answer.
        """
        entry = self._entry(cloud)
        with _open(entry) as connection:
            return self._look(entry, connection)

    def _entry(self, cloud: str) -> Any:
        try:
            return self._config.get_one(cloud=cloud or None, region_name=self._region or None)
        except sdk.ConfigException as error:
            raise BadRequest(f"clouds.yaml: {error}") from error

    def _look(self, entry: Any, connection: Connection) -> Cloud:
        catalog = _types(connection)
        services = {
            name: next((kind for kind in kinds if kind in catalog), "")
            for name, kinds in SERVICES.items()
        }
        images = _images(connection)
        if not images:
            raise PlatformFault("tempest: the cloud has no active image")
        flavors = _flavors(connection, images[0])
        if not flavors:
            raise PlatformFault("tempest: no flavor is large enough for the smallest image")
        external = _external(connection) if services["neutron"] else None
        notes = []
        if len(images) == 1:
            notes.append("one image only: tests that rebuild from another one use the same")
        if len(flavors) == 1:
            notes.append("one flavor only: tests that resize to another one use the same")
        verify, _ = entry.get_requests_verify_args()
        return Cloud(
            auth_url=entry.config["auth"]["auth_url"],
            region=entry.get_region_name() or "",
            interface=entry.get_interface() or "public",
            ca_file=verify if isinstance(verify, str) else "",
            verify=bool(verify),
            services=services,
            images=tuple(image.id for image in images),
            flavors=tuple(flavor.id for flavor in flavors),
            public_network=external.id if external else "",
            public_name=external.name if external else "",
            extensions=_extensions(connection) if services["neutron"] else (),
            ssh_user=str(getattr(images[0], "os_admin_user", "") or ""),
            notes=tuple(notes),
        )


@contextmanager
def _open(entry: Any) -> Iterator[Connection]:
    """A connection whose errors are ours."""
    connection = Connection(config=entry)
    try:
        yield connection
    except sdk.HttpException as error:
        kind = Unauthorized if getattr(error, "status_code", 0) == 401 else PlatformFault
        raise kind(f"tempest: the cloud said {error}") from error
    except ClientException as error:
        raise Unauthorized(f"tempest: {error}") from error
    finally:
        connection.close()


def _access(connection: Connection) -> Any:
    auth: Any = connection.session.auth
    return auth.get_access(connection.session)


def _types(connection: Connection) -> frozenset[str]:
    """The service types in the catalog of the user's token."""
    access = _access(connection)
    catalog = access.service_catalog.catalog if access.service_catalog else []
    return frozenset(str(service["type"]) for service in catalog)


def _images(connection: Connection) -> list[Any]:
    images = [image for image in connection.image.images() if image.status == "active"]
    return sorted(images, key=lambda image: (image.min_ram or 0, image.size or 0, image.name or ""))


def _flavors(connection: Connection, image: Any) -> Sequence[Any]:
    """Those that the image fits on, the smallest first; then what it can be resized to.

    Flavors of other extra specs may be of other hosts or hypervisors, so they come last.
    """
    fitting = [
        flavor
        for flavor in connection.compute.flavors()
        if flavor.ram >= (image.min_ram or 0) and flavor.disk >= (image.min_disk or 0)
    ]
    fitting.sort(key=lambda flavor: (flavor.vcpus, flavor.ram, flavor.disk, flavor.name))
    alike = fitting[0].extra_specs if fitting else None
    return sorted(fitting, key=lambda flavor: flavor.extra_specs != alike)


def _external(connection: Connection) -> Any:
    networks = list(connection.network.networks(is_router_external=True))
    networks.sort(key=lambda network: (not network.is_default, network.name or ""))
    return networks[0] if networks else None


def _extensions(connection: Connection) -> tuple[str, ...]:
    return tuple(sorted(extension.alias for extension in connection.network.extensions()))
