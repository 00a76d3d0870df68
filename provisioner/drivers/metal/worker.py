"""The process that talks to one BMC with pyghmi: ``python -P -m provisioner.drivers.metal.worker``.

pyghmi keeps one socket pool and one I/O loop per process and sometimes waits for ever, so every BMC
has a process of its own that its parent can end. The first line on standard input says whom to talk
to and with which credentials; each further line is a call, answered by a line. It ends with its
standard input.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

from pyghmi.exceptions import PyghmiException

from provisioner.drivers.metal.ipmi_link import IpmiLink, listen
from provisioner.drivers.metal.redfish_link import RedfishLink

REFUSED = ("incorrect password", "unauthorized name", "invalid role", "unauthorized", "privilege",
           "access denied", "no valid session", "wrong name or password")  # fmt: skip
NOT_NOW = ("not supported in present state", "needs a machine that is on")
NEVER = ("invalid command", "not supported", "unsupported", "unrecognized")
SILENT = ("timeout", "timed out", "no longer connected", "no response", "unreachable", "refused",
          "network is", "session closed", "name or service not known")  # fmt: skip
FULL = ("insufficient resources", "node busy", "session limit", "as many sessions")


def main() -> None:
    """Serve calls until standard input ends."""
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    about = json.loads(lines.get())
    if about["role"] == "console":
        listen(about, sys.stdout.buffer)
        return
    link: IpmiLink | RedfishLink | None = None
    while True:
        call = json.loads(lines.get())
        try:
            if link is None:
                link = RedfishLink(about) if about["role"] == "redfish" else IpmiLink(about)
            result: Any = getattr(link, f"do_{call['do']}")(**call["with"])
            answer: Mapping[str, Any] = {"ok": result}
        except Exception as error:  # whatever pyghmi raises is said to the parent
            answer = {"error": kind_of(error), "message": _words(error)}
            if answer["error"] in ("lost", "full"):
                link = None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def kind_of(error: Exception) -> str:
    """Which of our errors an exception of pyghmi or of the network is."""
    text = _words(error)
    for kind, words in (
        ("full", FULL),
        ("unauthorized", REFUSED),
        ("conflict", NOT_NOW),
        ("unsupported", NEVER),
        ("lost", SILENT),
    ):
        if any(word in text for word in words):
            return kind
    if isinstance(error, OSError):
        return "lost"
    return "fault" if isinstance(error, PyghmiException) else "bug"


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().lower()[:500]


def _read(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    time.sleep(0.2)  # an answer in progress may still go out
    os._exit(0)


if __name__ == "__main__":
    main()
