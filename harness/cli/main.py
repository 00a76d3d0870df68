"""The ``interop`` command: finds the subcommand, and is the one door from error to exit code."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from typing import ClassVar, NoReturn

import click

from guidelines.suggest import nearest

# name -> (module, attribute, one-line help). Modules are imported only when their command runs,
# so that `interop --help` stays fast.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("harness.cli.run", "run_command", "Test platforms against a guideline."),
    "resume": ("harness.cli.run", "resume_command", "Go on with a run that was interrupted."),
    "rerun": ("harness.cli.run", "rerun_command", "Repeat part of a run."),
    "plan": ("harness.cli.workload", "plan_command", "Show what a workload would create."),
    "apply": ("harness.cli.workload", "apply_command", "Stand a workload up."),
    "destroy": ("harness.cli.workload", "destroy_command", "Take a workload down."),
    "explain": ("harness.cli.workload", "explain_command", "Show where a parameter comes from."),
    "reap": ("harness.cli.reap", "reap_command", "Find and remove what dead runs left behind."),
    "platforms": ("harness.cli.platforms", "platforms_command", "List and describe platforms."),
    "guideline": ("harness.cli.guideline", "guideline_command", "Show, lint, diff guidelines."),
    "judge": ("harness.cli.judge", "judge_command", "Judge results against a guideline."),
    "compare": ("harness.cli.compare", "compare_command", "Compare results side by side."),
    "publish": ("harness.cli.publish", "publish_command", "Make a static site of many results."),
    "export": ("harness.cli.export", "export_command", "Write results for other tools."),
    "report": ("harness.cli.report", "report_command", "Write the report page of results."),
    "sign": ("harness.cli.sign", "sign_command", "Sign a result and its verdict."),
    "verify": ("harness.cli.verify", "verify_command", "Say what holds of a signed verdict."),
    "tempest": ("harness.cli.tempest", "tempest_command", "Run OpenStack's own suite."),
    "kubernetes": (
        "harness.cli.kubernetes",
        "kubernetes_command",
        "Look over a submission to its conformance programme.",
    ),
    "lab": ("harness.cli.lab", "lab_command", "Real platforms on this machine."),
}


LONGEST = 4000  # characters of an error's line


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called."""

    table: ClassVar[dict[str, tuple[str, str, str]]] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            near = nearest(cmd_name, self.table)
            hint = f", did you mean {near!r}" if near else ""
            ctx.fail(f"No such command {cmd_name!r}{hint}")
        module, attribute, _ = self.table[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - our own table
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, _, help_) in self.table.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="interop-harness", prog_name="interop")
def cli() -> None:
    """Does the same thing really work the same way on all of your platforms?"""


def main() -> None:
    """Run the command; bad input is one line on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without our signs is no reason to die
    stdout = sys.stdout
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _end_by_pipe()
    except SystemExit as error:
        # click, which replaces the stream, and rich both make it exit code 1
        if sys.stdout is not stdout or isinstance(error.__context__, BrokenPipeError):
            _end_by_pipe()
        raise
    except click.exceptions.Abort:
        click.echo("interop: interrupted", err=True)
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"interop: {_usage(error)}", err=True)
        sys.exit(2)
    except Exception as error:
        line = _one_line(error)
        if line is None:
            raise
        click.echo(f"interop: {line}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _end_by_pipe() -> NoReturn:
    """Nobody reads on: end as other tools do, by the signal; an exit code would be a verdict."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    os._exit(128 + signal.SIGPIPE)  # where the signal is blocked


def _usage(error: click.ClickException) -> str:
    """A wrong command line in one line, with where to read more."""
    told = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{told}; see {context.command_path} --help" if context is not None else told


def _one_line(error: Exception) -> str | None:
    """The line to show for an error that is the input's fault, or None for our own bug."""
    from guidelines.errors import BadDocument, one_line
    from provisioner.errors import PlatformError
    from reports.errors import BadReport

    if isinstance(error, (BadDocument, PlatformError, BadReport)):
        return one_line(str(error), LONGEST)
    if isinstance(error, OSError):
        name = error.filename2 or error.filename  # of a replaced file the name that was asked for
        where = f"{name}: " if name else ""
        return one_line(f"{where}{(error.strerror or str(error)).lower()}", LONGEST)
    return None
