"""Typed parameters in layers: who wins, where a value was written, and its nested expansion.

Layers, strongest first: the command line, the member, its group, the workload, the platform's
profile, the site, the default in the schema. Facts are never overridden by parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from provisioner.documents import BadWorkload
from provisioner.templates import BadTemplate, is_template, nested, references, render

LAYERS = ("command line", "member", "group", "workload", "platform", "site", "default")
LATE = ("member", "members", "fact", "run", "workload")  # known when a machine stands
MAX_DEPTH = 16


class Missing(Enum):
    """There is no value; None is one."""

    YES = "missing"


MISSING = Missing.YES

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A declared parameter. ``role`` is set when a role provides the value at run time."""

    name: str
    type: str = "string"
    default: Any = MISSING
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    enum: tuple[Any, ...] = ()
    doc: str = ""
    secret: bool = False
    compose: bool = False
    role: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Values of one layer, and ``file:line`` of each."""

    name: str
    values: Mapping[str, Any]
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value one layer gives."""

    layer: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Which layer won, strongest first in ``losers``; ``value`` is composed but not expanded."""

    param: Param
    value: Any
    winner: Choice | None
    losers: tuple[Choice, ...]


def explain(param: Param, layers: Sequence[Layer]) -> Explained:
    """Choose among *layers* (strongest first). Lists and objects with ``compose`` are merged."""
    given = [
        Choice(
            layer=layer.name,
            value=read_text(param, value) if layer.name == LAYERS[0] else value,
            source=layer.sources.get(param.name, layer.name),
        )
        for layer in layers
        if param.name in layer.values
        for value in (layer.values[param.name],)
    ]
    if param.default is not MISSING:
        given.append(Choice(layer="default", value=param.default, source=param.source))
    if not given:
        return Explained(param=param, value=MISSING, winner=None, losers=())
    value = given[0].value
    if param.compose:
        for choice in given[1:]:
            value = _compose(value, choice.value)
    return Explained(param=param, value=value, winner=given[0], losers=tuple(given[1:]))


def _compose(strong: Any, weak: Any) -> Any:
    """Mappings are merged, the stronger key wins; lists are joined, stronger items first."""
    if isinstance(strong, dict) and isinstance(weak, dict):
        return {**weak, **strong}
    if isinstance(strong, list) and isinstance(weak, list):
        return strong + [item for item in weak if item not in strong]
    return strong


def choose(params: Mapping[str, Param], layers: Sequence[Layer]) -> dict[str, Any]:
    """The winning value of every parameter that has one, not expanded, its type checked.

    Raises:
        BadWorkload: a value is of the wrong type or out of range; names its place.
    """
    values: dict[str, Any] = {}
    for name, param in params.items():
        told = explain(param, layers)
        winner, value = told.winner, told.value
        if winner is None:
            continue
        problem = "" if is_template(value) else check_value(param, value)
        if problem:
            raise BadWorkload(winner.source, name, problem)
        values[name] = value
    return values


def read_text(param: Param, value: Any) -> Any:
    """A value from the command line as the parameter's type, where it reads as one."""
    if param.type in ("list", "object") and isinstance(value, str) and not is_template(value):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value if is_template(value) else _typed(param, value)


def check_value(param: Param, value: Any) -> str:
    """What is wrong with a value, or an empty text. Says nothing of a secret's content."""
    shown = "the value" if param.secret else f"{value!r}"
    if isinstance(value, bool) is not (param.type == "boolean") or not isinstance(
        value, TYPES[param.type]
    ):
        return f"{shown} is {type(value).__name__}, expected {param.type}"
    if isinstance(value, (int, float)) and param.type != "boolean":
        if param.minimum is not None and value < param.minimum:
            return f"{shown} is less than the minimum {param.minimum:g}"
        if param.maximum is not None and value > param.maximum:
            return f"{shown} is more than the maximum {param.maximum:g}"
    if param.enum and value not in param.enum:
        return f"{shown} is not one of {', '.join(map(str, param.enum))}"
    if param.pattern and isinstance(value, str) and not re.fullmatch(param.pattern, value):
        return f"{shown} does not match {param.pattern}"
    return ""


