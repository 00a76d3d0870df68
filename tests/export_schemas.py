"""Write guidelines/schema/*.json and the digests of shipped guidelines anew.

Run ``python tests/export_schemas.py`` after changing a model; a test compares the files with it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from guidelines.documents import all_schemas

PACKAGE = Path(__file__).parent.parent / "guidelines"


def schema_text(document: object) -> str:
    """Return the text of one schema file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def digest_text() -> str:
    """Return the text of the file of digests: one line for each shipped guideline."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted((PACKAGE / "data").glob("*.yaml"))
    )


def main() -> None:
    """Write every file."""
    for name, document in all_schemas().items():
        (PACKAGE / "schema" / name).write_text(schema_text(document), encoding="utf-8")
    (PACKAGE / "data" / "SHA256SUMS").write_text(digest_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
