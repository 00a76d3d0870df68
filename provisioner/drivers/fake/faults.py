"""What can go wrong on the fake cloud, at which step, and how often.

A rule in the settings looks like ``{at: create.machine.after, do: Lost, nth: 2, times: 1}``:

* ``at``     verb, kind and moment; ``*`` stands for any. Verbs: create, read, delete, list, power,
  tag. Moments: ``before`` nothing has happened yet; ``after`` it has happened, the answer is lost.
* ``do``     an error class of ``provisioner.errors``, ``kill`` (SIGKILL to this process), or
  ``duplicate`` (the network delivers the request twice).
* ``nth``    from which match on (1 is the first); ``times`` how many matches; 0 is for ever.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from provisioner import errors
from provisioner.errors import BadRequest, PlatformError, Throttled

ACTIONS = ("kill", "duplicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault, as the module says."""

    at: str
    do: str
    nth: int = 1
    times: int = 1


class Faults:
    """Decides at each step whether something goes wrong. Counts per process.

    Args:
        rules: see the module.
        platform: the platform's name, for messages.
        hook: called with each point before the rules; may raise. For tests.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        platform: str = "",
        hook: Callable[[str], None] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.platform = platform
        self.hook = hook
        self._hits = [0] * len(self.rules)
        self._lock = threading.Lock()

    def reach(self, verb: str, kind: str, moment: str) -> bool:
        """Pass a point. Returns True when the request is to be delivered twice.

        Raises:
            PlatformError: a rule says so.
        """
        point = f"{verb}.{kind}.{moment}"
        if self.hook is not None:
            self.hook(point)
        twice = False
        for number, rule in enumerate(self.rules):
            if not fnmatchcase(point, rule.at):
                continue
            with self._lock:
                self._hits[number] += 1
                hit = self._hits[number]
            if hit < rule.nth or (rule.times and hit >= rule.nth + rule.times):
                continue
            if rule.do == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif rule.do == "duplicate":
                twice = True
            else:
                raise make_error(rule.do, f"injected at {point}", self.platform)
        return twice


def make_error(name: str, message: str, platform: str) -> PlatformError:
    """An error of the closed set by its class name."""
    kind = getattr(errors, name)
    if kind is Throttled:
        return Throttled(message, platform, retry_after=0.5)
    error = kind(message, platform)
    assert isinstance(error, PlatformError)  # noqa: S101 - checked when the rule was read
    return error


def read_rules(values: Sequence[Mapping[str, Any]], platform: str) -> list[Rule]:
    """Rules from settings. Raises BadRequest naming the rule and what was expected."""
    rules = []
    for number, value in enumerate(values):
        where = f"faults[{number}]"
        unknown = sorted(set(value) - {"at", "do", "nth", "times"})
        if unknown or "at" not in value or "do" not in value:
            problem = f"unknown key {unknown[0]}" if unknown else "expected the keys at and do"
            raise BadRequest(f"{where}: {problem}", platform)
        do = str(value["do"])
        kind = getattr(errors, do, None)
        known = isinstance(kind, type) and issubclass(kind, PlatformError)
        if not known and do not in ACTIONS:
            raise BadRequest(f"{where}.do: {do!r} is no error class, kill or duplicate", platform)
        rules.append(
            Rule(
                at=str(value["at"]),
                do=do,
                nth=int(value.get("nth", 1)),
                times=int(value.get("times", 1)),
            )
        )
    return rules
