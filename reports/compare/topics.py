"""Groups checks by what somebody who moves a workload would feel."""

from __future__ import annotations

from collections.abc import Mapping

from reports.matrix import chapter_of
from reports.subject import About

# In the order in which they hurt.
TOPICS: Mapping[str, str] = {
    "access": "Getting a machine and into it",
    "addressing": "Addresses and names",
    "traffic": "Data path and firewall",
    "initialisation": "Identity and initialisation",
    "storage": "Storage",
    "time": "Time",
    "machine": "Inside the machine",
    "lifecycle": "Life of a machine",
    "hardware": "Management of hardware",
    "errors": "Errors of the API",
    "api": "Behaviour of the API",
    "cluster": "Cluster",
    "spanning": "Across platforms",
    "other": "Other checks",
}
_OF_CHAPTER = {
    "alloc": "access",
    "net": "addressing",
    "path": "traffic",
    "fw": "traffic",
    "meta": "initialisation",
    "disk": "storage",
    "obj": "storage",
    "time": "time",
    "ent": "machine",
    "kern": "machine",
    "life": "lifecycle",
    "bmc": "hardware",
    "api": "api",
    "os": "api",
    "k8s": "cluster",
    "span": "spanning",
}
_OF_CHECK = {"P9": "errors"}
# For guidelines made elsewhere, whose ids have no chapters: words in names of components and ids.
_WORDS = (
    ("errors", ("error", "negative", "fault")),
    ("addressing", ("network", "dns", "address", "subnet", "port")),
    ("storage", ("volume", "storage", "object", "snapshot", "image")),
    ("lifecycle", ("server", "compute", "pod", "lifecycle")),
)


def topic_of(check: str, about: About | None = None) -> str:
    """The key in `TOPICS` of a check."""
    if check in _OF_CHECK:
        return _OF_CHECK[check]
    chapter = chapter_of(check)
    if chapter in _OF_CHAPTER:
        return _OF_CHAPTER[chapter]
    held = (*about.capabilities, *about.components) if about is not None else ()
    text = " ".join((check, *held)).lower()
    return next((topic for topic, words in _WORDS if any(w in text for w in words)), "other")


def topic_place(topic: str) -> int:
    """Where a topic stands in the order."""
    return list(TOPICS).index(topic)
