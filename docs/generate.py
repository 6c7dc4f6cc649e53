"""Writes the pages of docs/reference from the program itself: `make docs`, or `python docs/generate.py`.

A test (`tests/docs/test_reference.py`) fails when a page is not what this would write.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import click

from restock.app import TOPICS, App, opened
from restock.core import errors
from restock.core.clock import SimulatedClock
from restock.core.ids import Ids
from restock.core.metric import METRICS
from restock.core.operation import Operation
from restock.decisions.library import Library
from restock.edge.cli.root import COMMANDS, EPILOG, root
from restock.edge.demo.company import load
from restock.edge.demo.day import START
from restock.engine.graph.draft import _COMMON, _FIELDS
from restock.engine.graph.published import TYPES
from restock.engine.rules import Field
from restock.engine.rules.beyond import NEVER_CALLED, NEVER_DONE
from restock.engine.rules.parser import ATTRIBUTES, REFUSED_TOP_LEVEL, TOP_LEVEL
from restock.engine.rules.parser_expressions import COMPARISONS, WORD_OPERATORS
from restock.engine.rules.typed import FUNCTIONS
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import PlaceRequest
from restock.purchasing.port import ChangeRequest, OrdersRequest, Receipt, ReceiveRequest
from restock.replenishment.port import FlowBatchRequest, FlowRequest
from restock.services import OPERATIONS, SCHEMAS, SERVICES
from restock.settings import DOTENV, FILE, PREFIX, PUBLISHED, Settings

sys.path.insert(0, str(Path(__file__).parent))  # what lies beside this file, wherever it is loaded from
from reference_layout import code, page, table, words
from reference_schemas import schemas as schemas_page

REFERENCE = Path(__file__).parent / "reference"
SOURCE = Path(errors.__file__).parents[1]
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def operations() -> str:
    """Every operation: command, place under REST, permission, members of its request."""
    rows = [
        (
            code(f"restock {one.port} {one.method.replace('_', '-')}"),
            code(f"{one.verb} {one.path}"),
            one.permission,
            "yes" if one.writes else "",
            one.summary,
        )
        for one in OPERATIONS.values()
    ]
    services = [(code(one.name), one.context, one.database, one.rest_port) for one in SERVICES]
    return page(
        "Operations",
        "Each operation is declared once in the `port.py` of its context. The command line and REST are derived from it, so"
        " they take the same members and give the same replies; under REST a list comes in pages, as `items` and `next`."
        " `restock operations` prints this list.",
        table(["command", "REST", "permission", "writes", "what it does"], rows),
        "## Requests\n",
        *(_request(one) for one in OPERATIONS.values()),
        "## Names of services\n",
        table(["service", "context", "database", "REST port when it runs alone"], services),
    )


def _request(operation: Operation) -> str:
    hints = get_type_hints(operation.request)
    rows = []
    for name, field in ((one.name.rstrip("_"), one) for one in fields(operation.request)):
        needed = field.default is MISSING and field.default_factory is MISSING
        default = "" if needed or field.default is MISSING else json.dumps(str(field.default))
        rows.append((code(name), code(_type(hints[field.name])), "yes" if needed else "", code(default)))
    body = table(["member", "type", "required", "default"], rows) if rows else "Takes nothing.\n"
    return f"### {operation.name}\n\n{operation.summary}.\n\n{body}"


def _type(hint: object) -> str:
    text = getattr(hint, "__name__", "") if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    return re.sub(r"\b(?:[a-z_]+\.)+([A-Z])", r"\1", text).replace("collections.abc.", "")


def settings() -> str:
    """Every setting with its default and meaning, read from the class."""
    text = (SOURCE / "settings.py").read_text("utf-8")
    meanings = dict(re.findall(r'^    (\w+): [^\n]* = [^\n]*\n    """(.*?)"""', text, re.MULTILINE | re.DOTALL))
    rows = [
        (
            code(one.name),
            ", ".join(code(name) for name in (f"{PREFIX}{one.name.upper()}", *PUBLISHED.get(one.name, ()))),
            code(one.default),
            meanings[one.name],
        )
        for one in fields(Settings)
        if one.name != "db_own"
    ]
    return page(
        "Settings",
        f"A flag wins over the environment, the environment over {code(DOTENV)} in the working folder, that over"
        f" `{FILE}` in the home, and that over the default. `restock config` prints each value and where it is from."
        " Of several names in the environment the first one that is set counts; the names without a prefix are those of"
        " the published system.",
        table(["setting", "environment", "default", "meaning"], rows),
        f"{' '.join(meanings['db_own'].split())} In the environment these are `OMS_DB_HOST` and so on, and `OMS_DB` or"
        f" `OMS_DB_NAME`, each with or without `{PREFIX}` before it.",
    )


def failures() -> str:
    """Every error with its HTTP status and exit code."""
    kinds = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.RestockError) and one is not errors.RestockError
    ]
    rows = [
        (one.__name__, code(one.code), one.status, one.exit_code, (one.__doc__ or "").split("\n")[0]) for one in kinds
    ]
    exits = re.search(r"Exit status: (.*?)\.\n", EPILOG, re.DOTALL)
    assert exits
    listed = [part.partition(" ") for part in re.split(r", (?=\d)", " ".join(exits[1].split()))]
    return page(
        "Errors",
        "Every error says what happened, to which thing, and what to do. Under REST it is a problem document (RFC 9457) with"
        " `type`, `title`, `status`, `detail`, and where they apply `field` and `remedy`; at the command line it is one line"
        " on standard error and an exit status.",
        table(["error", "code", "HTTP", "exit status", "meaning"], rows),
        "## Exit statuses\n",
        table(["status", "meaning"], [(number, meaning) for number, _, meaning in listed]),
    )


async def story(home: Path) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Let everything happen once at the demo company; give the events by topic."""
    clock = SimulatedClock(START)
    async with opened(Settings(home=home, dispatch_process=False), clock, Ids.seeded(clock, 1)) as app:
        await load(app, app.settle)
        await app.replenishment.flow_batch(FlowBatchRequest(["PROD-001", "PROD-002", "PROD-003"]))
        await app.settle()
        await _life(app, clock)
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for topic, partitions in TOPICS.items():
            for partition in range(partitions):
                for record in await app.stream.read(topic, partition, 0, 10_000):
                    found.setdefault(topic, []).append((record.key, json.loads(record.value)))
        return found


