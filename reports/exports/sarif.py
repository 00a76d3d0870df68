"""Results as SARIF 2.1.0, for code scanning: baseline states, suppressions from waivers.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0, sections 3.27.9 (kind), 3.27.24
(baselineState) and 3.35 (suppression). One ``run`` a result. What could not be told is ``open``,
never ``pass``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from reports.exports.entries import Entry, entries, utc
from reports.subject import About, Subject

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
KINDS = {
    "passed": "pass",
    "failed": "fail",
    "skipped": "fail",
    "waived": "fail",
    "missing": "open",
    "blocked": "open",
    "not-applicable": "notApplicable",
}


def sarif(
    subjects: Sequence[Subject],
    about: Mapping[str, About],
    *,
    baselines: Sequence[Subject] = (),
    passes: bool = True,
) -> dict[str, Any]:
    """The document as plain JSON values.

    Args:
        subjects: the results.
        about: what the guideline says of the checks: the rules.
        baselines: earlier results, matched by platform; with one, each finding says whether it is
            new, changed or gone.
        passes: whether what passed, does not apply, is waived or gone is told, too; some readers
            take everything they are told for an alert, suppressed or not.
    """
    before = {baseline.platform: baseline for baseline in baselines}
    runs = [_run(s, about, before.get(s.platform), passes) for s in subjects]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}


def _run(
    subject: Subject, about: Mapping[str, About], baseline: Subject | None, passes: bool
) -> dict[str, Any]:
    now = entries(subject, about)
    then = {e.id: e for e in entries(baseline, about)} if baseline else {}
    told = [_result(subject, entry) for entry in now]
    if baseline is not None:
        for result, entry in zip(told, now, strict=True):
            result["baselineState"] = _baseline_state(entry, then.get(entry.id))
        known = {entry.id for entry in now}
        gone = [entry for id_, entry in then.items() if id_ not in known]
        told += [{**_result(subject, entry), "baselineState": "absent"} for entry in gone]
        now = (*now, *gone)
    driver = _driver(subject, now)
    places = {rule["id"]: place for place, rule in enumerate(driver["rules"])}
    for result in told:
        result["ruleIndex"] = places[result["ruleId"]]
    if not passes:
        told = [result for result in told if _stands(result)]
    invocation: dict[str, Any] = {"executionSuccessful": subject.complete}
    for key, value in (("startTimeUtc", subject.started), ("endTimeUtc", subject.finished)):
        if utc(value):
            invocation[key] = utc(value)
    if not subject.complete:
        text = subject.incomplete or "the run did not finish"
        invocation["toolExecutionNotifications"] = [{"level": "error", "message": {"text": text}}]
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"interop/{subject.platform}/{subject.run or subject.id}"},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": told,
    }
    judgement = subject.judgement
    if judgement is not None:
        run["properties"] = {
            "verdict": judgement.verdict,
            "level": judgement.level,
            "guideline": judgement.guideline,
            "program": judgement.program,
        }
    return run


def _stands(result: Mapping[str, Any]) -> bool:
    """Whether it is something to look at now."""
    gone = result.get("baselineState") == "absent"
    return result["kind"] in ("fail", "open") and "suppressions" not in result and not gone


def _driver(subject: Subject, items: Sequence[Entry]) -> dict[str, Any]:
    rules = {entry.id: _rule(entry) for entry in items}
    driver = {"name": "Interop", "rules": [rules[id_] for id_ in sorted(rules)]}
    return driver | ({"version": subject.tool_version} if subject.tool_version else {})


def _rule(entry: Entry) -> dict[str, Any]:
    references = entry.about.references
    rule: dict[str, Any] = {
        "id": entry.id,
        "shortDescription": {"text": entry.title or entry.id},
        "fullDescription": {"text": _requirement(entry)},
        "help": {"text": _help(entry)},
        "defaultConfiguration": {"level": "error" if entry.required else "warning"},
        "properties": {
            "tags": [entry.topic, *entry.about.components],
            "interopLevel": entry.about.level,
        },
    }
    urls = [url for _, url in references if url.startswith("https://")]
    return rule | ({"helpUri": urls[0]} if urls else {})


def _help(entry: Entry) -> str:
    """What the requirement rests on, which code scanning shows beside a finding."""
    lines = [f"{title}: {url}" if url else title for title, url in entry.about.references]
    return "\n".join((entry.title or entry.id, *lines))


def _requirement(entry: Entry) -> str:
    titles = "; ".join(title for title, _ in entry.about.references)
    return f"{entry.title or entry.id} ({titles})" if titles else entry.title or entry.id


def _result(subject: Subject, entry: Entry) -> dict[str, Any]:
    kind = KINDS[entry.state]
    level = "none"
    if kind == "fail":
        level = "error" if entry.required else "warning"
    words = f"{subject.platform}: {entry.title or entry.id}: {entry.state.replace('-', ' ')}"
    result: dict[str, Any] = {
        "ruleId": entry.id,
        "kind": kind,
        "level": level,
        "message": {"text": _message(f"{words}: {entry.reason}" if entry.reason else words)},
        "locations": [_location(subject, entry)],
        "partialFingerprints": {
            "interopCheck/v1": _fingerprint(subject, entry),
            "primaryLocationLineHash": f"{_fingerprint(subject, entry)[:16]}:1",  # code scanning's
        },
        "properties": {"state": entry.state, "seconds": entry.seconds},
    }
    if entry.state == "waived":
        suppression = {"kind": "external", "status": "accepted", "justification": entry.reason}
        result["suppressions"] = [suppression]
    return result


def _message(text: str) -> str:
    """*text* in which nothing is a link: SARIF's messages have them in brackets."""
    return text.replace("](", "] (")


def _location(subject: Subject, entry: Entry) -> dict[str, Any]:
    """Where the evidence stands; readers of SARIF want a file and a line."""
    file = entry.evidence.partition("#")[0] or subject.source or "result.json"
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(file)},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {"fullyQualifiedName": f"{subject.platform}/{entry.id}", "kind": "resource"}
        ],
    }


def _fingerprint(subject: Subject, entry: Entry) -> str:
    """The same finding in every run: platform and check."""
    return hashlib.sha256(f"{subject.platform}\0{entry.id}".encode()).hexdigest()


def _baseline_state(now: Entry, then: Entry | None) -> str:
    if then is None:
        return "new"
    return "unchanged" if now.state == then.state else "updated"
