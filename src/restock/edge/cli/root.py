"""The `restock` command: loads the module of a command only when it runs, and turns every error into a clear line."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import click

from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput, NotFound, RestockError, StorageFull, StorageUnusable
from restock.edge.cli.shell import Shell

PARTLY = 1
"""Exit status when a part of the work could not be done, or of a defect."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

COMPLETION = "_RESTOCK_COMPLETE"
"""The variable by which a shell asks for completions."""


class Entry(NamedTuple):
    """A command before it is loaded: its module in this package, what it does, under which heading it is listed."""

    module: str
    summary: str
    section: str


START, WORK, WHY, DATA, TEXTS, STREAM, RUN, PORTS = (
    "Start",
    "Replenish",
    "Understand",
    "Data",
    "Rules and flows",
    "Stream",
    "Operate",
    "Every operation",
)

COMMANDS = {
    "demo": Entry("demo", "Play a day of customer orders, from order to purchase order.", START),
    "setup": Entry("setup", "Load the demo company without playing it.", START),
    "serve": Entry("serve", "Serve REST, and carry events on.", START),
    "up": Entry("up", "Start every service as a process of its own, and keep it running.", START),
    "down": Entry("up", "Stop the services that `up --detach` started.", START),
    "status": Entry("up", "Show the services that run in this home, and whether they are ready.", START),
    "pipeline": Entry(
        "pipeline", "The published order pipeline: setup, start, orders, analytics, status, stop.", START
    ),
    "load": Entry("load", "Send orders to a running server: made up, the demo's, a real shop's.", START),
    "flow": Entry("replenish", "Replenish products: decide, and order what is needed.", WORK),
    "plan": Entry("replenish", "Propose for the whole catalogue, and say what is skipped and why.", WORK),
    "purchase": Entry("replenish", "Turn proposals into purchase orders, one per supplier.", WORK),
    "explain": Entry("explain", "Say why: of a purchase order, a proposal or a product.", WHY),
    "replay": Entry("replay", "Make stored decisions again, bit for bit; --to lets a group read again.", WHY),
    "metrics": Entry("measure", "Runs, queries, calculations, purchase orders, money, what waits.", WHY),
    "decide": Entry("decide", "Decide JSON lines with a rulebook.", WHY),
    "import": Entry("transfer", "Read products, stock, suppliers, units, demand, orders, a whole shop.", DATA),
    "export": Entry("transfer", "Write what is known to a file.", DATA),
    "rules": Entry("rules", "Check, prove, test and compare rulebooks; bring them into force.", TEXTS),
    "flows": Entry("flows", "Validate, draw, dry-run and profile flows.", TEXTS),
    "topics": Entry("streams", "Topics: partitions, watermarks, records, bytes, the last record.", STREAM),
    "groups": Entry("streams", "Groups of readers: members, what each owns, how far it is.", STREAM),
    "lag": Entry("streams", "What waits, in records and in time: outboxes and groups.", STREAM),
    "tail": Entry("streams", "Print the records of a topic, by key, time and path.", STREAM),
    "trace": Entry("streams", "What an event led to, across all topics.", STREAM),
    "schemas": Entry("schemas", "Schemas of records: list, show, check a change, register.", STREAM),
    "config": Entry("measure", "Every setting, its value and where it is from.", RUN),
    "migrate": Entry("setup", "Make or update the tables of every database.", RUN),
    "backup": Entry("stores", "Copy all stores as of one moment.", RUN),
    "restore": Entry("stores", "Put a backup in the place of the stores.", RUN),
    "stream": Entry("stream_move", "Move topics and positions between the embedded log and Kafka.", RUN),
    "completion": Entry("completion", "Print the completion script of a shell.", RUN),
    "operations": Entry("operations", "List every operation.", PORTS),
    "orders": Entry("operations", "Customer orders and demand.", PORTS),
    "inventory": Entry("operations", "Products, stock, backorders.", PORTS),
    "suppliers": Entry("operations", "Supplier terms.", PORTS),
    "units": Entry("operations", "Unit conversions.", PORTS),
    "decisions": Entry("operations", "Decisions and rulebooks.", PORTS),
    "purchasing": Entry("operations", "Purchase orders.", PORTS),
    "replenishment": Entry("operations", "Flows, plans, proposals, runs.", PORTS),
    "analytics": Entry("analytics", "Live figures: revenue, customers, products, orders over time.", PORTS),
    "dlq": Entry("operations", "Dead letters: list, replay, discard.", STREAM),
    "streams": Entry("operations", "Topics, groups, lag, records, replay.", PORTS),
}

