"""The services' configuration files, rendered. Pure text but for ``write``.

Sources: the configuration reference of each service, release 2026.2. What is unusual says why.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from provisioner.lab.openstack import clouds
from provisioner.lab.openstack.place import HOST, NODE, PHYSICAL, REGION, Place

Section = Mapping[str, object]
File = Mapping[str, Section]

DOMAIN = "novalocal"  # of the guests' names, in nova's metadata and neutron's DNS alike
DRIVER = "interop.LabDriver"  # the runner puts our virt module where nova looks
ROUTERS = "provisioner.lab.openstack.net.routers.LabRouters"
USERS = ("nova", "neutron", "glance", "placement", "cinder")
SECRETS = (*USERS, "admin", *clouds.MEMBERS, "metadata")


def text(file: File) -> str:
    """The file as oslo.config reads it; a tuple is an option given several times."""
    lines = []
    for section, options in file.items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            for one in value if isinstance(value, tuple) else (value,):
                said = str(one).lower() if isinstance(one, bool) else str(one)
                lines.append(f"{key} = {said}")
        lines.append("")
    return "\n".join(lines)


def render(place: Place, secrets: Mapping[str, str]) -> dict[str, str]:
    """Name below ``place.folder`` -> content, of every file the services read."""
    return {
        "etc/keystone/keystone.conf": text(_keystone(place)),
        "etc/placement/placement.conf": text(_placement(place, secrets)),
        "etc/glance/glance-api.conf": text(_glance(place, secrets)),
        "etc/neutron/neutron.conf": text(_neutron(place, secrets)),
        "etc/nova/nova.conf": text(_nova(place, secrets)),
        "etc/cinder/cinder.conf": text(_cinder(place, secrets)),
        "clouds.yaml": clouds.text(place, clouds.ENTRIES, secrets),
        "admin-clouds.yaml": clouds.text(place, {clouds.ADMIN_CLOUD: "admin"}, secrets),
    }


def write(place: Place, secrets: Mapping[str, str]) -> None:
    """Write them, each readable for its owner alone, and make the folders they name."""
    for name, content in render(place, secrets).items():
        private(place.folder / name, content)
    for user in (*USERS, "keystone"):
        (place.folder / "locks" / user).mkdir(parents=True, exist_ok=True)
        (place.disks / "state" / user).mkdir(parents=True, exist_ok=True)
    for folder in (place.databases, place.images, place.instances, place.volumes):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("glance-staging", "glance-tasks"):
        (place.disks / "state" / name).mkdir(exist_ok=True)


def private(path: Path, content: str) -> None:
    """Write a file that nobody else could ever read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(content)
    fresh.replace(path)


def database(place: Place, name: str) -> str:
    """SQLAlchemy's URL; a writer waits up to a minute for another to finish."""
    return f"sqlite:///{place.databases / name}.db?timeout=60"


def _database(place: Place, name: str) -> Section:
    # what the lab holds need not outlive a loss of power, so nobody waits for the disk
    return {"connection": database(place, name), "sqlite_synchronous": False}


def _default(place: Place, service: str) -> dict[str, object]:
    """What every service has: it logs to standard error, which is a file of the lab."""
    return {
        "debug": False,
        "use_stderr": True,
        "state_path": place.disks / "state" / service,
    }


def _login(place: Place, user: str, secrets: Mapping[str, str]) -> dict[str, object]:
    """How a service logs in to another."""
    return {
        "auth_type": "password",
        "auth_url": f"{place.url('keystone')}/v3",
        "username": user,
        "password": secrets[user],
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }


def _guard(place: Place, user: str, secrets: Mapping[str, str]) -> Section:
    """How a service examines the tokens of those who call it."""
    return {
        **_login(place, user, secrets),
        "www_authenticate_uri": f"{place.url('keystone')}/v3",
        "service_token_roles": "service",
        "service_token_roles_required": True,
    }


def _locks(place: Place, service: str) -> Section:
    return {"lock_path": place.folder / "locks" / service}


def _keystone(place: Place) -> File:
    etc = place.disks / "keystone"
    default = _default(place, "keystone")
    del default["state_path"]
    return {
        "DEFAULT": default,
        "database": _database(place, "keystone"),
        "fernet_tokens": {"key_repository": etc / "fernet-keys"},
        "credential": {"key_repository": etc / "credential-keys"},
        "cache": {"enabled": True, "backend": "dogpile.cache.memory"},
        # twelve rounds, the default, cost a quarter of a second at each login
        "identity": {"password_hash_rounds": 4, "max_password_length": 72},  # bcrypt's most
    }


def _placement(place: Place, secrets: Mapping[str, str]) -> File:
    return {
        "DEFAULT": _default(place, "placement"),
        "placement_database": _database(place, "placement"),
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": _guard(place, "placement", secrets),
    }


def _glance(place: Place, secrets: Mapping[str, str]) -> File:
    default = _default(place, "glance")
    del default["state_path"]
    store = "filesystem_store_datadir"
    return {
        "DEFAULT": {
            **default,
            "enabled_backends": "lab:file",
            "worker_self_reference_url": place.url("glance"),
            "enabled_import_methods": "[glance-direct]",
        },
        "database": _database(place, "glance"),
        # Tempest's tests of 2019 upload noise as images of all formats
        "image_format": {"require_image_format_match": False},
        "glance_store": {"default_backend": "lab"},
        "lab": {store: place.images},
        "os_glance_staging_store": {store: place.disks / "state" / "glance-staging"},
        "os_glance_tasks_store": {store: place.disks / "state" / "glance-tasks"},
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": place.venv / "etc" / "glance" / "glance-api-paste.ini",
        },
        "keystone_authtoken": _guard(place, "glance", secrets),
        "oslo_concurrency": _locks(place, "glance"),
    }


