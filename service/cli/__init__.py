"""The `callstream` command.

Commands are imported when they are named, and what they need when they run, so that `--help` is
quick. Exit status: 0 done, 1 failed, 2 wrong usage or settings; every error is told in one line.
"""

import importlib
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import rich_click as click
from click.exceptions import NoArgsIsHelpError

COMMANDS: Final[Mapping[str, str]] = {
    "run": "service.cli.run:run",
    "service": "service.cli.service:service",
    "worker": "service.cli.worker:worker",
    "tail": "service.cli.tail:tail",
    "status": "service.cli.status:status",
    "backfill": "service.cli.backfill:backfill",
    "reconcile": "service.cli.reconcile:reconcile",
    "accounts": "service.cli.accounts:accounts",
    "dead": "service.cli.dead:dead",
    "forget": "service.cli.forget:forget",
    "doctor": "service.cli.doctor:doctor",
    "subscriptions": "service.cli.subscriptions:subscriptions",
}
"""Where each command is, in the order in which `--help` lists them."""

_CLEAR: Final = frozenset({"service", "jobs", "callstream_client", "redis"})
"""Packages whose errors speak for themselves; of others the kind is told as well."""

FAILED: Final = 1
WRONG_USAGE: Final = 2


class Commands(click.RichGroup):
    """The group of all commands; tells every error in one line instead of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of the name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,  # noqa: ANN401
    ) -> NoReturn:
        """Run the command line and end the process with its exit status."""
        del standalone_mode
        with errors_in_one_line():
            result: object = super().main(
                args,
                prog_name or "callstream",
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        sys.exit(result if isinstance(result, int) else 0)


@contextmanager
def errors_in_one_line() -> Generator[None]:
    """End the process with one line on stderr, or one per wrong setting, for any error."""
    try:
        yield
    except NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        sys.exit(WRONG_USAGE)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(FAILED)
    except BrokenPipeError:
        # The reader of our output has left; at exit Python would complain about the same pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:  # noqa: BLE001 - the outermost edge: a line instead of a traceback
        _fail(*_told(error))


def _told(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and the exit status."""
    from jobs.config.settings import SettingsError

    if isinstance(error, SettingsError):
        return str(error), WRONG_USAGE
    said = " ".join(str(error).split()) or "no further word"
    clear = type(error).__module__.partition(".")[0] in _CLEAR
    return said if clear else f"{type(error).__name__}: {said}", FAILED


def _fail(message: str, status: int) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"callstream: {line}", err=True)
    sys.exit(status)


@click.group("callstream", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="callstream", message="%(prog)s %(version)s")
def main() -> None:
    """HubSpot calls as a stream: ordered, complete and duplicate-free, on Redis.

    Settings come from the environment or from a file .env.
    """
