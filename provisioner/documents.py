"""Reads YAML that people wrote: plain values, and the line every key stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from provisioner.errors import BadRequest

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32


class BadWorkload(BadRequest):
    """A document of ours cannot be used; the text is one line: file, path of the key, expected."""

    def __init__(self, source: str, where: str, expected: str) -> None:
        super().__init__(": ".join(part for part in (source, where, expected) if part))
        self.args = (source, where, expected)
        self.source = source
        self.where = where
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML mapping. ``lines`` maps ``groups.app.count`` to the line of that key.

    ``texts`` has each scalar as it was written: a version 2026.10 is no number.
    """

    file: str
    value: Mapping[str, Any]
    lines: Mapping[str, int]
    texts: Mapping[str, str]

    def source(self, *path: str) -> str:
        """``file:line`` of a key, or the file alone."""
        line = self.lines.get(".".join(path))
        return f"{self.file}:{line}" if line else self.file


def read_yaml(file: Path) -> Document:
    """Read a mapping from *file*.

    Raises:
        BadWorkload: not readable, not YAML, no mapping, a key twice, an alias, or too deep.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadWorkload(str(file), "", (error.strerror or str(error)).lower()) from error
    if len(data) > MAX_BYTES:
        raise BadWorkload(str(file), "", f"larger than {MAX_BYTES} bytes")
    return parse_yaml(data, str(file))


def parse_yaml(data: bytes, file: str) -> Document:
    """As ``read_yaml``, from bytes."""
    try:
        text = data.decode("utf-8")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                mark = event.start_mark
                where = f"line {mark.line + 1}" if mark else ""
                raise BadWorkload(file, where, "aliases are not supported")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[str, int] = {}
        texts: dict[str, str] = {}
        if root is not None:
            for path, line, scalar in _walk(root, (), file):
                lines[".".join(path)] = line
                if scalar is not None:
                    texts[".".join(path)] = scalar
        value = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise BadWorkload(file, "", "expected UTF-8 text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else ""
        raise BadWorkload(file, where, str(getattr(error, "problem", "not YAML"))) from error
    except (ValueError, RecursionError) as error:
        raise BadWorkload(file, "", f"not usable YAML: {error}") from error
    if not isinstance(value, dict):
        raise BadWorkload(file, "", "expected a mapping")
    return Document(file=file, value=value, lines=lines, texts=texts)


def _walk(
    node: yaml.Node, path: tuple[str, ...], file: str
) -> Iterator[tuple[tuple[str, ...], int, str | None]]:
    """Every key below *node* with its line, and its text if it is a scalar."""
    if len(path) > MAX_DEPTH:
        raise BadWorkload(file, ".".join(path[:6]) + "...", "nested too deeply")
    pairs: list[tuple[str, int, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(k.value), k.start_mark.line + 1, v) for k, v in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(i), v.start_mark.line + 1, v) for i, v in enumerate(node.value)]
    seen: set[str] = set()
    for name, line, value in pairs:
        if name in seen:
            raise BadWorkload(file, ".".join((*path, name)), "key is written twice")
        seen.add(name)
        scalar = value.value if isinstance(value, yaml.ScalarNode) else None
        yield (*path, name), line, scalar
        yield from _walk(value, (*path, name), file)
