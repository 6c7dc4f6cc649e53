"""`restock decide`: facts in as JSON lines, decisions out as JSON lines, one for one and in order.

A line that cannot be decided gives an error object in its place and the exit status 1; the others go on. Input is taken as
it comes, so the command also answers a program that waits for each line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, cast

import click
import msgspec

from restock.core.errors import InvalidInput, RestockError
from restock.edge.cli.decide_facts import ALL_ENGINES, Made, Way, no_query, way_of, way_to_ask
from restock.edge.cli.decide_file import decide_catalogue, is_catalogue
from restock.edge.cli.output import Progress, counted, note
from restock.edge.cli.root import PARTLY
from restock.edge.cli.shell import Shell
from restock.edge.members import refuse_twice
from restock.edge.wire import number_text
from restock.engine.rules import Decision, FactRulebook, Field, Rulebook, load
from restock.engine.rules.errors import meant, nearest
from restock.engine.rules.fact_rulebook import AGENDA, NETWORK
from restock.engine.rules.loading import JSON, scalar

MAX_LINE = 1 << 20
"""Bytes of one line: a thousand facts fit; a longer line is passed over without being kept in memory."""

CHUNK = 1 << 16
"""Bytes taken at once: small enough that a waiting program is answered at once, large enough to be quick."""

MAX_TOLD = 100
"""Unknown facts that are looked at: enough for a slip, a bound for lines with names of their own."""

BOM = b"\xef\xbb\xbf"

GRL = ".grl"
"""How files of rules end; rules in JSON have an end of their own."""


class Chunks(Protocol):
    """A stream of bytes that gives what there is."""

    def read1(self, size: int, /) -> bytes:
        """Give at most so many bytes, waiting only while there are none."""
        ...


class Decider:
    """Decides lines in one way with one rulebook; `inputs` are the facts that its rules have names for."""

    def __init__(self, name: str, version: str, way: Way, inputs: Sequence[Field], types: Sequence[str] = ()) -> None:
        self._name = name
        self._way = way
        self._read = msgspec.json.Decoder(float_hook=Decimal).decode
        self._write = msgspec.json.Encoder(decimal_format="number").encode
        self._names: dict[tuple[str, ...], bytes] = {}
        about = {"rulebook": name.removesuffix(GRL), "version": version, "engine": way.engine}
        self._end = b"," + msgspec.json.encode(about)[1:] + b"\n"
        self._known = frozenset([*(one.name for one in inputs), *types])
        self._missed = [*(one.name for one in inputs if one.optional), *types]
        self._told: set[str] = set()
        self.lines = 0
        self.errors = 0

    def answers(self, lines: Sequence[bytes | None]) -> bytes:
        """Decide lines together; None stands for a line that was too long."""
        read = [self._facts(line) for line in lines]
        facts = [one for one in read if not isinstance(one, RestockError)]
        decided = iter(self._way.decide_many(facts))
        written = []
        for one in read:
            self.lines += 1
            made = one if isinstance(one, RestockError) else next(decided)
            written.append(self._refused(made) if isinstance(made, RestockError) else self._decided(made))
        return b"".join(written)

    def _facts(self, line: bytes | None) -> dict[str, Any] | RestockError:  # Any: what JSON holds
        if line is None:
            return InvalidInput(f"The line is longer than {MAX_LINE} bytes.", remedy="Shorten it.")
        try:
            facts = self._read(line)
            refuse_twice(line)
        except InvalidInput as error:
            return error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
            what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not JSON: {error}"
            return InvalidInput(f"The line is {what}.", remedy="Give one JSON object a line, in UTF-8.")
        if type(facts) is not dict:
            return InvalidInput("The line is not a JSON object.", remedy='Write {"name": value, …}.')
        if not facts.keys() <= self._known:
            self._warn(facts)
        return facts

    def _warn(self, facts: dict[str, Any]) -> None:  # Any: what JSON holds
        """Say once of each unknown fact that it was probably meant for an input that now gets its default."""
        for name in facts.keys() - self._known - self._told:
            numbered = name.rstrip("0123456789") in self._known  # Order1, Order2: facts of the type Order
            if len(self._told) < MAX_TOLD and not numbered:
                self._told.add(name)
                meant = nearest(name, (one for one in self._missed if one not in facts))
                if meant:
                    note(f"{name[:64]!r} is not read by {self._name}; did you mean '{meant}'?")

    def _decided(self, made: Decision | Made) -> bytes:
        names = self._names.get(made.fired)
        if names is None:
            names = b',"fired":' + self._write(made.fired) + b',"facts":'
            if len(self._names) < MAX_LINE:
                self._names[made.fired] = names
        answer = made.answer if isinstance(made, Made) else None
        said = b"" if answer is None else b"," + self._plain(answer)[1:-1]
        return b'{"outputs":' + self._plain(made.outputs) + names + self._plain(made.facts) + said + self._end

    def _plain(self, values: Mapping[str, Any]) -> bytes:
        """Encode; a number that would get an exponent is written out."""
        text = self._write(values)
        if b"E" not in text or (b"E-" not in text and b"E+" not in text):
            return text
        return self._write({name: _raw(value) for name, value in values.items()})

    def _refused(self, error: RestockError) -> bytes:
        self.errors += 1
        return self._write({"error": error.problem(), "line": self.lines}) + b"\n"


def _raw(value: Any) -> Any:  # Any: values of rules on their way to JSON
    if isinstance(value, list):
        return [{name: _raw(inner) for name, inner in fact.items()} for fact in value]
    return msgspec.Raw(number_text(value).encode()) if isinstance(value, Decimal) else value


def decider(book: Rulebook | FactRulebook, engine: str | None, module: str, query: str = "") -> Decider:
    """Give what decides lines with a rulebook. Raises InvalidInput for an engine, module or query that it does not have."""
    if query and (engine or module):
        raise InvalidInput("A query is answered backwards.", field="query", remedy="Leave --engine and --module out.")
    if isinstance(book, FactRulebook):
        way = way_to_ask(book, query) if query else way_of(book, book, engine, module)
        return Decider(book.name, book.version, way, book.inputs, [one.name for one in book.program.types])
    if query:
        raise no_query(book.name, query, [])
    if module not in ("", *book.modules):
        raise InvalidInput(f"{book.name} has no module {module!r}.", field="module", remedy=meant(module, book.modules))
    if engine in (AGENDA, NETWORK):
        way = way_of(book, FactRulebook.parse(book.text, book.name), engine, module)
    else:
        plan = book.plan(module=module)
        chosen = engine or plan.one
        reason = plan.reasons[chosen]
        if reason:
            raise InvalidInput(f"The {chosen} engine cannot run {book.name}: {reason}.", remedy="Leave --engine out.")
        way = Way(chosen, partial(book.decide_many, engine=chosen, module=module))
    return Decider(book.name, book.version, way, book.inputs)


def lines_of(stream: Chunks) -> Iterator[list[bytes | None]]:
    """Give what lines there are, as they come, without line ends and without empty ones; None for one too long."""
    rest, too_long, first = b"", False, True
    while chunk := stream.read1(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            found: list[bytes | None] = [None if len(line) > MAX_LINE else line for line in whole]
            if too_long:
                found[0], too_long = None, False
            if first and found[0] is not None:
                found[0], first = found[0].removeprefix(BOM), False
            yield [line for line in found if line is None or line.strip()]
        if len(rest) > MAX_LINE:
            rest, too_long = b"", True
    if too_long or rest.strip():
        yield [None if too_long else rest.removeprefix(BOM) if first else rest]


@click.command(
    epilog="""\b