async def _life(app: App, clock: SimulatedClock) -> None:
    """Sell until an order needs approval, and take each order through other states."""
    for number, (product, price) in enumerate((("GADGET-B", "99.99"), ("WIDGET-1", "29.99"), ("TOOL-X", "14.99"))):
        clock.advance(timedelta(minutes=number + 1))
        items = [OrderItem(product, Decimal(40), Decimal(price))]
        await app.orders.place(PlaceRequest([NewOrder("cust-alice", items)]))
        await app.settle()
    buying, year = app.purchasing, clock.now().year
    one, two, three, four = (f"PO-{year}-{number:06d}" for number in (1, 2, 3, 4))
    await buying.acknowledge(ChangeRequest(one, "Standard Filters", "order confirmation"))
    await buying.receive(ReceiveRequest(one, [Receipt(1, Decimal(60))], "warehouse", "delivery note 4711"))
    await app.settle()
    await buying.close(ChangeRequest(one, "alice", "the rest will not come"))
    await buying.cancel(ChangeRequest(two, "alice", "ordered elsewhere"))
    await buying.receive(ReceiveRequest(three, [], "warehouse"))
    await buying.reject(ChangeRequest(four, "alice", "too many"))
    await app.settle()
    await app.inventory.put_stock(PutStockRequest([StockCount("GADGET-B", Decimal(30))]))
    await app.settle()
    await app.replenishment.flow(FlowRequest("GADGET-B"))
    waiting = [order for order in await buying.orders(OrdersRequest(limit=100)) if order.state == "pending_approval"]
    await buying.approve(ChangeRequest(waiting[0].po_id, "alice", "season"))
    await app.settle()


