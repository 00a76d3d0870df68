"""Tempest's configuration for a cloud: found out, declared by its owner, nothing else assumed."""

from __future__ import annotations

import configparser
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.tempest.cloud import Cloud, User
from provisioner.errors import BadRequest

# what a driver calls a feature -> Tempest's option for it in [compute-feature-enabled]
FEATURES = {"resize": "resize", "console": "console_output", "snapshot": "snapshot"}
BUILD_TIMEOUT_S = 300
Sections = dict[str, dict[str, str]]


def sections(
    cloud: Cloud,
    features: frozenset[str],
    declared: Mapping[str, Any],
    *,
    folder: Path,
    admin: User | None,
    logs_in: bool = False,
) -> Sections:
    """The configuration, by section and option.

    Args:
        cloud: what was found out.
        features: what the platform's driver says there is.
        declared: what its owner declares, as sections of Tempest's own options; stronger.
        folder: where Tempest may write.
        admin: an administrator, if tests may make users of their own; else they use an accounts
            file beside the configuration.
        logs_in: whether Tempest runs where floating addresses can be reached.

    Raises:
        BadRequest: *declared* is not sections of options.
    """
    made: Sections = {
        "DEFAULT": {"log_file": str(folder / "tempest.log"), "use_stderr": "false"},
        "oslo_concurrency": {"lock_path": str(folder / "locks")},
        "auth": _auth(admin, folder),
        "identity": _identity(cloud),
        "compute": {
            "image_ref": cloud.images[0],
            "image_ref_alt": cloud.images[-1 if len(cloud.images) == 1 else 1],
            "flavor_ref": cloud.flavors[0],
            "flavor_ref_alt": cloud.flavors[-1 if len(cloud.flavors) == 1 else 1],
            "build_interval": "1",
            "build_timeout": str(BUILD_TIMEOUT_S),
            "min_microversion": "2.1",
            "max_microversion": "latest",
            **_where(cloud, "nova"),
        },
        "compute-feature-enabled": {
            option: str(name in features).lower() for name, option in FEATURES.items()
        },
        "network": {
            "public_network_id": cloud.public_network,
            "floating_network_name": cloud.public_name,
            "project_network_cidr": "10.100.0.0/16",
            **_where(cloud, "neutron"),
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(cloud.extensions),
            "floating_ips": str(bool(cloud.public_network)).lower(),
        },
        "image": _where(cloud, "glance"),
        "volume": _where(cloud, "cinder"),
        "object-storage": _where(cloud, "swift"),
        "validation": {
            "run_validation": str(logs_in and bool(cloud.public_network)).lower(),
            "connect_method": "floating",
            "image_ssh_user": cloud.ssh_user,
            "image_alt_ssh_user": cloud.ssh_user,
        },
        "service_available": {
            name: str(bool(kind)).lower() for name, kind in cloud.services.items()
        },
    }
    for section, options in declared.items():
        if not isinstance(options, Mapping):
            raise BadRequest(f"declared.tempest.{section}: expected options and values")
        for option, value in options.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            made.setdefault(str(section), {})[str(option)] = text
    return made


def _auth(admin: User | None, folder: Path) -> dict[str, str]:
    if admin is None:
        return {
            "use_dynamic_credentials": "false",
            "test_accounts_file": str(folder / "accounts.yaml"),
        }
    return {
        "use_dynamic_credentials": "true",
        "admin_username": admin.username,
        "admin_password": admin.password,
        "admin_project_name": admin.project,
        "admin_domain_name": admin.user_domain,
        "tempest_roles": "member",
    }


def _identity(cloud: Cloud) -> dict[str, str]:
    url = cloud.auth_url.rstrip("/")
    return {
        "uri_v3": url if url.endswith("/v3") else f"{url}/v3",
        "region": cloud.region,
        "v3_endpoint_type": cloud.interface,
        "ca_certificates_file": cloud.ca_file,
        "disable_ssl_certificate_validation": str(not cloud.verify).lower(),
    }


def _where(cloud: Cloud, service: str) -> dict[str, str]:
    """Where a service is in the catalog."""
    kind = cloud.services[service]
    found = {"endpoint_type": cloud.interface}
    return {**found, "catalog_type": kind} if kind else found


def render(made: Sections) -> str:
    """The file's text; an option without a value is left to Tempest's default."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keep the options' case
    for section, options in made.items():
        if section != "DEFAULT":
            parser.add_section(section)
        for option, value in options.items():
            if value != "":
                parser.set(section, option, value)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def accounts(users: Mapping[str, User], networks: Mapping[str, str]) -> str:
    """Tempest's file of accounts: a user and the name of its network for each entry."""
    listed = [user.as_account(networks[entry]) for entry, user in users.items()]
    return yaml.safe_dump(listed, sort_keys=False)
