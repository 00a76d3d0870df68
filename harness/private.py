"""The file that says what a publisher keeps to itself."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guidelines.catalog import read_mapping
from guidelines.errors import BadDocument
from reports.redact import Private


class PrivateRules(BaseModel):
    """The file of ``--private``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    values: list[str] = Field(default_factory=list)
    keys: list[str] = Field(default_factory=list)
    networks: list[str] = Field(default_factory=list)


def read_private(file: Path) -> Private:
    """The rules in a file.

    Raises:
        BadDocument: it cannot be read, or a key is wrong.
    """
    value, _ = read_mapping(file)
    try:
        rules = PrivateRules.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadDocument(str(file), key, str(first["msg"]).lower()) from error
    networks = []
    for number, text in enumerate(rules.networks):
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            raise BadDocument(
                str(file), f"networks.{number}", "expected such as 10.0.0.0/8"
            ) from error
    return Private(
        values=tuple(v for v in rules.values if v),
        keys=tuple(rules.keys),
        networks=tuple(networks),
    )
