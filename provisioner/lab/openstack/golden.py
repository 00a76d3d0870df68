"""The state of a new OpenStack, made once and kept in the images' cache: a lab starts from a copy.

Databases, signing keys, the image and the passwords, about a megabyte. What a database says of
addresses and folders is true of the lab it was made in; ``unpack`` makes it true of another, so
that labs can be up side by side.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from provisioner.lab import images as recipes
from provisioner.lab.openstack import config, place, schemas, seed
from provisioner.lab.openstack.place import Place, read

# what is kept beside the databases, below ``Place.disks``
KEPT = ("keystone", "images", "state/nova/compute_id")
NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # as SQLAlchemy writes a time


def name(venv: Path) -> str:
    """What the state is called in the cache: it depends on all that makes it."""
    made_by = (config, schemas, seed, place)
    return f"openstack-state-{recipes.digest_of(venv.name, *made_by)}"


def keep(lab: Place, folder: Path) -> None:
    """Copy the state of *lab*, whose services may be running but are not at work."""
    (folder / "databases").mkdir()
    for path in lab.databases.glob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(folder / "databases" / path.name),))
    for name in KEPT:
        source, target = lab.disks / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    for name in ("secrets.json", "place.json"):
        shutil.copyfile(lab.folder / name, folder / name)
        (folder / name).chmod(0o600)
    folder.chmod(0o700)


def unpack(folder: Path, lab: Place) -> None:
    """Furnish *lab* with the state in *folder*; no service of it runs yet."""
    lab.databases.mkdir(parents=True, exist_ok=True)
    for path in (folder / "databases").glob("*.db"):
        shutil.copyfile(path, lab.databases / path.name)
    for name in KEPT:
        source, target = folder / name, lab.disks / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
    was = read(folder)
    with _open(lab, "keystone") as keystone:
        for number, url in keystone.execute("SELECT id, url FROM endpoint").fetchall():
            there = _moved(url, was, lab)
            keystone.execute("UPDATE endpoint SET url = ? WHERE id = ?", (there, number))
    with _open(lab, "glance") as glance:
        glance.execute(
            "UPDATE image_locations SET value = replace(value, ?, ?)",
            (f"{was.images}/", f"{lab.images}/"),
        )
    with _open(lab, "nova_api") as cells:
        cells.execute(
            "UPDATE cell_mappings SET database_connection = replace(database_connection, ?, ?)",
            (f"{was.databases}/", f"{lab.databases}/"),
        )
    # the one host was seen just now, or nothing is scheduled until it has reported by itself
    with _open(lab, "nova") as nova:
        nova.execute(f"UPDATE services SET last_seen_up = {NOW}, updated_at = {NOW}")  # noqa: S608
    with _open(lab, "cinder") as cinder:
        cinder.execute(f"UPDATE services SET updated_at = {NOW}")  # noqa: S608
    schemas.write_ahead(lab.databases)


def _moved(url: str, was: Place, lab: Place) -> str:
    """An address in the catalogue of one lab, as another has it."""
    parts = urlsplit(url)
    (service,) = (name for name, port in was.ports.items() if port == parts.port)
    return parts._replace(netloc=urlsplit(lab.url(service)).netloc).geturl()


@contextmanager
def _open(lab: Place, database: str) -> Iterator[sqlite3.Connection]:
    """A database of the lab; what was changed is kept unless the block fails."""
    with closing(sqlite3.connect(lab.databases / f"{database}.db")) as connection, connection:
        yield connection
