"""The services' virtual environment: installed once from PyPI, kept in the images' cache.

It is not ours: the services pin other versions of what we use, too, and weigh 700 MB.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab.images import Images, digest_of
from provisioner.lab.space import run

REQUIREMENTS = (
    "keystone", "glance", "neutron", "nova", "openstack-placement", "cinder", "waitress",
)  # fmt: skip
CHECKED = "import keystone, glance, neutron, nova, placement, cinder, waitress"
COLLECTING = re.compile(r"Collecting ([A-Za-z0-9._-]+)")
EVERY = 10  # packages from one word of progress to the next


def constraints() -> str:
    """The pinned versions, as pip reads them."""
    return (files(__package__) / "data" / "constraints.txt").read_text(encoding="utf-8")


def name() -> str:
    """What the environment is called in the cache."""
    release = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return f"openstack-{digest_of(constraints(), ' '.join(REQUIREMENTS), release)}"


def venv(images: Images, say: Callable[[str], None]) -> Path:
    """The folder of the environment; its programs start as ``bin/python -m``.

    Args:
        images: the cache it is kept in.
        say: told what is being done.

    Raises:
        PlatformFault: pip could not install a package; its last lines say why.
    """
    with images.made(name()) as (final, fresh):
        if fresh is not None:
            say("services: a virtual environment")
            run(sys.executable, "-m", "venv", str(fresh))
            pins = fresh / "constraints.txt"
            pins.write_text(constraints(), encoding="utf-8")
            _install(fresh, pins, say)
            run(str(fresh / "bin" / "python"), "-c", CHECKED)
            _move_scripts(fresh, final)
    return final


def _install(folder: Path, pins: Path, say: Callable[[str], None]) -> None:
    """Have pip install everything, and pass on where it is."""
    total = sum(1 for line in pins.read_text(encoding="utf-8").splitlines() if "==" in line)
    command = [
        str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check",
        "--no-input", "--progress-bar", "off", "-c", str(pins), *REQUIREMENTS,
    ]  # fmt: skip
    said: list[str] = []
    seen = set()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in pip.stdout:
            said = [*said[-4:], line.strip()]
            if found := COLLECTING.match(line):
                seen.add(found[1])
                if len(seen) % EVERY == 1:
                    say(f"services: fetching {found[1]} ({len(seen)} of {total} packages)")
            elif line.startswith("Installing collected packages"):
                say(f"services: installing {total} packages")
    if pip.returncode:
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:]
        raise PlatformFault(f"pip could not install the services: {' '.join(errors)[:500]}")


def _move_scripts(fresh: Path, final: Path) -> None:
    """Let the first line of each script name the interpreter where it will be."""
    for script in (fresh / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if content.startswith(b"#!"):
            script.write_bytes(content.replace(str(fresh).encode(), str(final).encode(), 1))
