"""platforms.yaml: which platforms there are, with the file and line every value came from.

Several files are layers, the later one stronger, key by key. Secrets are never written in them but
referred to: ``{env: NAME}``, ``{file: PATH}`` or ``{cmd: [PROGRAM, ARG, ...]}``.
"""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from guidelines.errors import BadDocument
from provisioner.platform import PlatformConfig

MAX_BYTES = 4 * 1024 * 1024
REFERENCES = ("env", "file", "cmd")
# ours of an entry, with their types; the others belong to the driver of its kind
OWN_KEYS = {"kind": str, "emulator": bool, "declared": dict, "profile": dict, "private": list}
WORDS = {
    str: "a text",
    bool: "true or false",
    dict: "a mapping with texts as keys",
    list: "a list of names of keys",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value was written."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platforms:
    """All configured platforms.

    ``sources`` maps ``lab-metal.boot.interface`` to its place; ``secrets`` are the values that
    references resolved to, for masking.
    """

    configs: Mapping[str, PlatformConfig]
    sources: Mapping[str, Source] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def get(self, name: str) -> PlatformConfig:
        """The platform of that name.

        Raises:
            BadDocument: there is none; the message names those that are there.
        """
        if name not in self.configs:
            known = ", ".join(sorted(self.configs)) or "none"
            near = difflib.get_close_matches(name, self.configs, n=1)
            hint = f", did you mean {near[0]!r}" if near else ""
            raise BadDocument("platforms", name, f"no such platform{hint}; known: {known}")
        return self.configs[name]


def load_platforms(files: Sequence[Path] | None = None) -> dict[str, PlatformConfig]:
    """The platforms of the given files, else of $INTEROP_PLATFORMS, else of ./platforms.yaml."""
    return dict(read_platforms(files).configs)


def read_platforms(
    files: Sequence[Path] | None = None, names: Collection[str] | None = None
) -> Platforms:
    """Read the layers, resolve secrets, and keep where each value came from.

    With *names*, only the secrets of those platforms are looked up: who uses one platform need
    not have the credentials of all. The references of the others stay as they are written.

    Raises:
        BadDocument: a file is missing or wrong; the path of the key is in the message.
    """
    layers = list(files or ()) or _default_files()
    merged: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for file in layers:
        document, marks = _load(file)
        unknown = sorted(set(document) - {"platforms"})
        if unknown:
            raise BadDocument(str(file), unknown[0], "unknown key, expected platforms")
        entries = document.get("platforms")
        if not isinstance(entries, dict):
            raise BadDocument(str(file), "platforms", "expected a mapping of names to platforms")
        _merge(merged, entries)
        sources.update(marks)
    secrets: set[str] = set()
    configs = {
        name: _config(
            name, entry, layers[-1], sources, secrets if names is None or name in names else None
        )
        for name, entry in merged.items()
    }
    return Platforms(configs=configs, sources=sources, secrets=frozenset(secrets))


def _default_files() -> list[Path]:
    """Where platforms are looked for when no file is named."""
    named = os.environ.get("INTEROP_PLATFORMS")
    if named:
        return [Path(part) for part in named.split(os.pathsep) if part]
    return [Path("platforms.yaml")]


def _load(file: Path) -> tuple[dict[str, Any], dict[str, Source]]:
    """One file as plain values, and the line of each key below ``platforms``."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{reason}; expected a file with platforms (`interop lab up` prints one)"
        raise BadDocument(str(file), "", message) from error
    if len(data) > MAX_BYTES:
        raise BadDocument(str(file), "", f"larger than {MAX_BYTES} bytes")
    try:
        root = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
        marks: dict[str, Source] = {}
        if root is not None:
            for path, line in _walk(root, (), str(file), 0):
                if path[:1] == ("platforms",) and len(path) > 1:
                    marks[".".join(path[1:])] = Source(file=file, line=line)
        value = yaml.safe_load(data)
    except UnicodeDecodeError as error:
        raise BadDocument(str(file), "", "expected UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise BadDocument(str(file), where, str(problem)) from error
    except RecursionError as error:
        raise BadDocument(str(file), "", "nested too deeply") from error
    if not isinstance(value, dict):
        raise BadDocument(str(file), "", "expected a mapping with the key platforms")
    return value, marks


def _walk(
    node: yaml.Node, path: tuple[str, ...], file: str, depth: int
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every key's path and line; a key written twice, an alias bomb or odd nesting is refused."""
    if depth > 32:
        raise BadDocument(file, ".".join(path), "nested too deeply")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise BadDocument(file, ".".join((*path, name)), "key is written twice")
        seen.add(name)
        yield (*path, name), key.start_mark.line + 1
        yield from _walk(value, (*path, name), file, depth + 1)


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Lay *above* over *below*, mapping by mapping."""
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), dict):
            _merge(below[key], value)
        else:
            below[key] = value


def _config(
    name: str, entry: object, file: Path, sources: Mapping[str, Source], secrets: set[str] | None
) -> PlatformConfig:
    """One checked platform; its secrets are resolved and noted, unless *secrets* is None."""
    where = str(sources[name].file) if name in sources else str(file)
    if not isinstance(entry, dict):
        raise BadDocument(where, f"platforms.{name}", "expected a mapping with the key kind")
    if "kind" not in entry:
        raise BadDocument(where, f"platforms.{name}.kind", "field required")
    for key, expected in OWN_KEYS.items():
        value = entry.get(key, expected())
        words = value if isinstance(value, dict | list) else ()
        odd = any(not isinstance(word, str) for word in words)
        if odd or not isinstance(value, expected):
            raise BadDocument(where, f"platforms.{name}.{key}", f"expected {WORDS[expected]}")
    settings = {key: value for key, value in entry.items() if key not in OWN_KEYS}
    declared = {"emulator": entry.get("emulator", False), **entry.get("declared", {})}
    if entry.get("private"):
        declared["private"] = entry["private"]  # names of keys that are not published
    if secrets is not None:
        settings = _resolve(settings, where, f"platforms.{name}", file.parent, secrets)
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return PlatformConfig(
        name=name,
        kind=entry["kind"],
        settings=settings,
        declared=declared,
        profile=entry.get("profile", {}),
        state=state / "interop" / name,
    )


def _resolve(
    value: Any,
    file: str,
    where: str,
    folder: Path,
    secrets: set[str],
) -> Any:
    """*value* with every secret reference replaced by what it refers to, noted in *secrets*."""
    if isinstance(value, list):
        return [_resolve(v, file, f"{where}[{i}]", folder, secrets) for i, v in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (kind := next(iter(value))) in REFERENCES:
        secret = _secret(kind, value[kind], file, where, folder)
        secrets.add(secret)
        return secret
    return {k: _resolve(v, file, f"{where}.{k}", folder, secrets) for k, v in value.items()}


def _secret(kind: str, at: Any, file: str, where: str, folder: Path) -> str:
    """The secret a reference names; its value never reaches a message."""
    if kind == "env":
        if str(at) not in os.environ:
            raise BadDocument(file, where, f"environment variable {at} is not set")
        return os.environ[str(at)]
    if kind == "file":
        try:
            return (folder / str(at)).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadDocument(file, where, f"cannot read the secret in {at}") from error
    argv = [at] if isinstance(at, str) else [str(part) for part in at]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BadDocument(file, where, f"the command {argv[0]} gave no secret") from error
    return done.stdout.rstrip("\n")
