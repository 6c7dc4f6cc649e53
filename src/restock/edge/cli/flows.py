"""`restock flows`: validate, draw, dry-run and profile flows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.edge.cli.output import Column, Progress, counted, echo_json, note, table
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running
from restock.engine.graph import (
    DryStep,
    Flow,
    NodeProfile,
    RunTrace,
    dry_run,
    flow_mermaid,
    flow_svg,
    flow_text,
    profile,
    trace_mermaid,
    trace_svg,
    trace_text,
)
from restock.engine.graph.model import RulebookCall
from restock.replenishment.port import RunsRequest

FORMATS = ("text", "mermaid", "svg")
FLOW_DRAWERS: Mapping[str, Callable[[Flow], str]] = dict(zip(FORMATS, (flow_text, flow_mermaid, flow_svg), strict=True))
RUN_DRAWERS: Mapping[str, Callable[[RunTrace], str]] = dict(
    zip(FORMATS, (trace_text, trace_mermaid, trace_svg), strict=True)
)

RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

PROFILED_RUNS = 1000
"""Newest runs that a profile looks at: enough for a 99th of a hundred, read in a second."""

RUNS_PAGE = 500

MAX_FLOW_BYTES = 1 << 20
"""Largest flow file: a thousand nodes take a tenth of it."""


@click.group(
    epilog="""\b
Examples:
  restock flows validate flow.yaml
  restock flows draw purchasing --format svg --out flow.svg"""
)
def flows() -> None:
    """Validate, draw, dry-run and profile flows."""


@flows.command(
    epilog="""\b
Examples:
  restock flows validate flow.yaml other.json
  restock flows validate purchasing

An error shows file, line and column. Exit status 2 when there is one. A rulebook
that is not in this home is named, and is no error: it may come with the flow."""
)
@click.argument("files", nargs=-1, required=True, metavar="NAME|FILE…")
@as_json
@click.pass_context
def validate(ctx: click.Context, files: Sequence[str], as_json: bool) -> None:
    """Check flow files: nodes, edges, cycles, operations, conditions."""

    async def task(app: Running) -> list[Flow | RestockError]:
        found: list[Flow | RestockError] = []
        for file in files:
            try:
                found.append(app.replenishment.flows.get(file) or _of_file(app, file))
            except RestockError as error:
                found.append(error)
        return found

    results = work(ctx.obj, task)
    known = ctx.obj.rulebooks()
    if as_json:
        echo_json([_judged(file, one, known) for file, one in zip(files, results, strict=True)])
    else:
        for file, one in zip(files, results, strict=True):
            _say(file, one, known)
    wrong = [one for one in results if isinstance(one, RestockError)]
    if wrong:
        ctx.exit(wrong[0].exit_code)


def _judged(file: str, one: Flow | RestockError, known: Sequence[str]) -> dict[str, object]:
    if isinstance(one, RestockError):
        return {"file": file, "ok": False, "error": one.problem()}
    missing = sorted(set(_rulebooks(one).values()) - set(known))
    return {"file": file, "ok": True, "nodes": len(one.nodes), "missing_rulebooks": missing}


def _say(file: str, one: Flow | RestockError, known: Sequence[str]) -> None:
    if isinstance(one, RestockError):
        note(f"restock: {one}")
        return
    size = f"{counted(len(one.nodes), 'node')} in {counted(len(one.layers), 'layer')}"
    click.echo(f"{file}: right. Flow {one.name}, {size}.")
    for node, rulebook in _rulebooks(one).items():
        if rulebook not in known:
            note(f"{file}: {node} asks the rulebook {rulebook}, which is not here. Known: {', '.join(known)}.")


def _rulebooks(flow: Flow) -> dict[str, str]:
    """Give the rulebook that each deciding node asks."""
    return {node.id: node.work.name for node in flow.nodes.values() if isinstance(node.work, RulebookCall)}


@flows.command(
    epilog="""\b
Examples:
  restock flows draw purchasing
  restock flows draw flow.yaml --format mermaid
  restock flows draw 019cae39-f1d8-7004-99c3-565a13ba49fd --format svg --out run.svg"""
)
@click.argument("thing", metavar="NAME|FILE|RUN")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to draw.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
@click.pass_obj
def draw(shell: Shell, thing: str, form: str, out: Path | None) -> None:
    """Draw a flow, or what a run of one did."""

    async def task(app: Running) -> str:
        if RUN.fullmatch(thing):
            return RUN_DRAWERS[form]((await app.replenishment.result(thing)).trace)
        return FLOW_DRAWERS[form](_flow(app, thing))

    picture = work(shell, task)
    if out is None:
        click.echo(picture, nl=False)
        return
    with click.open_file(str(out), "w", encoding="utf-8", atomic=True) as file:
        file.write(picture)
    note(f"Written to {out}.")


@flows.command(
    "dry-run",
    epilog="""\b
