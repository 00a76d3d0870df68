"""The services' empty databases, made once: ``python -P -m …lab.openstack.schemas STEP``.

It runs with the services' own interpreter. Each STEP is one process, for the same reason as in
``runner``; ``BRANCHES`` tells which steps follow each other and which may run side by side.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sqlite3
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from provisioner.lab.openstack.place import REGION, Place, here
from provisioner.lab.openstack.runner import environment

BRANCHES = (
    ("keystone", "placement", "glance", "cinder"),
    ("neutron", "neutron-stamp"),
    ("nova-api", "nova-cell0", "nova-cell1", "nova"),
)


def tool(name: str, *arguments: str) -> None:
    """Run an administration command of a service in this process, whatever it exits with."""
    (command,) = importlib.metadata.entry_points(group="console_scripts", name=name)
    sys.argv = [name, *arguments]
    try:
        code = command.load()()
    except SystemExit as left:
        code = left.code
    if code:
        sys.exit(f"{name} {' '.join(arguments)}: exit code {code}")


def keystone(place: Place) -> None:
    """Identity: tables, signing keys, the first user. Its password is in the environment."""
    from oslo_config import cfg

    conf = ("--config-file", str(place.folder / "etc/keystone/keystone.conf"))
    for keys in ("fernet-keys", "credential-keys"):
        (place.disks / "keystone" / keys).mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = ("--keystone-user", "root", "--keystone-group", "root")
    url = f"{place.url('keystone')}/v3"
    os.environ["OS_BOOTSTRAP_PASSWORD"] = place.secret("admin")
    tool("keystone-manage", *conf, "db_sync")
    for step in (
        ("fernet_setup", *owner),
        ("credential_setup", *owner),
        ("bootstrap", "--bootstrap-public-url", url, "--bootstrap-internal-url", url,
         "--bootstrap-region-id", REGION),
    ):  # fmt: skip
        cfg.CONF.reset()  # the next command parses it again
        tool("keystone-manage", *conf, *step)


def placement(place: Place) -> None:
    """Placement's tables."""
    conf = str(place.folder / "etc/placement/placement.conf")
    tool("placement-manage", "--config-file", conf, "db", "sync")


def glance(place: Place) -> None:
    """Glance's tables."""
    tool("glance-manage", "--config-file", str(place.folder / "etc/glance/glance-api.conf"),
         "db_sync")  # fmt: skip


def cinder(place: Place) -> None:
    """Cinder's tables."""
    tool("cinder-manage", "--config-file", str(place.folder / "etc/cinder/cinder.conf"),
         "db", "sync")  # fmt: skip


def neutron(place: Place) -> None:
    """Neutron's tables from its models: its migrations alter constraints, which sqlite cannot.

    The rules every new security group gets are data that a migration inserts; they are taken from
    that migration.
    """
    import neutron
    import sqlalchemy
    from neutron.db.migration.models import head
    from neutron.db.models import securitygroup_default_rules as rules
    from neutron.plugins.ml2.drivers import (  # noqa: F401 - their tables
        type_flat,
        type_geneve,
        type_gre,
        type_vlan,
        type_vxlan,
    )

    engine = sqlalchemy.create_engine(f"sqlite:///{place.databases / 'neutron.db'}")
    metadata = head.get_metadata()
    metadata.create_all(engine)
    versions = Path(neutron.__file__).parent / "db/migration/alembic_migrations/versions"
    (path,) = versions.glob("*/expand/c33da356b165_*.py")
    spec = importlib.util.spec_from_file_location("default_rules", path)
    assert spec is not None  # noqa: S101 - a path that was just found
    assert spec.loader is not None  # noqa: S101
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    attributes = metadata.tables["standardattributes"]
    with engine.begin() as connection:
        for template in migration.default_template_rules:
            rule = dict(template)
            made = connection.execute(
                sqlalchemy.insert(attributes).values(
                    description=rule.pop("description"), resource_type=migration.table_name
                )
            )
            rule["standard_attr_id"] = made.inserted_primary_key[0]
            table = rules.SecurityGroupDefaultRule.__table__
            connection.execute(sqlalchemy.insert(table).values(rule))


def neutron_stamp(place: Place) -> None:
    """Say which migrations the tables hold."""
    conf = str(place.folder / "etc/neutron/neutron.conf")
    tool("neutron-db-manage", "--config-file", conf, "stamp", "heads")


def nova_api(place: Place) -> None:
    """The tables all cells share."""
    tool("nova-manage", *_nova(place), "api_db", "sync")


def nova_cell0(place: Place) -> None:
    """The cell of servers that found no host."""
    from provisioner.lab.openstack.config import database

    url = database(place, "nova_cell0")
    tool("nova-manage", *_nova(place), "cell_v2", "map_cell0", "--database_connection", url)


def nova_cell1(place: Place) -> None:
    """The cell with our host."""
    tool("nova-manage", *_nova(place), "cell_v2", "create_cell", "--name", "cell1")


def nova(place: Place) -> None:
    """The tables of both cells, and who the host is: nova wants to know it again."""
    tool("nova-manage", *_nova(place), "db", "sync")
    identity = place.disks / "state" / "nova" / "compute_id"
    identity.write_text(f"{uuid.uuid4()}\n", encoding="utf-8")


def _nova(place: Place) -> tuple[str, str]:
    return "--config-file", str(place.folder / "etc/nova/nova.conf")


STEPS: Mapping[str, Callable[[Place], None]] = {
    "keystone": keystone,
    "placement": placement,
    "glance": glance,
    "cinder": cinder,
    "neutron": neutron,
    "neutron-stamp": neutron_stamp,
    "nova-api": nova_api,
    "nova-cell0": nova_cell0,
    "nova-cell1": nova_cell1,
    "nova": nova,
}


def write_ahead(folder: Path) -> None:
    """Let every database in *folder* have a write-ahead log; the file remembers it."""
    for path in folder.glob("*.db"):
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()


if __name__ == "__main__":
    os.environ.update(environment(here()))
    STEPS[sys.argv[1]](here())
