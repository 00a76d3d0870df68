"""Jinja2 in a sandbox: rendering, and which names a template refers to.

Templates come with a workload, which may be anybody's: no attribute of a Python object is
reachable, an unknown name is an error, and size and steps are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_OUTPUT = 1024 * 1024


class BadTemplate(ValueError):
    """A template cannot be parsed or rendered; one line."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, and no way to make something huge from something small."""

    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply numbers only; refuse powers."""
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if operator == "**" or not numbers:
            raise BadTemplate(f"{operator} is for two numbers, and ** for none")
        return left * right


def _environment() -> Sandbox:
    environment = Sandbox(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters = {
        name: environment.filters[name]
        for name in (
            "default",
            "first",
            "float",
            "int",
            "join",
            "last",
            "length",
            "list",
            "lower",
            "map",
            "reject",
            "rejectattr",
            "replace",
            "select",
            "selectattr",
            "sort",
            "string",
            "tojson",
            "trim",
            "unique",
            "upper",
        )
    }
    environment.filters["quote"] = _quote
    environment.filters["json"] = environment.filters["tojson"]
    environment.globals.pop("lipsum", None)
    environment.globals.pop("cycler", None)
    return environment


def _quote(value: object) -> str:
    """*value* as one word of a POSIX shell."""
    import shlex

    return shlex.quote(str(value))


ENVIRONMENT = _environment()


def is_template(value: object) -> bool:
    """Whether a value has something to expand."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def render(text: str, context: Mapping[str, Any], where: str) -> str:
    """The text of a template. *where* begins the message of an error.

    Raises:
        BadTemplate: syntax, an unknown name, a forbidden attribute, or far too much output.
    """
    parts: list[str] = []
    size = 0
    try:
        for part in ENVIRONMENT.from_string(text).generate(dict(context)):
            size += len(part)
            if size > MAX_OUTPUT:
                raise BadTemplate(f"{where}: gives more than {MAX_OUTPUT} characters")
            parts.append(part)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        at = f" line {line}" if line else ""
        raise BadTemplate(f"{where}{at}: {_one_line(error)}") from error
    except (TypeError, ValueError, OverflowError, ArithmeticError, RecursionError) as error:
        if isinstance(error, BadTemplate):
            raise
        raise BadTemplate(f"{where}: {_one_line(error)}") from error
    return "".join(parts)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


@lru_cache(maxsize=4096)
def references(text: str, where: str = "template") -> frozenset[str]:
    """The dotted names a template takes from its context: ``member.address.private``.

    A name that the template itself sets or loops over is none of them.

    Raises:
        BadTemplate: it cannot be parsed.
    """
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        at = f" line {line}" if line else ""
        raise BadTemplate(f"{where}{at}: {_one_line(error)}") from error
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")}
    own |= {"loop", "range", "dict", "namespace", "joiner", "true", "false", "none"}
    own |= {macro.name for macro in tree.find_all(nodes.Macro)}
    found: set[str] = set()
    _collect(tree, own, found)
    return frozenset(found)


def _collect(node: nodes.Node, own: set[str], found: set[str]) -> None:
    """Add the longest dotted names at and below *node*."""
    path = _dotted(node)
    if path is not None:
        if path.split(".")[0] not in own:
            found.add(path)
        return
    for child in node.iter_child_nodes():
        _collect(child, own, found)


def _dotted(node: nodes.Node) -> str | None:
    """``a.b.c`` of an attribute chain with constant keys, else None."""
    if isinstance(node, nodes.Name):
        return node.name if node.ctx == "load" else None
    if isinstance(node, nodes.Getattr):
        inner = _dotted(node.node)
        return None if inner is None else f"{inner}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        inner = _dotted(node.node)
        return None if inner is None else f"{inner}.{node.arg.value}"
    return None


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as nested mappings, so that templates can say ``{{ swarm.port }}``."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return tree
