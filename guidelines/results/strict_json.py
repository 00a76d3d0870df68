"""JSON from outside: strictly read, bounded, then checked against a pydantic model."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from guidelines.errors import BadDocument, complaint
from guidelines.results.source import Limits

Model = TypeVar("Model", bound=BaseModel)
_NESTS = (dict, list)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Foreign(BaseModel):
    """A part of somebody else's document: what we use is checked, what we do not is passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


def parse(data: bytes, source: str, limits: Limits) -> Any:
    """The value of a JSON text.

    Raises:
        BadDocument: not UTF-8 or not JSON; a key twice in one object; NaN or a number without
            bounds; nested too deeply; more values than are read.
    """

    def refuse(constant: str) -> NoReturn:
        raise BadDocument(source, constant, "no number of JSON; expected a finite one")

    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            refuse(text[:40])
        return number

    def whole(text: str) -> int:
        if len(text) > 400:
            raise BadDocument(source, text[:20], f"a number of {len(text)} digits")
        return int(text)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    raise BadDocument(source, key, "key occurs twice in one object")
                seen.add(key)
        return found

    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > limits.json_values:
        raise BadDocument(
            source, "size", f"more than the {limits.json_values} values that are read"
        )
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=refuse,
            parse_float=finite,
            parse_int=whole,
        )
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode()
    except BadDocument:
        raise
    except UnicodeDecodeError as error:
        raise BadDocument(source, f"byte {error.start}", "expected UTF-8") from error
    except UnicodeEncodeError as error:
        raise BadDocument(source, "", "half a surrogate pair; expected Unicode text") from error
    except json.JSONDecodeError as error:
        raise BadDocument(
            source,
            f"line {error.lineno} column {error.colno}",
            f"expected JSON: {error.msg.lower()}",
        ) from error
    except RecursionError as error:
        raise BadDocument(source, "", f"nested deeper than {limits.depth}") from error
    _check_depth(value, source, limits)
    return value


def checked(model: type[Model], value: object, source: str, prefix: str = "") -> Model:
    """*value* as *model*.

    Raises:
        BadDocument: a key is missing or of another kind; names its path and what was expected.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        path = (prefix + _path(first["loc"])).strip(". ")
        raise BadDocument(source, path, complaint(first["msg"]) + more) from error


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path


def _check_depth(value: Any, source: str, limits: Limits) -> None:
    level = [value]
    for _ in range(limits.depth):
        level = [
            child
            for item in level
            if item and type(item) in _NESTS
            for child in (item.values() if type(item) is dict else item)
            if type(child) in _NESTS
        ]
        if not level:
            return
    raise BadDocument(source, "", f"nested deeper than {limits.depth}")