EPILOG = """\b
Examples:
  restock demo                       the whole loop in a minute
  restock setup demo                 the demo company, not played
  restock flow PROD-001              decide and order one product
  restock explain PO-2026-000001     why it was ordered

\b
Exit status: 0 done, 1 a part failed (or a defect), 2 wrong input or usage,
4 no such thing, 5 conflict, 6 refused, 7 busy (try again later), 8 disk full,
9 store newer, damaged or unreadable, 130 interrupted.

All state is in one folder: RESTOCK_HOME, by default ./var."""


class Root(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = importlib.import_module(f"restock.edge.cli.{entry.module}").command(cmd_name)
        assert found is None or isinstance(found, click.Command)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # Any: as click declares it
        """Find a command; the nearest name for one that is not there."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section, without loading any."""
        width = max(map(len, COMMANDS))
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(f"{name:<{width}}", entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:  # Any: as click declares it
        """Run a command; every way it can end has an exit status and at most two lines."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except RestockError as error:
            ctx.exit(_told(error))
        except (KeyboardInterrupt, click.Abort):
            click.echo("Interrupted; nothing half done is left.", err=True)
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if error.errno != errno.EPIPE:
                ctx.exit(_of_system(error, ctx))
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered has no reader
            ctx.exit(0)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            ctx.exit(_defect(error, ctx))
        return result


def _told(error: RestockError) -> int:
    click.echo(f"restock: {error}", err=True)
    return error.exit_code


def _of_system(error: OSError, ctx: click.Context) -> int:
    place = str(error.filename or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _told(StorageFull("The disk is full.", field=place, remedy="Free space; nothing acknowledged was lost."))
    if error.errno == errno.ENOENT:
        return _told(NotFound("There is no such file or folder.", field=place))
    if error.errno == errno.EISDIR:
        return _told(InvalidInput("This is a folder, not a file.", field=place, remedy="Name a file."))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        reason = f"{error.strerror}."
        return _told(StorageUnusable(reason, field=place, remedy="Check the path and its permissions."))
    return _defect(error, ctx)


def _defect(error: Exception, ctx: click.Context) -> int:
    """Tell of what nobody foresaw in one line; the details go to a file."""
    text = "".join(traceback.format_exception(error))
    shell = ctx.find_root().obj
    folder = shell.home if shell is not None else Path()
    moment = SystemClock().now().strftime("%Y%m%dT%H%M%S")
    path = folder / f"crash-{moment}-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with click.open_file(str(path), "w", encoding="utf-8") as file:
            file.write(text)
        place = f"The details are in {path}"
    except OSError:
        place = f"{path} cannot be written; it happened at {traceback.extract_tb(error.__traceback__)[-1]}"
    words = " ".join(str(error).split())[:200]
    click.echo(f"restock: this is a defect: {type(error).__name__}: {words}. {place}", err=True)
    return PARTLY


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"restock {ctx.obj.version}")
        ctx.exit()


@click.command(
    cls=Root,
    epilog=EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=True), help="The folder of all state, instead of RESTOCK_HOME."
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and end."
)
@click.pass_context
def root(ctx: click.Context, home: Path | None) -> None:
    """Turn customer orders into the right purchase orders, and say why."""
    if home is not None:
        shell: Shell = ctx.obj
        ctx.obj = shell.at(home)
