"""A run: every platform side by side, then the verdicts, the page and the matrix."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from guidelines.catalog import load_guideline, load_waivers
from harness.allure_folder import build_of, tell_verdict
from harness.config import read_platforms
from harness.events import Events
from harness.keys import run_key
from harness.mask import Masker
from harness.outcome import catalogue, program_for, settle, write_page
from harness.platform_run import SELECTED, PlatformRun
from harness.progress import Progress
from harness.run_spec import RunSpec
from harness.standing import Standing
from harness.subjects import WAIVERS
from provisioner.budget import shown
from provisioner.driver import Description
from provisioner.errors import COULD_NOT_TELL, PlatformError
from provisioner.platform import PlatformConfig, open_driver
from provisioner.waiting import Cancel
from reports.matrix import matrix
from reports.read import read_result, read_verdict
from reports.result import Result
from reports.terminal import checks as check_table
from reports.terminal import nowhere
from reports.terminal import verdicts as verdict_table
from reports.verdict import VerdictDocument

EXIT = {"compliant": 0, "not-compliant": 1, "inconclusive": 3}


class Run:
    """One run in its folder. ``execute`` returns the exit code."""

    def __init__(
        self, spec: RunSpec, folder: Path, console: Console, *, resumed: bool = False
    ) -> None:
        self.spec = spec
        self.folder = folder.resolve()
        self.console = console
        self.resumed = resumed
        self.cancel = Cancel()
        self.interrupts = 0
        self.guideline = load_guideline(spec.guideline)
        self.platforms = read_platforms(spec.files, spec.platforms)
        self.waivers = load_waivers(spec.waivers) if spec.waivers else ()

    def execute(self) -> int:
        """Do the whole run.

        Bad input of any kind raises before anything is created. An error of one platform never
        stops the others.
        """
        configs = {name: self.platforms.get(name) for name in self.spec.platforms}
        todo = {name: config for name, config in configs.items() if not self._ended(name)}
        self.folder.mkdir(parents=True, exist_ok=self.resumed)
        key = run_key(self.folder)
        masker = Masker([*self.platforms.secrets, key.read_text(encoding="utf-8")])
        progress = Progress(self.console, tuple(configs))
        events = Events(self.folder / "events.jsonl", masker, (progress,))
        with ExitStack() as stack:
            try:
                runs = [self._prepared(config, key, events, stack) for config in todo.values()]
            except Exception:
                if not self.resumed:
                    shutil.rmtree(self.folder)  # nothing was created; leave no half a run
                raise
            for name in todo:
                self._set_aside(self.folder / name)
            self._keep_orders()
            self.console.print(
                f"run {self.spec.id}: {', '.join(configs)} against {self.guideline.id},"
                f" workload {self.spec.workload}, seed {self.spec.seed}",
                highlight=False,
            )
            with self._interruptible(), self._within_budget(runs), progress:
                self._side_by_side(runs)
        return self._tell(list(configs))

    def _ended(self, name: str) -> bool:
        """Whether a platform came to its end before; what was stopped on the way goes on."""
        if not (self.folder / name / "result.json").exists():
            return False
        result = read_result(self.folder / name)
        return result.complete or result.incomplete == SELECTED

    def _set_aside(self, folder: Path) -> None:
        """Documents of a platform that was stopped keep their content, under another name."""
        number = 1 + sum(1 for _ in folder.glob("stopped-*.result.json"))
        for name in ("result.json", "verdict.json", "junit.xml"):
            if (folder / name).exists():
                (folder / name).rename(folder / f"stopped-{number}.{name}")

    def _keep_orders(self) -> None:
        """Write down what the run is to do, and keep the waivers as they are now."""
        copy = self.folder / WAIVERS
        if self.spec.waivers is not None and not copy.exists():
            shutil.copyfile(self.spec.waivers, copy)
            self.spec = self.spec.model_copy(update={"waivers": copy})
        self.spec.save(self.folder)

    def _prepared(
        self, config: PlatformConfig, key: Path, events: Events, stack: ExitStack
    ) -> PlatformRun:
        """One platform, opened and planned for; one that does not answer gets its say later."""
        unreachable: PlatformError | None = None
        standing: Standing | None = None
        description = Description(platform=config.name, kind=config.kind)
        driver = open_driver(config)
        stack.callback(driver.close)
        try:
            description = driver.describe()
            standing = Standing.plan(
                self.spec,
                config,
                driver,
                description,
                self.folder,
                key,
                events,
                self.cancel,
                list(self.guideline.checks),
            )
            stack.callback(standing.close)
        except COULD_NOT_TELL as error:
            unreachable = error
        program_for(self.guideline, description.features, self.spec.program)
        return PlatformRun(
            spec=self.spec,
            folder=self.folder / config.name,
            config=config,
            description=description,
            standing=standing,
            unreachable=unreachable,
            events=events,
            cancel=self.cancel,
            key=key,
        )

    def _side_by_side(self, runs: list[PlatformRun]) -> None:
        """Every platform in a thread of its own; a bug in one is told, not swallowed."""
        with ThreadPoolExecutor(max_workers=max(1, len(runs))) as pool:
            futures = {run.config.name: pool.submit(self._one, run) for run in runs}
            for name, future in futures.items():
                error = future.exception()
                if error is not None:
                    self._broke_down(name, error)

    def _broke_down(self, name: str, error: BaseException) -> None:
        """Say that a platform's run ended by an error, and what removes its rest.

        A disk that is full keeps the error from being written, not from being told.
        """
        what = "" if isinstance(error, OSError) else "internal error: "
        click.echo(f"{name}: {what}{error}; what was created may still stand, to remove it:\n"
                   f"{self._reap_command()}", err=True)  # fmt: skip
        with suppress(OSError):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            text = "".join(traceback.format_exception(error))
            (self.folder / name / "error.log").write_text(text, encoding="utf-8")

    def _reap_command(self) -> str:
        files = " ".join(f"--platforms {shlex.quote(str(file))}" for file in self.spec.files)
        return f"interop reap --run {shlex.quote(str(self.folder.absolute()))} {files} --yes"

    def _one(self, run: PlatformRun) -> None:
        """One platform, up to its verdict."""
        result = run.execute()
        program = program_for(self.guideline, run.description.features, self.spec.program)
        at = datetime.now(UTC).date()
        verdict = settle(run.folder, result, self.guideline, program, at, self.waivers)
        tell_verdict(
            run.folder / "allure",
            result,
            verdict,
            self.guideline,
            build_of(os.environ),
            missing=not self.spec.select,
        )
        run.events.tell(run.config.name, "phase", "judged", verdict.verdict)

    def _tell(self, names: list[str]) -> int:
        """Write the page, print the matrix, and say where the report is."""
        results: list[Result] = []
        verdicts: dict[str, VerdictDocument] = {}
        for name in names:
            if (self.folder / name / "verdict.json").exists():
                results.append(read_result(self.folder / name))
                verdicts[name] = read_verdict(self.folder / name)
        page = self.folder / "report.html"
        if results:
            write_page(page, results, verdicts, self.guideline, f"Interop run {self.spec.id}")
            states = {name: verdict.states() for name, verdict in verdicts.items()}
            programs = sorted({verdict.program for verdict in verdicts.values()})
            about = catalogue(self.guideline, programs) if not self.spec.select else None
            table = matrix(results, states, about)
            self.console.print(check_table(table))
            if count := nowhere(table):
                self.console.print(f"{count} checks apply to no platform", highlight=False)
            self.console.print()
            self.console.print(verdict_table(verdicts))
            for name, verdict in verdicts.items():
                for note in verdict.on_waivers():
                    self.console.print(f"{name}: {note}", highlight=False, markup=False)
            self.console.print(f"\nreport: {page}", soft_wrap=True, highlight=False)
        lost = [name for name in names if name not in verdicts]
        for name in lost:
            self.console.print(f"{name}: no result; see {self.folder / name}", highlight=False)
        codes = [EXIT[verdict.verdict] for verdict in verdicts.values()]
        if lost:
            codes.append(3)
        return 1 if 1 in codes else max(codes, default=3)

    def _within_budget(self, runs: list[PlatformRun]) -> ExitStack:
        """While this holds, the run is stopped when the time of the workload's budget is over."""
        stack = ExitStack()
        walls = [run.standing.workload.wall_s for run in runs if run.standing is not None]
        bounds = [wall for wall in walls if wall is not None]
        if bounds:

            def stop() -> None:
                text = f"the budget's {shown(min(bounds))} are over"
                self.console.print(f"{text}: taking everything down", highlight=False)
                self.cancel.request(text)

            timer = threading.Timer(min(bounds), stop)
            timer.daemon = True
            timer.start()
            stack.callback(timer.cancel)
        return stack

    def _interruptible(self) -> ExitStack:
        """While this holds, the first interrupt tears down and the second gives the command."""
        stack = ExitStack()

        def interrupt(number: int, frame: FrameType | None) -> None:
            self.cancel.request("interrupted")
            self.interrupts += 1
            if self.interrupts == 1:
                text = "interrupted: taking everything down; once more to stop at once"
                self.console.print(text)
            else:
                print(self._reap_command(), flush=True)  # noqa: T201
                os._exit(130)

        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.signal(number, interrupt)
            stack.callback(signal.signal, number, before)
        return stack
