"""`restock schemas`: what the registry of the home keeps, what a schema would break, and a new version."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from restock.core.errors import InvalidInput, NotFound
from restock.edge.cli.output import Column, echo_json, note, pairs, table
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running
from restock.engine.stream.registry import AVRO, KINDS, Given, Registry, Version
from restock.engine.stream.registry.model import DIRECTIONS, Incompatible, SubjectUnknown

STDIN = "-"

_kind = click.option(
    "--type",
    "kind",
    type=click.Choice(KINDS, case_sensitive=False),
    default=AVRO,
    help="What FILE is; by default AVRO.",
)


@click.group(
    epilog="""\b
Examples:
  restock schemas list
  restock schemas show orders-value
  restock schemas check returns-value return.avsc
  restock schemas register returns-value return.avsc

The same registry answers under /schemas of a server, in the form of Confluent's.
The schema of the values of a topic has the subject TOPIC-value."""
)
def schemas() -> None:
    """Look at schemas, try a change, register one."""


def _shown(one: Version) -> dict[str, object]:
    refers = [{"name": r.name, "subject": r.subject, "version": r.version} for r in one.schema.references]
    return {
        "subject": one.subject,
        "version": one.version,
        "id": one.schema.id,
        "type": one.schema.kind,
        "references": refers,
        "schema": one.schema.text,
    }


@schemas.command(
    "list",
    epilog="""\b
Examples:
  restock schemas list
  restock schemas list --json | jq '.[] | select(.mode == "NONE") | .subject'""",
)
@as_json
@click.pass_obj
def list_command(shell: Shell, as_json: bool) -> None:
    """List subjects: versions, the number of the newest schema, how it may change."""

    async def task(app: Running) -> list[dict[str, object]]:
        return [await _subject(app.registry, name) for name in await app.registry.subjects()]

    found = work(shell, task)
    if as_json:
        echo_json(found)
        return
    columns = [Column("subject"), *(Column(name, number=True) for name in ("versions", "newest", "id"))]
    columns += [Column("type"), Column("mode")]
    rows = [[one[name] for name in ("subject", "versions", "newest", "id", "type", "mode")] for one in found]
    click.echo(table(columns, rows) if rows else "No schema is registered yet.")


async def _subject(registry: Registry, name: str) -> dict[str, object]:
    versions = await registry.versions(name)
    last = versions[-1]
    return {
        "subject": name,
        "versions": len(versions),
        "newest": last.version,
        "id": last.schema.id,
        "type": last.schema.kind,
        "mode": await registry.mode(name, inherited=True),
    }


@schemas.command(
    "versions",
    epilog="""\b
Examples:
  restock schemas versions orders-value
  restock schemas versions orders-value --json | jq '.[-1].id'""",
)
@click.argument("subject")
@as_json
@click.pass_obj
def versions_command(shell: Shell, subject: str, as_json: bool) -> None:
    """List the versions of a SUBJECT, oldest first."""

    async def task(app: Running) -> list[Version]:
        return await app.registry.versions(subject)

    found = [_shown(one) for one in work(shell, task)]
    if as_json:
        echo_json(found)
        return
    columns = [Column("version", number=True), Column("id", number=True), Column("type"), Column("schema", cut=True)]
    click.echo(table(columns, [[one[name] for name in ("version", "id", "type", "schema")] for one in found]))


@schemas.command(
    "show",
    epilog="""\b
Examples:
  restock schemas show orders-value
  restock schemas show orders-value --version 1
  restock schemas show --id 1
  restock schemas show orders-value --json | jq -r .schema > orders.avsc

A framed record names its schema by --id: a zero byte, then four bytes.""",
)
@click.argument("subject", required=False, default="")
@click.option("--version", "version", default="latest", help="The version, or latest.")
@click.option("--id", "number", type=click.IntRange(1), help="The number of a schema, instead of a SUBJECT.")
@as_json
@click.pass_obj
def show_command(shell: Shell, subject: str, version: str, number: int | None, as_json: bool) -> None:
    """Print a schema: of a SUBJECT, or by its number."""
    if bool(subject) == (number is not None):
        raise InvalidInput("Give a SUBJECT or --id.", field="SUBJECT")

    async def task(app: Running) -> Version:
        if number is None:
            return await app.registry.version(subject, version)
        places = await app.registry.places(number)
        return Version(*(places[-1] if places else ("", 0)), not places, await app.registry.schema(number))

    one = _shown(work(shell, task))
    if as_json:
        echo_json(one)
        return
    click.echo(pairs([(name, one[name]) for name in ("subject", "version", "id", "type")]))
    click.echo("\n" + _laid_out(str(one["schema"])))


def _laid_out(text: str) -> str:
    try:
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return text


@schemas.command(
    "check",
    epilog="""\b
