"""Small result documents for the tests of the site, and a way to publish them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from guidelines.catalog import load_guideline
from harness.publication import Publication
from harness.publishing import Published, publish
from reports.redact import Private

GUIDELINE = """
schema: interop.guideline/1
id: "{id}"
title: A small guideline
status: approved
programs:
  all: {{title: Everything, components: [c], holds: P180D}}
components:
  c: {{title: The component, capabilities: {{required: [names, disks]}}}}
capabilities:
  names: {{title: Names resolve, level: 1, checks: [net-10]}}
  disks: {{title: Disks keep data, level: 2, checks: {disks}}}
checks:
  net-10:
    title: Members resolve each other by name
    level: 1
    references:
      - {{title: RFC 1034, url: "https://www.rfc-editor.org/rfc/rfc1034"}}
  disk-03: {{title: Data stay, level: 2}}
  disk-05: {{title: Synced data survive, level: 2}}
"""


def guideline_file(folder: Path, id_: str = "g1", disks: str = "[disk-03]") -> Path:
    file = folder / f"{id_}.yaml"
    file.write_text(GUIDELINE.format(id=id_, disks=disks), encoding="utf-8")
    return file


def check(id_: str, outcome: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "title": f"{id_} keeps its promise",
        "test": f"suites.x::test_{id_}",
        "outcome": outcome,
        "started": f"{day}T10:00:00Z",
        "seconds": 0.5,
        **more,
    }


def result(platform: str, day: str, **outcomes: Any) -> dict[str, Any]:
    """A result; ``net_10="failed"`` and the like; other words are keys of the document."""
    words = {"passed", "failed", "blocked", "skipped", "not-applicable"}
    states = {k.replace("_", "-"): v for k, v in outcomes.items() if v in words}
    more = {k: v for k, v in outcomes.items() if v not in words}
    facts = [
        {"name": "lag", "value": 0.5, "unit": "s", "source": "observed"},
        {"name": "source", "value": "dhcp", "source": "guest", "member": "m1"},
    ]
    return {
        "schema": "interop.result/1",
        "id": f"run-{day}-{platform}",
        "run": f"run-{day}",
        "platform": {"name": platform, "kind": "fake", "features": ["machine"]},
        "started": f"{day}T09:50:00Z",
        "finished": f"{day}T10:01:00Z",
        "complete": True,
        "tool": {"version": "0.1.0"},
        "suite": {"digest": "sha256:" + "0" * 64, "seed": 1},
        "timings": [
            {
                "step": "machine/m1",
                "kind": "machine",
                "started": 0,
                "seconds": 3,
                "outcome": "ready",
            }
        ],
        "checks": [
            check(id_, state, day, facts=facts, reason="" if state == "passed" else f"why {id_}")
            for id_, state in states.items()
        ],
        **more,
    }


def written(folder: Path, documents: Sequence[dict[str, Any]]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for document in documents:
        path = folder / f"{len(list(folder.iterdir())):03d}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        paths.append(path)
    return paths


def publication(guidelines: Sequence[Path], day: str = "2026-11-21", **more: Any) -> Publication:
    return Publication(
        guidelines=[load_guideline(file) for file in guidelines],
        day=date.fromisoformat(day),
        salt=b"test",
        **more,
    )


def site(root: Path, documents: Sequence[dict[str, Any]], **more: Any) -> Published:
    """Publish *documents* to ``root/site`` by one guideline."""
    private: Private = more.pop("private", Private())
    paths = written(root / "results", documents)
    made = publication([guideline_file(root)], private=private, **more)
    return publish(made, paths, root / "site")