def events(found: dict[str, list[tuple[str, dict[str, Any]]]]) -> str:
    """Topics, keys, types and members, each with an example."""
    parts = []
    for topic, records in found.items():
        parts.append(f"## Topic {topic}\n\n{TOPICS[topic]} partitions, chosen by murmur2 of the key.\n")
        for kind in sorted({record["type"] for _, record in records}):
            same = [record for _, record in records if record["type"] == kind]
            members: dict[str, set[str]] = {}
            for record in same:
                for name, value in record["data"].items():
                    members.setdefault(name, set()).add(_json_type(value))
            rows = [(code(name), " or ".join(sorted(types))) for name, types in sorted(members.items())]
            example = min((_scrubbed(record) for record in same), key=lambda text: (text.count("\n"), text))
            parts.append(f"### {kind}\n\n{table(['member of data', 'type'], rows)}\n```json\n{example}\n```\n")
    return page(
        "Events",
        "A fact on a topic, in the past tense. The value of a record is one flat JSON object, or"
        " the same in Avro ([schemas](schemas.md)); numbers are exact decimals"
        " without exponents. `key` decides the partition, so the events of one thing stay in order. `event_id` makes an"
        " effect happen once, `causation_id` leads back to the event that was the reason. The examples come from a run of"
        " the demo company; `…` stands for an identifier.",
        *parts,
    )


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "bool"), (str, "text"), (list, "list"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "number"


def _scrubbed(record: dict[str, Any]) -> str:
    return IDENTIFIER.sub("…", json.dumps(record, indent=2, ensure_ascii=False))


def metrics() -> str:
    """The names under /metrics."""
    rows = []
    for one in METRICS.values():
        labels = [*one.labels, "le"] if one.kind == "histogram" else one.labels
        rows.append((code(one.name), one.kind, one.signal, ", ".join(map(code, labels)), one.told))
    return page(
        "Metrics",
        "`GET /metrics` gives them in the text format of Prometheus. A metric of a part that is absent (a pool, a"
        " breaker) has no samples. The signal says what it is looked at for; [the runbook](../how-to/runbook.md) what to do"
        " when one of them is wrong.",
        table(["name", "type", "signal", "labels", "meaning"], rows),
    )


def commands() -> str:
    """The help of every command."""
    parts = []
    for name, entry in COMMANDS.items():
        command = root.get_command(click.Context(root), name)
        if command is not None:
            parts.append(f"## restock {name}\n\n{entry.summary}\n")
            parts += _helped(command, f"restock {name}")
    return page("Command line", "`restock COMMAND --help` prints the same.", *parts)


def _helped(command: click.Command, name: str) -> list[str]:
    # As the root sets them: a command remembers the help option it was first asked for.
    context = click.Context(
        command, info_name=name, terminal_width=100, max_content_width=100, help_option_names=["-h", "--help"]
    )
    found = [f"```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            inner = command.get_command(context, sub)
            assert inner is not None
            found += [f"### {name} {sub}\n", *_helped(inner, f"{name} {sub}")]
    return found


async def tables(home: Path) -> str:
    """Databases, tables and columns, as the migrations make them."""
    async with opened(Settings(home=home, dispatch_process=False)):
        pass
    parts = []
    for name, schemas in SCHEMAS.items():
        contexts = ", ".join(schema.context for schema in schemas)
        parts.append(f"## {name}\n\nOf {contexts}; embedded as `stores/{name}.db`.\n")
        connection = sqlite3.connect(home / "stores" / f"{name}.db")
        try:
            names = [
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
            ]
            for each in names:
                if each.endswith("_schema_version") or each.startswith("sqlite_"):
                    continue
                columns = connection.execute(f'PRAGMA table_info("{each}")').fetchall()
                rows = [(code(c[1]), c[2].lower(), "" if c[3] else "yes", c[5] or "") for c in columns]
                parts.append(f"### {name}.{each}\n\n" + table(["column", "type", "may be null", "key"], rows))
        finally:
            connection.close()
    return page(
        "Tables",
        "Each context owns its database; none reads another's. Quantities, rates and money are whole numbers scaled by a"
        " fixed power of ten ([why](../decisions/0011-store-scaled-integers.md)), moments are RFC 3339 texts in UTC. Beside"
        " these, a table `<context>_schema_version` holds the revision of each context.",
        *parts,
    )


def rulebooks() -> str:
    """The rulebooks that come with the program."""
    library = Library()
    parts = []
    for name in library.names():
        book = library.rulebook(name)
        rows = [(one.salience, code(one.name), one.module, one.description) for one in book.rules]
        parts += [
            f"## {name}\n\n{book.summary()}.\n",
            table(["rank", "rule", "module", "description"], rows),
            f"### Inputs of {name}\n\n" + table(["name", "kind", "default", "range"], map(_field, book.inputs)),
            f"### Outputs of {name}\n\n" + table(["name", "kind", "default", "range"], map(_field, book.outputs)),
        ]
    return page(
        "Rulebooks",
        "`purchasing` is what the flow uses. `published` is the published rulebook as it was published: it gives"
        " fractions and serves as a case of conformance."
        " A file of the same name in `rulebooks` of the home takes the place of either, and a version that was activated"
        " ([how](../how-to/change-a-threshold.md)) the place of every file.",
        *parts,
    )


def _field(one: Field) -> tuple[str, str, str, str]:
    default = "computed" if one.derived is not None else "" if one.default is None else str(one.default).lower() or '""'
    span = f"{one.low:f} to {one.high:f}" if one.low is not None and one.high is not None else ", ".join(one.values)
    return code(one.name), one.kind, code(default), span


def grammar() -> str:
    """What the rule language and flow files accept, and what they refuse by name."""
    text = (REFERENCE.parent / "grammar.txt").read_text("utf-8")
    rules, flows = text.split("\n----\n")
    refused = REFUSED_TOP_LEVEL | NEVER_DONE | NEVER_CALLED
    return page(
        "Grammar",
        "Two text formats: rulebooks (GRL) and flow files (YAML or JSON).",
        f"## Rulebooks\n\n```text\n{rules.strip()}\n```\n",
        table(
            ["words", "which"],
            [
                ("declarations", words(TOP_LEVEL)),
                ("attributes of a rule", words(ATTRIBUTES)),
                ("comparisons", words([*sorted(COMPARISONS), *WORD_OPERATORS])),
                ("functions", words(FUNCTIONS)),
            ],
        ),
        "### Refused by name\n",
        table(["word", "answer"], [(code(name), answer) for name, answer in refused.items()]),
        f"## Flow files\n\n```text\n{flows.strip()}\n```\n",
        table(["node type", "its own keys"], [(code(kind), words(names)) for kind, names in _FIELDS.items()]),
        f"Every node also takes {words(_COMMON)}.\n",
        f"The published form is read too: node types {words(TYPES)}."
        " A `DBNode` and an `AINode` are refused with the reason.\n",
    )


async def pages() -> dict[str, str]:
    """Give every page by its name."""
    made: dict[str, Callable[[], str]] = {
        "operations": operations,
        "settings": settings,
        "errors": failures,
        "cli": commands,
        "rulebooks": rulebooks,
        "grammar": grammar,
        "schemas": schemas_page,
        "metrics": metrics,
    }
    found = {name: make() for name, make in made.items()}
    with tempfile.TemporaryDirectory() as folder:
        found["events"] = events(await story(Path(folder) / "story"))
        found["tables"] = await tables(Path(folder) / "tables")
    return {f"{name}.md": text for name, text in found.items()}


def main() -> None:
    """Write the pages that changed."""
    os.environ.pop(f"{PREFIX}HOME", None)
    for name, text in asyncio.run(pages()).items():
        path = REFERENCE / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(REFERENCE.parents[1])} changed.\n")


if __name__ == "__main__":
    main()
