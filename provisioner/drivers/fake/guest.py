"""The inside of a fake machine: answers what checks ask the probe, from one consistent model.

It knows the commands of the reference workload and of the suites, nothing else: an unknown command
ends with 127, as in a guest that lacks the program. What a guest remembers is in ``machine.guest``
and lasts as long as its disk. For each check that looks inside there is a defect of the check's id
that makes it lie.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from provisioner.drivers.fake.cloud import Cloud
from provisioner.drivers.fake.sight import GuestSight, boot_identity
from provisioner.drivers.fake.things import Thing
from provisioner.features import Completed

PROBE = "/opt/interop/probe.py"
IN_ITS_FOLDER = "cd /opt/interop && "
KEPT_CHARS = 65_536  # of a file; the model does not need more
PUT = re.compile(r"mv -f -- \S+ (\S+)$")
INTO = re.compile(r"cat > (\S+)$")
HEREDOC = re.compile(r"cat > (\S+) <<'?(\w+)'?$")
HARMLESS = (
    "#",
    "set ",
    "cd ",
    "mkdir ",
    "command -v",
    "python3 -c",
    "echo ",
    "true",
    ":",
    "sync",
    "exit",
)
SIGTERM = 15


class FakeGuest:
    """See ``provisioner.features.Exec``."""

    def __init__(self, machine: Thing, cloud: Cloud, defects: frozenset[str]) -> None:
        self.machine = machine
        self.cloud = cloud
        self.defects = defects
        self._catch_up()

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run ``sh -c TEXT`` or a program with arguments."""
        words = list(argv)
        text = words[2] if words[:2] == ["sh", "-c"] and len(words) > 2 else shlex.join(words)
        text = _without_sudo(text)
        try:
            code, out, err = self._command(text, stdin)
        except SystemExit as end:
            code, out, err = 1, "", str(end)
        return Completed(command=text, code=code, stdout=out.encode(), stderr=err.encode())

    def _command(self, text: str, stdin: bytes) -> tuple[int, str, str]:
        for pattern in (PUT, INTO):
            found = pattern.search(text)
            if found:
                self._write(shlex.split(found.group(1))[0], stdin.decode("utf-8", "replace"))
                return 0, "", ""
        if text in ("sh", "sh -s", "sh -e -s", "sh -es"):
            return self._script(stdin.decode("utf-8", "replace"))
        return self._line(text)

    def _script(self, text: str) -> tuple[int, str, str]:
        """A script, line by line: here-documents, the probe, echo and exit."""
        out: list[str] = []
        lines = iter(text.splitlines())
        for line in lines:
            line = line.strip()
            document = HEREDOC.search(line)
            if document:
                body = []
                for inner in lines:
                    if inner.strip() == document.group(2):
                        break
                    body.append(inner)
                self._write(document.group(1), "\n".join(body))
                continue
            if line.startswith("exit"):
                return int([*line.split(), "0"][1]), "\n".join(out), ""
            code, said, err = self._line(line) if line else (0, "", "")
            out += [said] if said else []
            if code:
                return code, "\n".join(out), err
        return 0, "\n".join(out) + ("\n" if out else ""), ""

    def _line(self, text: str) -> tuple[int, str, str]:
        words = shlex.split(text.removeprefix(IN_ITS_FOLDER), comments=True)
        if not words:
            return 0, "", ""
        if words[:2] == ["python3", PROBE]:
            return self._probe(words[2:])
        if words[:3] == ["python3", "-m", "probe"]:
            return self._probe(words[3:])
        if words[0] == "echo":
            return 0, " ".join(words[1:]), ""
        if words[0] == "test" and len(words) == 3:
            return (0 if self.files.get(words[2]) else 1), "", ""
        if words[0] == "cat" and len(words) == 2:
            text = self.files.get(words[1], "")
            return (0, text, "") if words[1] in self.files else (1, "", f"{words[1]}: no such file")
        if text.startswith(HARMLESS) or words[0].startswith(("{", "}", "echo")):
            return 0, "", ""
        return 127, "", f"{words[0]}: the model of this guest does not know it"

    def _probe(self, words: list[str]) -> tuple[int, str, str]:
        """The probe's commands."""
        if PROBE not in self.files:
            return 2, "", f"python3: can't open file '{PROBE}': no such file"
        match words:
            case ["observe", name, *rest]:
                args = json.loads(rest[0]) if rest else {}
                seen = GuestSight(self.machine, self.cloud, self.defects).observe(name, args)
                return 0, json.dumps(seen, sort_keys=True), ""
            case ["enable", "--config", path]:
                self.machine.guest["served"] = json.loads(self.files[path])
                return 0, "", ""
            case ["volume", "--mount", mount, *_]:
                self.machine.guest["mount"] = mount
                return 0, "/dev/vdb", ""
        return 2, "", f"probe.py: error: {' '.join(words)}"

    @property
    def files(self) -> dict[str, str]:
        """Files that were written, by path."""
        files: dict[str, str] = self.machine.guest.setdefault("files", {})
        return files

    def _write(self, path: str, text: str) -> None:
        self.files[path] = text[:KEPT_CHARS]

    def _catch_up(self) -> None:
        """What happened in the guest since somebody looked last: boots, stops, user data."""
        guest, machine = self.machine.guest, self.machine
        known = int(guest.get("boots", 0))
        if known == machine.boots:
            return
        told_to_stop = machine.last_stop in ("soft", "reboot") and "life-02" not in self.defects
        if known and told_to_stop and guest.get("served"):
            stop = {
                "signal": SIGTERM,
                "at": self.cloud.told_time(),
                "boot": boot_identity(machine, self.defects, known),
            }
            guest.setdefault("stops", []).append(stop)
        if machine.user_data.startswith(b"#!") and (not known or "meta-05" in self.defects):
            guest["runs"] = int(guest.get("runs", 0)) + 1
            machine.console.append("interop-user-data-ran")
        guest["boots"] = machine.boots


def _without_sudo(text: str) -> str:
    """The command inside "become root unless we are it"."""
    if not text.startswith('if [ "$(id -u)" = 0 ]'):
        return text
    words = shlex.split(text)
    return words[words.index("-c") + 1].removesuffix(";") if "-c" in words else text
