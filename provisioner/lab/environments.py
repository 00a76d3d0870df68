"""Virtual environments of other programs: installed once from PyPI, kept in the images' cache.

They are not ours: what runs in them pins other versions of what we use, too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab.images import Images, digest_of
from provisioner.lab.space import run

COLLECTING = re.compile(r"Collecting ([A-Za-z0-9._-]+)")
EVERY = 10  # packages from one word of progress to the next


def environment(
    images: Images,
    what: str,
    requirements: Sequence[str],
    constraints: str,
    checked: str,
    say: Callable[[str], None],
) -> Path:
    """The folder of an environment; its programs start as ``bin/python -m``.

    Args:
        images: the cache it is kept in.
        what: what it is called there, before the digest.
        requirements: distributions that are asked for.
        constraints: the pinned versions, as pip reads them.
        checked: a statement of Python that must work in it.
        say: told what is being done.

    Raises:
        PlatformFault: pip could not install a package; its last lines say why.
    """
    release = f"python{sys.version_info.major}.{sys.version_info.minor}"
    name = f"{what}-{digest_of(constraints, ' '.join(requirements), release)}"
    with images.made(name) as (final, fresh):
        if fresh is not None:
            say(f"{what}: a virtual environment")
            run(sys.executable, "-m", "venv", str(fresh))
            pins = fresh / "constraints.txt"
            pins.write_text(constraints, encoding="utf-8")
            _install(fresh, pins, what, requirements, say)
            run(str(fresh / "bin" / "python"), "-c", checked)
            _move_scripts(fresh, final)
    return final


def _install(
    folder: Path, pins: Path, what: str, requirements: Sequence[str], say: Callable[[str], None]
) -> None:
    """Have pip install everything, and pass on where it is."""
    total = sum(1 for line in pins.read_text(encoding="utf-8").splitlines() if "==" in line)
    command = [
        str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check",
        "--no-input", "--progress-bar", "off", "-c", str(pins), *requirements,
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
                    say(f"{what}: fetching {found[1]} ({len(seen)} of {total} packages)")
            elif line.startswith("Installing collected packages"):
                say(f"{what}: installing {total} packages")
    if pip.returncode:
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:]
        raise PlatformFault(f"pip could not install {what}: {' '.join(errors)[:500]}")


def _move_scripts(fresh: Path, final: Path) -> None:
    """Let the first line of each script name the interpreter where it will be."""
    for script in (fresh / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if content.startswith(b"#!"):
            script.write_bytes(content.replace(str(fresh).encode(), str(final).encode(), 1))