Examples:
  restock decide --rulebook purchasing --facts facts.jsonl
  echo '{"avg_daily_demand": 15.5, "lead_time_days": 7, "available_qty": 20,
         "moq": 20, "unit_price": 15.99, "is_active": true}' |
    tr -d '\\n' | restock decide --rulebook published
  restock decide --rulebook ./mine.grl --engine reference < facts.jsonl
  restock decide --rulebook purchasing --facts all.parquet --out decided.parquet

Each line of output is {"outputs": {…}, "fired": [rules], "facts": {…},
"rulebook": …, "version": …, "engine": …}, or {"error": {…}, "line": n} in its
place. Exit status 1 when any line was refused. Optional facts may be left out.

Rules over facts take documents: flat fields by name, and facts by type as lists:
{"Supplier": [{"id": "S1"}], "Line": [{"supplier": "S1", "value": 250}]}. With --query
a line is answered: proved, solutions, the inputs that are missing.

With --out a whole file is decided: its columns, the outputs (amounts as decimals),
fired and error, a row for each row; an empty cell is an absent fact. Columns do that
at once where they run the rules; another engine takes the rows in batches."""
)
@click.option(
    "--rulebook", "name", required=True, help="A name of the library, or a file: a path with /, .grl or .json."
)
@click.option("--facts", default="-", show_default=True, help="JSON lines, - is standard input; .parquet or .csv.")
@click.option("--out", help="The .parquet file for the decisions of a .parquet or .csv file.")
@click.option("--engine", type=click.Choice(ALL_ENGINES), help="By default the quickest that runs the rules.")
@click.option("--module", default="", help="Only the rules of this module, for example LINE or ORDER.")
@click.option("--query", default="", help="Answer this query of rules over facts, instead of deciding.")
@click.option("--json", "_json", is_flag=True, help="JSON lines are what it always writes.")
@click.pass_context
def decide(
    ctx: click.Context, name: str, facts: str, out: str | None, engine: str | None, module: str, query: str, _json: bool
) -> None:
    """Decide JSON lines or a whole file with a rulebook; nothing is stored and no order is made."""
    book = loaded(ctx.obj, name)
    if is_catalogue(facts, out) and out is not None:
        if isinstance(book, FactRulebook):
            raise InvalidInput(f"{name} has rules over facts; give it documents as JSON lines.", field="facts")
        if not decide_catalogue(book, Path(facts), Path(out), engine, module):
            ctx.exit(PARTLY)
        return
    _decide_lines(ctx, decider(book, engine, module, query), facts)


def _decide_lines(ctx: click.Context, decider: Decider, facts: str) -> None:
    out = sys.stdout.buffer
    opened: AbstractContextManager[IO[Any]] = click.open_file(facts, "rb")
    progress = Progress("Deciding", "lines")
    with opened as stream, closing(progress):
        for lines in lines_of(cast("Chunks", stream)):
            out.write(decider.answers(lines))
            out.flush()
            progress.tell(decider.lines)
    if not decider.lines:
        note(f"There are no facts in {'standard input' if facts == '-' else facts}.")
    if decider.errors:
        note(f"{decider.errors} of {counted(decider.lines, 'line')} refused.")
        ctx.exit(PARTLY)


def is_file(name: str) -> bool:
    """Tell a file of rules from a name of the library."""
    return "/" in name or name.endswith((GRL, JSON))


def rulebook_of(shell: Shell, name: str) -> Rulebook:
    """Give the rulebook of a name or a file. Raises RuleError that names the command when it has rules over facts."""
    return scalar(loaded(shell, name), click.get_current_context().command_path)


def loaded(shell: Shell, name: str) -> Rulebook | FactRulebook:
    """Give the rulebook of a name or a file, which may have rules over facts."""
    if not is_file(name):
        return shell.loaded(name)
    path = Path(name)
    return load(shell.rulebook_text(path), path.name)


def command(_name: str) -> click.Command:
    """Give the command."""
    return decide