def expand(
    values: Mapping[str, Any],
    params: Mapping[str, Param],
    context: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """*values* with every template in them rendered, to a fixed point.

    A value may refer to other parameters, and with *context* to late names (``member.address``).
    Without *context* a value that needs one is left as it is.

    Raises:
        BadWorkload: a cycle (``a -> b -> a``), more than 16 steps, an unknown name, or a result of
            the wrong type.
    """
    done: dict[str, Any] = {}
    for name in values:
        _expand_one(name, values, params, context, done, ())
    return done


def _expand_one(
    name: str,
    values: Mapping[str, Any],
    params: Mapping[str, Param],
    context: Mapping[str, Any] | None,
    done: dict[str, Any],
    chain: tuple[str, ...],
) -> None:
    if name in done:
        return
    if name in chain:
        cycle = " -> ".join((*chain[chain.index(name) :], name))
        raise BadWorkload("", name, f"refers to itself: {cycle}")
    if len(chain) > MAX_DEPTH:
        raise BadWorkload("", name, f"nested more than {MAX_DEPTH} deep")
    value = values[name]

    def resolve(text: str) -> Any:
        for _ in range(MAX_DEPTH):
            if not is_template(text):
                return text
            needed, late = _needed(text, values, context, name)
            if late:
                return text
            for other in sorted(needed):
                _expand_one(other, values, params, context, done, (*chain, name))
            alone = _alone(text)
            if alone in needed and alone in done:
                found = done[alone]
                if not isinstance(found, str):
                    return found
            scope = {**(context or {}), **nested({n: done[n] for n in needed})}
            if any(is_template(done[n]) for n in needed):
                return text  # one of them has to wait
            text = render(text, scope, name)
        raise BadWorkload("", name, f"still changes after {MAX_DEPTH} expansions")

    try:
        result = _map_strings(value, resolve)
    except BadTemplate as error:
        raise BadWorkload("", "", str(error)) from error
    param = params.get(name)
    if param is not None and result is not value and not is_template(result):
        result = _typed(param, result)
        problem = check_value(param, result)
        if problem:
            raise BadWorkload(param.source, name, problem)
    done[name] = result


def _needed(
    text: str, values: Mapping[str, Any], context: Mapping[str, Any] | None, name: str
) -> tuple[set[str], bool]:
    """The parameters a template refers to, and whether it must wait for a late name."""
    needed: set[str] = set()
    late = False
    for path in references(text, name):
        parts = path.split(".")
        owners = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        owner = next((o for o in owners if o in values), None)
        if owner is not None:
            needed.add(owner)
        elif context is None and parts[0] in LATE:
            late = True
        elif context is None or parts[0] not in context:
            raise BadWorkload("", name, f"refers to {path}, which is unknown")
    return needed, late


def _alone(text: str) -> str:
    """The name in a template that is nothing but one name, else an empty text."""
    match = re.fullmatch(r"\s*\{\{\s*([\w.]+)\s*\}\}\s*", text)
    return match[1] if match else ""


def _map_strings(value: Any, change: Any) -> Any:
    """*value* with every text in it changed; the same object when nothing did."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _map_strings(item, change) for key, item in value.items()}
    return value


def _typed(param: Param, value: Any) -> Any:
    """A rendered text as the parameter's type, where it reads as one."""
    if not isinstance(value, str) or param.type in ("string", "list", "object"):
        return value
    try:
        if param.type == "integer":
            return int(value)
        if param.type == "number":
            return float(value)
    except ValueError:
        return value
    return {"true": True, "false": False}.get(value.strip().lower(), value)


def unknown_references(
    values: Mapping[str, Any], allowed: Collection[str]
) -> list[tuple[str, str]]:
    """Pairs of a parameter and a name in it that is neither a parameter, late, nor *allowed*."""
    wrong: list[tuple[str, str]] = []
    for name, value in values.items():
        texts: list[str] = []
        _map_strings(value, lambda text, found=texts: found.append(text) or text)
        for text in texts:
            if not is_template(text):
                continue
            for path in references(text, name):
                parts = path.split(".")
                owners = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
                if parts[0] not in LATE and not owners & (set(values) | set(allowed)):
                    wrong.append((name, path))
    return wrong
