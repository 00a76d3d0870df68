"""One capability of an OpenStack guideline, in every form the schemas have had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from guidelines.errors import BadDocument
from guidelines.foreign.keys import ForeignPart, Oddities, canonical_keys, kind_of, read_part
from guidelines.model import Capability, CheckDef, Flag

_KEYS_1 = [
    "achievements",
    "admin",
    "status",
    "guidelines",
    "required_since",
    "project",
    "description",
    "flagged",
    "name",
    "tests",
]
_KEYS_2 = ["achievements", "admin", "required_since", "description", "tests", "project"]
_MANDATORY = ("achievements", "admin", "description", "project", "tests")
_SPELLINGS = {"required-since": "required_since"}
_TEST_SPELLINGS = {"idempotent-id": "idempotent_id", "flag": "flagged", "alias": "aliases"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Capability(ForeignPart):
    achievements: list[str] | None = None
    admin: bool = False
    required_since: str | None = None
    project: str | None = None
    description: str | None = None
    flagged: list[str] | dict[str, Any] | None = None


def read_capability(
    name: str, value: object, source: str, oddities: Oddities, *, schema: str
) -> Capability:
    """Return the capability *name*.

    Schema 1.2 lists tests and, beside them, which are flagged; 1.3 keeps the old list beside the
    new flags; later schemas flag inside the test. All three are read whatever the version says.

    Raises:
        BadDocument: a value has the wrong type.
    """
    path = f"capabilities.{name}"
    keys = [*_KEYS_2, "flagged"] if schema.startswith("2") else _KEYS_1
    fields = canonical_keys(
        value, keys, source=source, path=path, oddities=oddities, spellings=_SPELLINGS
    )
    given = value if isinstance(value, dict) else {}
    for key in _MANDATORY:
        if key not in given:
            oddities.error("missing-key", f"{path}.{key}", f"the schema requires {key!r}; add it")
    since = fields.get("required_since")
    if since is not None and not isinstance(since, str):
        oddities.warning("required-since", f"{path}.required_since", f"{since!r} is not a version")
        fields["required_since"] = ""
    given_values = {key: item for key, item in fields.items() if item is not None}
    part = read_part(_Capability, given_values, source=source, path=path)
    flagged = _flagged_names(part.flagged)
    checks = _read_tests(fields.get("tests") or [], flagged, source, f"{path}.tests", oddities)
    listed = {check.id for check in checks}
    for test in flagged:
        if test not in listed:
            oddities.warning(
                "flag-without-test", f"{path}.flagged", f"{test!r} is flagged but not a test here"
            )
    return Capability(
        id=name,
        title=part.description or "",
        checks=tuple(checks),
        achievements=None if part.achievements is None else tuple(part.achievements),
        admin=part.admin,
        required_since=part.required_since,
        project=part.project or "",
    )


def _flagged_names(value: list[str] | dict[str, Any] | None) -> dict[str, Flag]:
    if isinstance(value, dict):
        return {name: _flag(item) or Flag() for name, item in value.items()}
    return {name: Flag() for name in value or ()}


def _read_tests(
    value: object, flagged: Mapping[str, Flag], source: str, path: str, oddities: Oddities
) -> list[CheckDef]:
    entries: list[tuple[str, object]]
    if isinstance(value, list):
        entries = []
        for index, item in enumerate(value):
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                rest = {key: part for key, part in item.items() if key != "name"}
                entries.append((item["name"], rest))
            elif isinstance(item, str):
                entries.append((item, {}))
            else:
                raise BadDocument(
                    source, f"{path}.{index}", f"expected a test's name, found {kind_of(item)}"
                )
    elif isinstance(value, dict):
        entries = [(str(name), item) for name, item in value.items()]
    else:
        raise BadDocument(source, path, f"expected a list or mapping of tests, found {value!r}")
    checks: list[CheckDef] = []
    seen: set[str] = set()
    for name, item in entries:
        if not name.strip():
            raise BadDocument(source, path, "a test without a name")
        if name in seen:
            oddities.warning("duplicate-test", f"{path}.{name}", "this test is listed twice here")
        seen.add(name)
        checks.append(_read_test(name, item, flagged.get(name), source, f"{path}.{name}", oddities))
    return checks


def _read_test(
    name: str, item: object, listed: Flag | None, source: str, path: str, oddities: Oddities
) -> CheckDef:
    if item is None:
        item = {}
    elif isinstance(item, str):
        item = {"idempotent_id": item}
    fields = canonical_keys(
        item, ("idempotent_id", "flagged", "aliases"), source=source, path=path,
        oddities=oddities, spellings=_TEST_SPELLINGS,
    )  # fmt: skip
    aliases = fields.get("aliases") or []
    if isinstance(aliases, str):
        aliases = [aliases]
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise BadDocument(source, f"{path}.aliases", "expected a list of names")
    identifier = fields.get("idempotent_id")
    if identifier is not None and not isinstance(identifier, str):
        raise BadDocument(source, f"{path}.idempotent_id", f"expected text, found {identifier!r}")
    bare = (identifier or "").strip().lower().removeprefix("id-") or None
    if bare is not None and not _UUID.fullmatch(bare):
        # Early files copied the test's tags along: "id-...,smoke".
        oddities.warning("malformed-id", f"{path}.idempotent_id", f"{identifier!r} is not a UUID")
        found = _UUID.search(bare)
        bare = found[0] if found else bare
    flag = _flag(fields.get("flagged"))
    if flag is not None and flag.date is None:
        oddities.warning("flag-date", path, "the flag has no date of the form YYYY-MM-DD; add one")
    return CheckDef(
        id=name,
        aliases=tuple(dict.fromkeys(aliases)),
        idempotent_id=bare,
        flag=flag or listed,
    )


def _flag(value: object) -> Flag | None:
    """Return the flag in *value*; empty, false and absent mean not flagged."""
    if not value:
        return None
    if not isinstance(value, dict):
        return Flag(reason="" if value is True else str(value))
    fields = {str(key).lower(): item for key, item in value.items()}
    return Flag(
        reason=str(fields.get("reason") or ""),
        action=str(fields.get("action") or ""),
        date=_day(fields.get("date")),
        expires=_day(fields.get("expires") or fields.get("expiry")),
    )


def _day(value: object) -> date | None:
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value.strip()[:10])
    except ValueError:
        return None
