"""YAML from outside as a tree of mappings, lists and text; nothing is constructed or expanded."""

from __future__ import annotations

from typing import Any

import yaml

from guidelines.errors import BadDocument
from guidelines.results.source import Limits

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(data: bytes, source: str, limits: Limits, prefix: str = "") -> Any:
    """The value of the first document of a YAML text; every scalar stays text.

    Events are read one by one, so depth, number and size stay bounded before anything is built.

    Raises:
        BadDocument: not YAML; an alias; a key that is no text or occurs twice; beyond the limits.
    """
    root: list[Any] = []
    # Each open collection, and for a mapping the key that waits for its value.
    stack: list[tuple[Any, list[str]]] = [(root, [])]
    values = 0

    def refuse(event: yaml.Event, expected: str) -> BadDocument:
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        return BadDocument(source, f"{prefix}line {line}", expected)

    def place(event: yaml.Event, value: Any) -> None:
        holder, waiting = stack[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif waiting:
            holder[waiting.pop()] = value
        elif not isinstance(value, str):
            raise refuse(event, "a key that is no text")
        elif value in holder:
            raise refuse(event, f"key {value[:60]} occurs twice")
        else:
            waiting.append(value)

    try:
        for event in yaml.parse(data, Loader=_Loader):
            values += 1
            if values > limits.json_values:
                raise refuse(event, f"more than the {limits.json_values} values that are read")
            if isinstance(event, yaml.AliasEvent):
                raise refuse(event, "an alias; expected plain values")
            if isinstance(event, yaml.ScalarEvent):
                place(event, event.value)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                opened: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                place(event, opened)
                stack.append((opened, []))
                if len(stack) > limits.depth:
                    raise refuse(event, f"nested deeper than {limits.depth}")
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                stack.pop()
            elif isinstance(event, yaml.DocumentEndEvent):
                break
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark is not None else "yaml"
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise BadDocument(source, f"{prefix}{line}", f"expected YAML: {problem}") from error
    except UnicodeDecodeError as error:
        raise BadDocument(source, f"{prefix}byte {error.start}", "expected UTF-8") from error
    return root[0] if root else None
