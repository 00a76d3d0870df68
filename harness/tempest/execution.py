"""Runs Tempest in its own environment: lists its tests, runs some, and keeps the subunit stream."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from subunit import ByteStreamToStreamResult
from testtools import StreamResult

from provisioner.errors import PlatformFault
from provisioner.lab.environments import environment
from provisioner.lab.images import Images

ENDED = frozenset({"success", "fail", "skip", "xfail", "uxsuccess"})
STESTR = """\
[DEFAULT]
test_path={package}/test_discover
top_dir={package}/..
group_regex=([^\\.]*\\.)*
"""
GRACE_S = 60.0


def install(images: Images, say: Callable[[str], None]) -> Path:
    """Tempest's environment.

    Raises:
        PlatformFault: pip could not install it.
    """
    pins = (files(__package__) / "data" / "constraints.txt").read_text(encoding="utf-8")
    return environment(
        images, "tempest", ("tempest",), pins, "import tempest.cmd.main, tempest.cmd.run", say
    )


def version(venv: Path) -> str:
    """Which Tempest that is."""
    text = "import importlib.metadata as m; print(m.version('tempest'))"
    return _said([str(venv / "bin" / "python"), "-c", text], venv).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A folder that Tempest works in: its configuration lies there.

    Args:
        venv: Tempest's environment.
        folder: only its owner may look in; there are passwords in it.
        namespace: the network namespace to run in, as a path; empty is our own.
    """

    venv: Path
    folder: Path
    namespace: str = ""

    def prepare(self, config: str, accounts: str) -> None:
        """Write what Tempest reads."""
        (self.folder / "locks").mkdir(exist_ok=True)
        self._write("tempest.conf", config)
        if accounts:
            self._write("accounts.yaml", accounts)
        text = "import tempest, os; print(os.path.dirname(tempest.__file__))"
        package = _said([str(self.venv / "bin" / "python"), "-c", text], self.folder).strip()
        self._write(".stestr.conf", STESTR.format(package=package))
        _said([str(self.venv / "bin" / "stestr"), "init"], self.folder, self._environment())

    def _write(self, name: str, text: str) -> None:
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)

    def known(self) -> list[str]:
        """Every test this Tempest has, by its full name.

        Raises:
            PlatformFault: it could not say.
        """
        said = _said(self._command("--list-tests"), self.folder, self._environment())
        return [line for line in said.splitlines() if line.startswith("tempest.")]

    def run(
        self,
        tests: Sequence[str],
        stream: Path,
        *,
        concurrency: int,
        told: Callable[[str, str, float], None],
    ) -> int:
        """Run *tests*; what Tempest says of them goes to *stream* as it comes.

        Args:
            tests: full names.
            stream: the subunit file to write.
            concurrency: processes side by side.
            told: called with each test's name, how it ended, and seconds since the start.

        Returns:
            Tempest's exit code.
        """
        self._write("load-list", "".join(f"{test}\n" for test in tests))
        command = self._command(
            "--subunit", "--load-list", str(self.folder / "load-list"),
            "--concurrency", str(concurrency),
        )  # fmt: skip
        with (
            stream.open("wb") as kept,
            (self.folder / "stderr").open("wb") as errors,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,
            ) as process,
        ):
            try:
                assert process.stdout is not None  # noqa: S101 - a pipe was asked for
                _follow(_Kept(process.stdout, kept), told)
                return process.wait()
            except BaseException:
                _end(process)
                raise

    def complaint(self) -> str:
        """The last line Tempest wrote on its standard error."""
        lines = (self.folder / "stderr").read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def _command(self, *arguments: str) -> list[str]:
        config = str(self.folder / "tempest.conf")
        inside = ["nsenter", f"--net={self.namespace}", "--"] if self.namespace else []
        program = str(self.venv / "bin" / "tempest")
        return [*inside, program, "run", "--config-file", config, *arguments]

    def _environment(self) -> dict[str, str]:
        """Nothing of ours: above all no ``OS_*`` and no ``PYTHON*``."""
        kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        path = f"{self.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        return {**kept, "PATH": path, "HOME": str(self.folder), "PYTHONWARNINGS": "ignore"}


class _Kept:
    """A stream that keeps a copy of what is read from it."""

    def __init__(self, source: Any, copy: BinaryIO) -> None:
        self._source = source
        self._copy = copy

    def read(self, size: int) -> bytes:
        data: bytes = self._source.read(size)
        self._copy.write(data)
        return data


class _Told(StreamResult):
    """Passes on how each test ended."""

    def __init__(self, told: Callable[[str, str, float], None]) -> None:
        super().__init__()
        self._told = told
        self._first: Any = None

    def status(
        self,
        test_id: str | None = None,
        test_status: str | None = None,
        *args: Any,
        timestamp: Any = None,
        **kwargs: Any,
    ) -> None:
        self._first = self._first or timestamp
        if test_id and test_status in ENDED:
            since = (timestamp - self._first).total_seconds() if timestamp else 0.0
            self._told(test_id, test_status, since)


def _follow(source: _Kept, told: Callable[[str, str, float], None]) -> None:
    result = _Told(told)
    result.startTestRun()
    ByteStreamToStreamResult(source, non_subunit_name="stdout").run(result)
    result.stopTestRun()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Tempest and its workers; first ask, so that tests remove what they made."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
            return


def _said(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PlatformFault(f"tempest: {lines[-1][:300] if lines else done.returncode}")
    return done.stdout
