"""Reading foreign mappings: misspelt keys are understood and reported, wrong types refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from guidelines.errors import BadDocument, complaint, one_line
from guidelines.model import Finding, Severity
from guidelines.suggest import nearest

Part = TypeVar("Part", bound=BaseModel)


class ForeignPart(BaseModel):
    """A part of a foreign document: unknown keys were reported already and are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Oddities:
    """What a loader found odd, in the order it was found."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def error(self, code: str, path: str, message: str) -> None:
        """Note what changes the meaning of the file."""
        self._found.append(
            Finding(code=code, severity=Severity.ERROR, path=path, message=one_line(message))
        )

    def warning(self, code: str, path: str, message: str) -> None:
        """Note what a reader should look at."""
        self._found.append(
            Finding(code=code, severity=Severity.WARNING, path=path, message=one_line(message))
        )

    def note(self, code: str, path: str, message: str) -> None:
        """Note what does no harm."""
        self._found.append(
            Finding(code=code, severity=Severity.NOTE, path=path, message=one_line(message))
        )

    def all(self) -> tuple[Finding, ...]:
        """Return everything noted so far."""
        return tuple(self._found)


def canonical_keys(
    value: object,
    known: Iterable[str],
    *,
    source: str,
    path: str,
    oddities: Oddities,
    spellings: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return *value* with its keys as the schema spells them.

    Args:
        value: a mapping from the file.
        known: the schema's keys.
        source: the file, for errors.
        path: where in the file *value* is.
        oddities: takes misspelt and unknown keys.
        spellings: accepted other spellings and the key each stands for.

    Raises:
        BadDocument: *value* is not a mapping, or one key is given in two spellings.
    """
    if not isinstance(value, dict):
        raise BadDocument(source, path, f"expected a mapping, found {kind_of(value)}")
    names = set(known)
    spellings = spellings or {}
    result: dict[str, Any] = {}
    for raw, item in value.items():
        key = str(raw)
        meant = key
        if key not in names:
            meant = spellings.get(key, key)
        if meant not in names:
            near = nearest(key, names - {str(other) for other in value})
            where = f"{path}.{key}" if path else key
            if near is None:
                oddities.warning("unknown-key", where, f"unknown key {key!r}; remove it")
                continue
            oddities.error("misspelt-key", where, f"{key!r} is not a key; write {near!r}")
            meant = near
        if meant in result:
            raise BadDocument(source, path, f"the key {meant!r} is given in two spellings")
        result[meant] = item
    return result


def read_part(model: type[Part], data: Mapping[str, Any], *, source: str, path: str) -> Part:
    """Check *data* against *model*.

    Raises:
        BadDocument: a value has the wrong type; names its path.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        item = error.errors(include_url=False, include_input=False)[0]
        location = ".".join(str(part) for part in item["loc"])
        where = ".".join(part for part in (path, location) if part)
        raise BadDocument(source, where, complaint(str(item["msg"]))) from None


def read_list(value: object, source: str, path: str) -> list[Any]:
    """Return *value*, or an empty list for nothing.

    Raises:
        BadDocument: it is something else than a list.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadDocument(source, path, f"expected a list, found {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """Name the kind of a decoded value, for errors."""
    if value is None:
        return "nothing"
    for kind, name in ((dict, "a mapping"), (list, "a list"), (str, "text"), (bool, "a boolean")):
        if isinstance(value, kind):
            return name
    return "a number"
