"""Commands in a machine, as ``kubectl exec`` runs them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL

from provisioner.drivers.kubernetes.cluster import Cluster
from provisioner.drivers.kubernetes.errors import translated
from provisioner.drivers.kubernetes.machine import CONTAINER, Machines
from provisioner.errors import Lost, PlatformFault, Timeout
from provisioner.features import Completed

CHUNK = 32768
NOT_THERE = 127  # a shell's code for a program that there is none of
# Protocols before v5 (Kubernetes 1.30) cannot say that the input ends; the length can.
FEED = 'n=$1; shift; head -c "$n" | "$@"'


class PodExec:
    """Runs commands in the container of one machine."""

    def __init__(self, cluster: Cluster, machines: Machines, machine: str) -> None:
        self._cluster = cluster
        self._machines = machines
        self._machine = machine

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a command to its end.

        Raises:
            Timeout: it was still running after *timeout_s*; it may go on in the machine.
            Lost: the connection broke, or the machine's node does not answer.
            NotFound: the machine has no pod now.
        """
        pod, node = self._machines.pod_name(self._machine)
        what = f"run a command in {self._machine} on {node}"
        command = ["sh", "-c", FEED, "sh", str(len(stdin)), *argv] if stdin else list(argv)
        query = [("container", CONTAINER), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if stdin else []
        query += [("command", word) for word in command]
        path = f"/api/v1/{self._cluster.namespaced}/pods/{pod}/exec"
        began = time.monotonic()
        line = self._cluster.stream(what, path, query)
        try:
            with translated(self._cluster.platform, what):
                for start in range(0, len(stdin), CHUNK):
                    line.write_stdin(stdin[start : start + CHUNK])
                self._await(line, what, began + timeout_s, timeout_s)
                heard = {
                    channel: bytes(line.read_channel(channel) or b"")
                    for channel in (STDOUT_CHANNEL, STDERR_CHANNEL, ERROR_CHANNEL)
                }
        finally:
            line.close()
            line.sock.shutdown()  # a line that the server closed is not closed by the above
        code, said = self._code(what, heard[ERROR_CHANNEL])
        return Completed(
            command=" ".join(argv),
            code=code,
            stdout=heard[STDOUT_CHANNEL],
            stderr=heard[STDERR_CHANNEL] + said,
            seconds=time.monotonic() - began,
        )

    def _await(self, line: Any, what: str, deadline: float, timeout_s: float) -> None:
        while line.is_open():
            left = deadline - time.monotonic()
            if left <= 0:
                message = f"{what}: still running after {timeout_s:.0f} s"
                raise Timeout(message, self._cluster.platform)
            line.update(timeout=min(left, 5.0))

    def _code(self, what: str, status: bytes) -> tuple[int, bytes]:
        """The exit code of a Status document, and what the runtime said if it did not start."""
        try:
            said = json.loads(status)
            if said["status"] == "Success":
                return 0, b""
            message = str(said.get("message") or "")
            if said.get("reason") == "NonZeroExitCode":
                causes = said["details"]["causes"]
                return next(int(c["message"]) for c in causes if c["reason"] == "ExitCode"), b""
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            message = f"cannot {what}: the connection ended before the command did"
            raise Lost(message, self._cluster.platform) from error
        if "executable file not found" in message or "no such file or directory" in message:
            return NOT_THERE, message.encode()
        raise PlatformFault(f"cannot {what}: {message}", self._cluster.platform)
