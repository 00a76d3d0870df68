"""Write guidelines/schema/*.json, reports/schema/*.json and the digests of shipped guidelines anew.

Run ``python tests/export_schemas.py`` after changing a model; a test compares the files with it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from guidelines.catalog import load_guideline
from guidelines.documents import all_schemas
from reports.compare.comparison import schema as comparison_schema

PACKAGE = Path(__file__).parent.parent / "guidelines"
REPORTS = Path(__file__).parent.parent / "reports" / "schema"


def report_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of the documents of ``reports`` by the name of their file."""
    return {"comparison-1.json": comparison_schema()}


def schema_text(document: object) -> str:
    """Return the text of one schema file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def digest_text() -> str:
    """Return the text of the file of digests: one line for each shipped guideline."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted((PACKAGE / "data").glob("*.yaml"))
    )


def check_published(before: str, after: str) -> None:
    """Refuse to record another digest for a guideline that is no draft any more.

    Raises:
        SystemExit: a published file was changed or removed.
    """
    now = {name: digest for digest, name in (line.split() for line in after.splitlines())}
    for line in before.splitlines():
        digest, name = line.split()
        path = PACKAGE / "data" / name
        if now.get(name) == digest:
            continue
        if not path.exists() or load_guideline(path).status != "draft":
            raise SystemExit(f"{name} is published: it must not change; publish a new version")


def main() -> None:
    """Write every file."""
    sums = PACKAGE / "data" / "SHA256SUMS"
    check_published(sums.read_text(encoding="utf-8") if sums.exists() else "", digest_text())
    for name, document in all_schemas().items():
        (PACKAGE / "schema" / name).write_text(schema_text(document), encoding="utf-8")
    for name, document in report_schemas().items():
        (REPORTS / name).write_text(schema_text(document), encoding="utf-8")
    sums.write_text(digest_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