Examples:
  restock flows dry-run purchasing PROD-001
  restock flows dry-run flow.yaml PROD-001 --json""",
)
@click.argument("name", metavar="NAME|FILE")
@click.argument("product")
@click.option("--warehouse", default=DEFAULT_WAREHOUSE, show_default=True, help="The warehouse.")
@as_json
@click.pass_obj
def dry(shell: Shell, name: str, product: str, warehouse: str, as_json: bool) -> None:
    """Say what a flow would call for a product, without calling anything."""

    async def task(app: Running) -> list[DryStep]:
        flow = _flow(app, name)
        given = {"product_id": product, "warehouse_id": warehouse}
        return dry_run(flow, {**dict.fromkeys(flow.inputs, ""), **given} if flow.inputs else given)

    steps = work(shell, task)
    if as_json:
        echo_json(steps)
        return
    columns = [
        Column("layer", number=True), Column("node"), Column("runs"), Column("calls"), Column("when", cut=True),
        Column("inputs", cut=True),
    ]  # fmt: skip
    rows = [
        (step.layer + 1, step.node, step.runs, step.calls, step.when,
         ", ".join(f"{key} {value}" for key, value in step.inputs.items()))
        for step in steps
    ]  # fmt: skip
    click.echo(table(columns, rows))


@flows.command(
    "profile",
    epilog="""\b
Examples:
  restock flows profile
  restock flows profile purchasing --json""",
)
@click.argument("name", required=False)
@as_json
@click.pass_obj
def cost(shell: Shell, name: str | None, as_json: bool) -> None:
    """Say what each node of the newest runs cost."""
    found = work(shell, lambda app: _profiled(app, name))
    if as_json:
        echo_json(found)
        return
    columns = [Column("node"), Column("kind"), *(Column(title, number=True) for title in _COST)]
    rows = [
        (one.node, one.kind, f"{one.count:,}", one.failed, f"{one.p50_ms:.3f}", f"{one.p95_ms:.3f}",
         f"{one.total_ms:,.1f}", f"{one.share:.0%}")
        for one in found
    ]  # fmt: skip
    click.echo(table(columns, rows) if rows else "There are no stored runs. restock flow makes some.")


_COST = ("runs", "failed", "p50 ms", "p95 ms", "total ms", "share")


async def _profiled(app: Running, name: str | None) -> list[NodeProfile]:
    if name is not None:
        _flow(app, name)
    traces: list[RunTrace] = []
    progress = Progress("Reading", "runs")
    before = ""
    while len(traces) < PROFILED_RUNS and (page := await app.replenishment.runs(RunsRequest(before, RUNS_PAGE))):
        for summary in page:
            if name is None or summary.flow == name:
                traces += await _trace(app, summary.run_id)
            progress.tell(len(traces), len(traces) / PROFILED_RUNS)
        before = page[-1].run_id
    progress.close()
    return profile(traces)


async def _trace(app: Running, run_id: str) -> list[RunTrace]:
    """Give the trace of a run, or nothing when its flow has changed since."""
    try:
        return [(await app.replenishment.result(run_id)).trace]
    except NotFound:
        return []


def _flow(app: Running, thing: str) -> Flow:
    """Give the flow of a name or a file."""
    if found := app.replenishment.flows.get(thing):
        return found
    if "/" in thing or Path(thing).suffix:
        return _of_file(app, thing)
    known = ", ".join(app.replenishment.flows)
    raise NotFound(f"There is no flow {thing!r}.", field="flow", remedy=f"Known: {known}; a file has a / or an ending.")


def _of_file(app: Running, file: str) -> Flow:
    path = Path(file)
    with click.open_file(file, "rb") as stream:
        text = stream.read(MAX_FLOW_BYTES + 1)
    if len(text) > MAX_FLOW_BYTES:
        raise InvalidInput(f"{file} is larger than {MAX_FLOW_BYTES} bytes.", field=path.name, remedy="Split the flow.")
    return app.replenishment.load(text, path.name)


def command(_name: str) -> click.Command:
    """Give the command."""
    return flows