Examples:
  restock schemas check returns-value return.avsc
  restock schemas check returns-value return.avsc --version latest
  restock schemas check tickets-value ticket.json --type json --json

Asks of the versions that the mode of the subject names, or of one --version.
Registers nothing. Exit status 0 when it could follow, 5 when not.""",
)
@click.argument("subject")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_kind
@click.option("--version", "version", default="", help="Compare with this version alone, or latest.")
@as_json
@click.pass_context
def check_command(ctx: click.Context, subject: str, file: Path, kind: str, version: str, as_json: bool) -> None:
    """Say whether the schema in FILE could be the next version of a SUBJECT, and if not, where."""
    given = Given(_text(file), kind.upper())

    async def task(app: Running) -> tuple[str, list[str]]:
        problems = await app.registry.test(subject, version, given)
        return await app.registry.mode(subject, inherited=True), problems

    mode, problems = work(ctx.obj, task)
    if as_json:
        echo_json({"subject": subject, "mode": mode, "compatible": not problems, "problems": problems})
    elif problems:
        click.echo(f"It may not follow in {subject} ({mode}):")
        click.echo("\n".join(f"  {one}" for one in problems))
    else:
        click.echo(f"It may follow in {subject} ({mode}).")
    if problems:
        ctx.exit(Incompatible.exit_code)


@schemas.command(
    "register",
    epilog="""\b
Examples:
  restock schemas register returns-value return.avsc
  restock schemas register tickets-value ticket.json --type json --json | jq .id

A schema that the subject holds already keeps its number and version.""",
)
@click.argument("subject")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_kind
@as_json
@click.pass_obj
def register_command(shell: Shell, subject: str, file: Path, kind: str, as_json: bool) -> None:
    """Make the schema in FILE the next version of a SUBJECT; refused where readers could not follow."""
    given = Given(_text(file), kind.upper())

    async def task(app: Running) -> Version:
        await app.registry.register(subject, given)
        return await app.registry.lookup(subject, given)

    one = work(shell, task)
    if as_json:
        echo_json({"subject": one.subject, "version": one.version, "id": one.schema.id})
        return
    click.echo(f"{one.subject} version {one.version} has the number {one.schema.id}.")


@schemas.command(
    "mode",
    epilog="""\b
Examples:
  restock schemas mode
  restock schemas mode returns-value FULL
  restock schemas mode --json | jq -r .mode""",
)
@click.argument("subject", required=False, default="")
@click.argument("mode", required=False, default="", metavar=f"[{'|'.join(DIRECTIONS)}]")
@as_json
@click.pass_obj
def mode_command(shell: Shell, subject: str, mode: str, as_json: bool) -> None:
    """Say how the schemas of a SUBJECT may change, of all without one; with a mode, set it."""

    async def task(app: Running) -> str:
        if mode:
            if subject not in await app.registry.subjects():
                raise SubjectUnknown(f"There is no subject {subject}.", remedy="Register a schema first.")
            await app.registry.set_mode(mode, subject)
        return await app.registry.mode(subject, inherited=True)

    holds = work(shell, task)
    if as_json:
        echo_json({"subject": subject, "mode": holds})
        return
    click.echo(f"{subject}: {holds}" if subject else holds)
    if not subject:
        note("It holds for subjects without a mode of their own.")


def _text(file: Path) -> str:
    """Read a schema. Raises NotFound, InvalidInput."""
    try:
        if str(file) == STDIN:
            return sys.stdin.read()
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.", field="FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", field="FILE") from None


def command(_name: str) -> click.Command:
    """Give the command."""
    return schemas
