"""Turn the bytes of a hostile JSON or YAML document into plain data, with bounded effort.

What the standard parsers accept silently is refused here: duplicate keys, NaN and infinities,
nesting or aliases that grow without bound, and anything that is not UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import yaml

from guidelines.errors import BadDocument

MAX_DEPTH = 60
MAX_NODES = 2_000_000
MAX_DIGITS = 400

# The C loader reads a 230 kB document in 20 ms; the one in Python needs half a second.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _DuplicateKey(ValueError):
    pass


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """The safe loader, which refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    line = key.start_mark.line + 1
                    raise _DuplicateKey(f"line {line}: the key {key.value!r} is given twice")
                seen.add((key.tag, key.value))
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def decode_text(data: bytes, source: str) -> str:
    """Return *data* as text.

    Raises:
        BadDocument: it is not UTF-8, or holds control characters no text has.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDocument(source, f"byte {error.start}", "expected UTF-8 text") from None
    if "\x00" in text:
        raise BadDocument(source, "", "a NUL character; expected text")
    return text


def decode_json(text: str, source: str) -> object:
    """Parse JSON strictly.

    Raises:
        BadDocument: it is not JSON, has duplicate keys, NaN or infinities, or nests too deeply.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_pairs,
            parse_constant=_no_constant,
            parse_int=_bounded_int,
        )
    except RecursionError:
        raise BadDocument(source, "", _too_deep()) from None
    except json.JSONDecodeError as error:
        raise BadDocument(
            source, f"line {error.lineno}", f"not JSON: {error.msg.lower()}"
        ) from None
    except ValueError as error:
        raise BadDocument(source, "", str(error)) from None
    _check_size(value, source)
    return value


def decode_yaml(text: str, source: str) -> object:
    """Parse one YAML document with the safe loader.

    Raises:
        BadDocument: it is not YAML, has duplicate keys, or is larger than its text.
    """
    try:
        # libyaml's composer recurses in C and dies of deep nesting; its parser does not.
        _check_events(text, source)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except BadDocument:
        raise
    except _DuplicateKey as error:
        raise BadDocument(source, "", str(error)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}" if mark else ""
        if "nesting depth" in str(error.problem):  # newer libyaml has a limit of its own
            raise BadDocument(source, where, _too_deep()) from None
        raise BadDocument(source, where, f"not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        problem = "a number of too many digits" if "digits" in str(error) else str(error)
        raise BadDocument(source, "", f"not YAML: {problem}") from None
    except RecursionError:
        raise BadDocument(source, "", _too_deep()) from None
    _check_size(value, source)
    return value


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} is given twice in one object")
            seen.add(key)
    return mapping


def _bounded_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON; expected a finite number")


def _too_deep() -> str:
    return f"nested more than {MAX_DEPTH} levels deep"


def _check_events(text: str, source: str) -> None:
    depth = 0
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for nodes, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else "?"
                raise BadDocument(source, f"line {line}", _too_deep())
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if nodes > MAX_NODES:
            raise BadDocument(source, "", f"more than {MAX_NODES} values")


def _check_size(value: object, source: str) -> None:
    """Refuse what nests too deeply or, through aliases, expands beyond the node limit."""
    sizes: dict[int, int] = {}

    def measure(node: object, depth: int) -> int:
        if not isinstance(node, (dict, list)):
            if isinstance(node, float) and (node != node or node in (float("inf"), -float("inf"))):
                raise BadDocument(source, "", "a number that is not finite")
            return 1
        if depth > MAX_DEPTH:
            raise BadDocument(source, "", _too_deep())
        known = sizes.get(id(node))
        if known is not None:
            return known
        children = node.values() if isinstance(node, dict) else node
        size = 1 + sum(measure(child, depth + 1) for child in children)
        if size > MAX_NODES:
            raise BadDocument(source, "", f"aliases that expand to more than {MAX_NODES} values")
        sizes[id(node)] = size
        return size

    measure(value, 0)