def _neutron(place: Place, secrets: Mapping[str, str]) -> File:
    region = {"region_name": REGION}
    return {
        "DEFAULT": {
            **_default(place, "neutron"),
            "host": NODE,
            "core_plugin": "ml2",
            "service_plugins": ROUTERS,
            "transport_url": "fake://",
            "auth_strategy": "keystone",
            "api_paste_config": place.venv / "etc" / "neutron" / "api-paste.ini",
            "dns_domain": f"{DOMAIN}.",
            "dhcp_agent_notification": False,  # no agent would take them from the queue
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
            "send_events_interval": 1,
            "rpc_response_timeout": 5,
        },
        "database": _database(place, "neutron"),
        "ml2": {
            "type_drivers": "flat,vxlan",
            "project_network_types": "vxlan",
            "mechanism_drivers": "interop",
            "extension_drivers": "port_security,dns",
        },
        "ml2_type_flat": {"flat_networks": PHYSICAL},
        "ml2_type_vxlan": {"vni_ranges": "1:4000"},  # each is a row of a table
        "securitygroup": {"enable_security_group": True},
        # several runs side by side, each with groups and networks of its own
        "quotas": {
            "quota_network": 100,
            "quota_subnet": 100,
            "quota_port": 500,
            "quota_router": 50,
            "quota_security_group": 100,
            "quota_security_group_rule": 1000,
        },
        "keystone_authtoken": _guard(place, "neutron", secrets),
        "nova": {**_login(place, "nova", secrets), **region},
        "placement": {**_login(place, "placement", secrets), **region},
        "oslo_concurrency": _locks(place, "neutron"),
    }


def _nova(place: Place, secrets: Mapping[str, str]) -> File:
    region = {"region_name": REGION}
    return {
        "DEFAULT": {
            **_default(place, "nova"),
            "host": NODE,
            "my_ip": HOST,
            "transport_url": "fake://",
            "concurrency_backend": "threading",
            "compute_driver": DRIVER,
            "instances_path": place.instances,
            "dhcp_domain": DOMAIN,
            "flat_injected": False,
            "vif_plugging_timeout": 0,  # a port is ACTIVE as soon as it is bound
            "vif_plugging_is_fatal": False,
            "ram_allocation_ratio": 8.0,  # guests are small and mostly idle
            "cpu_allocation_ratio": 64.0,
            "periodic_fuzzy_delay": 0,
            "rpc_response_timeout": 60,
            "sync_power_state_interval": 10,  # a guest that died is told within it
            "use_rootwrap_daemon": False,
            "allow_resize_to_same_host": True,  # there is no other
        },
        "api": {"auth_strategy": "keystone"},
        "api_database": _database(place, "nova_api"),
        "database": _database(place, "nova"),
        "wsgi": {"api_paste_config": place.venv / "etc" / "nova" / "api-paste.ini"},
        "glance": {"api_servers": place.url("glance")},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 15},
        "filter_scheduler": {"track_instance_changes": False},
        "quota": {"instances": 60, "cores": 120, "ram": 131072, "key_pairs": 200},
        "key_manager": {"backend": "nova.keymgr.conf_key_mgr.ConfKeyManager"},
        "vnc": {"enabled": False},
        "service_user": {**_login(place, "nova", secrets), "send_service_user_token": True},
        "keystone_authtoken": _guard(place, "nova", secrets),
        "neutron": {
            **_login(place, "neutron", secrets),
            **region,
            "service_metadata_proxy": True,
            "metadata_proxy_shared_secret": secrets["metadata"],
        },
        "placement": {**_login(place, "placement", secrets), **region},
        "cinder": {
            **_login(place, "nova", secrets),
            "os_region_name": REGION,
            "catalog_info": "block-storage::publicURL",
        },
        "oslo_concurrency": _locks(place, "nova"),
    }


def _cinder(place: Place, secrets: Mapping[str, str]) -> File:
    etc = place.venv / "etc" / "cinder"
    return {
        "DEFAULT": {
            **_default(place, "cinder"),
            "host": NODE,
            "my_ip": HOST,
            "transport_url": "fake://",
            "api_paste_config": etc / "api-paste.ini",
            "resource_query_filters_file": etc / "resource_filters.json",
            "auth_strategy": "keystone",
            "enabled_backends": "lab",
            "scheduler_driver_init_wait_time": 1,  # its start blocks for it
            "default_volume_type": "__DEFAULT__",
            "glance_api_servers": place.url("glance"),
            "periodic_fuzzy_delay": 0,
            "quota_volumes": 60,
            "quota_snapshots": 60,
        },
        "lab": {
            "volume_driver": "provisioner.lab.openstack.volumes.FileDriver",
            "volume_backend_name": "lab",
            "volume_clear": "none",  # a deleted file is not read again
        },
        "database": _database(place, "cinder"),
        "key_manager": {"backend": "cinder.keymgr.conf_key_mgr.ConfKeyManager"},
        "keystone_authtoken": _guard(place, "cinder", secrets),
        "nova": {**_login(place, "nova", secrets), "region_name": REGION},
        "service_user": {**_login(place, "cinder", secrets), "send_service_user_token": True},
        "oslo_concurrency": _locks(place, "cinder"),
    }
