"""`restock import` and `restock export`: files in and out, with progress and reports that add up."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import click

from restock.core.errors import NotFound
from restock.edge.cli.output import (
    QUIET_SECONDS,
    REDRAW_SECONDS,
    Column,
    Progress,
    counted,
    echo_json,
    money,
    note,
    table,
)
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json, settled, work
from restock.edge.cli.shell import Shell
from restock.edge.files.exports import KINDS, ExportPorts, export
from restock.edge.files.history_lines import MORE_ORDER_FIELDS, ORDER_FIELDS, Tally, day_after, import_history
from restock.edge.files.report import ImportReport
from restock.edge.files.retail import RetailPorts, RetailReport, import_online_retail
from restock.edge.files.settings import ImportSettings
from restock.edge.files.settings import Progress as Told
from restock.edge.files.tables import (
    import_demand,
    import_products,
    import_stock,
    import_suppliers,
    import_units,
)
from restock.edge.files.tabular import mapping_of
from restock.edge.running import Running
from restock.orders.history import order_line
from restock.orders.port import Recomputed, RecomputeDemandRequest

REJECTS = "rejects"
"""The folder under RESTOCK_HOME that rejects files go to."""

Importer = Callable[[Path, Running, ImportSettings], Awaitable[ImportReport]]

IMPORTERS: dict[str, tuple[Importer, str]] = {
    "products": (
        lambda path, app, how: import_products(path, app.inventory, how),
        "product_id; description, stock_unit, safety_stock",
    ),
    "stock": (
        lambda path, app, how: import_stock(path, app.inventory, how),
        "product_id, on_hand; reserved, warehouse_id",
    ),
    "suppliers": (
        lambda path, app, how: import_suppliers(path, app.suppliers, how),
        "product_id, supplier_id, unit_price, lead_time_days; supplier_name, moq, order_multiple, purchase_unit, "
        "currency, is_active, rank",
    ),
    "units": (lambda path, app, how: import_units(path, app.units, how), "product_id, from_unit, to_unit, factor"),
    "demand": (lambda path, app, how: import_demand(path, app.orders, how), "product_id, demand_per_day; trend"),
}
"""By kind: how it is imported, and its columns, the required ones first."""


@click.group(
    "import",
    epilog="""\b
Examples:
  restock import products products.csv
  restock import orders sales.csv.gz --map StockCode=product_id
  restock import online-retail ../shared/data/online-retail

Files are CSV (also .gz) or Parquet. A line that cannot be accepted goes to a
rejects file with its number and the reason; the others are accepted. The same
file again changes nothing.""",
)
def import_() -> None:
    """Read products, stock, suppliers, units, demand, orders, a whole shop."""


def _importing(kind: str) -> click.Command:
    importer, columns = IMPORTERS[kind]
    wanted, _, optional = columns.partition("; ")

    def run(ctx: click.Context, file: Path, maps: Sequence[str], encoding: str, strict: bool, as_json: bool) -> None:
        mapping = mapping_of(maps, columns.replace(";", ",").split(", "))
        shell: Shell = ctx.obj

        async def task(app: Running) -> ImportReport:
            with Watch() as watch:
                how = ImportSettings(shell.home / REJECTS, app.clock, mapping, encoding, watch.tell)
                return await importer(file, app, how)

        report = work(shell, task, settle=True)
        if as_json:
            echo_json(report)
        else:
            show_reports([report])
        _judge(ctx, [report], strict)

    return click.Command(
        kind,
        params=[click.Argument(["file"], type=click.Path(path_type=Path)), *_options()],
        callback=click.pass_context(run),
        short_help=f"Import {kind}.",
        help=f"Import {kind}. Columns: {wanted}" + (f"; optional: {optional}." if optional else "."),
        epilog=f"\b\nExample:\n  restock import {kind} {kind}.csv",
    )


def _options() -> list[click.Parameter]:
    return [
        click.Option(["--map", "maps"], multiple=True, metavar="COLUMN=FIELD", help="A column of another name."),
        click.Option(["--encoding"], default="utf-8", show_default=True, help="The encoding of the file."),
        click.Option(["--strict"], is_flag=True, help="Exit with status 1 when any line was rejected."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON for machines."),
    ]


for _kind in IMPORTERS:
    import_.add_command(_importing(_kind))


STOCK_DATE = click.option(
    "--stock-date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day demand is computed for; by default the day after the newest line.",
)


@import_.command(
    "orders",
    epilog="""\b
Examples:
  restock import orders sales.csv.gz
  restock import orders 2011-09.csv.gz --map StockCode=product_id --map Quantity=quantity
    --map InvoiceDate=date --map UnitPrice=price --map Invoice=order_id""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "maps", multiple=True, metavar="COLUMN=FIELD", help="A column of another name.")
@click.option("--encoding", default="utf-8", show_default=True, help="The encoding of the file.")
@STOCK_DATE
@click.option("--strict", is_flag=True, help="Exit with status 1 when any line was rejected.")
@as_json
@click.pass_context
def orders(
    ctx: click.Context,
    file: Path,
    maps: Sequence[str],
    encoding: str,
    stock_date: datetime | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Import sales of the past, then compute demand. They reserve nothing.

    Columns: product_id, quantity, date; optional: price, customer_id, order_id.
    """
    shell: Shell = ctx.obj
    mapping = mapping_of(maps, ORDER_FIELDS + MORE_ORDER_FIELDS)

    async def task(app: Running) -> tuple[ImportReport, Recomputed | None]:
        tally = Tally()
        with Watch() as watch:
            how = ImportSettings(shell.home / REJECTS, app.clock, mapping, encoding, watch.tell)
            report = await import_history(file, app.orders, how, ORDER_FIELDS, order_line, tally)
        if not tally.newest:
            return report, None
        counted = stock_date.date() if stock_date else day_after(tally.newest)
        return report, await app.orders.recompute_demand(RecomputeDemandRequest(counted, window_days(shell)))

    report, demand = work(shell, task)
    if as_json:
        echo_json({"report": report, "demand": demand})
    else:
        show_reports([report])
        if demand is not None:
            click.echo(_demand_told(demand))
    _judge(ctx, [report], strict)


def _demand_told(demand: Recomputed) -> str:
    return (
        f"Demand: {counted(demand.products, 'product')} with history, {demand.changed:,} changed, "
        f"{demand.kept_stated:,} kept what was stated."
    )


@import_.command(
    "online-retail",
    epilog="""\b
Example:
  restock import online-retail ../shared/data/online-retail""",
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--stock-date", type=click.DateTime(["%Y-%m-%d"]), help="When stock was counted; by default after the last sale."
)
@click.option("--strict", is_flag=True, help="Exit with status 1 when any line was rejected.")
@as_json
@click.pass_context
def online_retail(ctx: click.Context, folder: Path, stock_date: datetime | None, strict: bool, as_json: bool) -> None:
    """Import the Online Retail data set: months of sales, stock, suppliers, units; then compute demand."""
    shell: Shell = ctx.obj
    counted = stock_date.date() if stock_date else None
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", field="DIR", remedy="Name the folder of the data set.")
    report = work(shell, lambda app: retail_imported(shell, app, folder, counted), settle=True)
    if as_json:
        echo_json(report)
    else:
        show_retail(report)
    _judge(ctx, [report.orders, *report.tables], strict)


async def retail_imported(shell: Shell, app: Running, folder: Path, stock_date: date | None = None) -> RetailReport:
    """Import the shop, telling the progress."""
    ports = RetailPorts(app.orders, app.inventory, app.suppliers, app.units)
    with Watch() as watch:
        how = ImportSettings(shell.home / REJECTS, app.clock, progress=watch.tell)
        return await import_online_retail(
            folder, ports, how, stock_date, window_days(shell), lambda: settled(shell, app)
        )


def window_days(shell: Shell) -> int:
    """Give the days of history that demand is computed from."""
    return next(int(str(one.value)) for one in shell.configuration() if one.name == "demand_window_days")


class Watch:
    """Shows the progress of files, one after the other."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._file = ""
        self._progress = Progress("", "lines")

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()

    def tell(self, told: Told) -> None:
        """Show how far a file is."""
        if told.file != self._file:
            self._progress.close()
            quiet = max(REDRAW_SECONDS, QUIET_SECONDS - (time.monotonic() - self._begun))
            self._file, self._progress = told.file, Progress(told.file, "lines", quiet=quiet)
        self._progress.tell(told.lines, told.done / told.size if told.size else None)


def show_reports(reports: Sequence[ImportReport]) -> None:
    """Print what became of files: lines = accepted + rejected."""
    show_totals(reports)
    for one in reports:
        _show_classes(one)


def show_totals(reports: Sequence[ImportReport]) -> None:
    """Print a row per file."""
    columns = [Column("file"), Column("kind"), *(Column(name, number=True) for name in _FIGURES)]
    rows = [
        (one.file, one.kind, f"{one.lines:,}", f"{sum(one.accepted.values()):,}", f"{sum(one.rejected.values()):,}",
         f"{one.changed:,}", f"{one.lines / one.seconds:,.0f}" if one.seconds else "")
        for one in reports
    ]  # fmt: skip
    click.echo(table(columns, rows))


_FIGURES = ("lines", "accepted", "rejected", "changed", "lines a second")


def _show_classes(report: ImportReport) -> None:
    """Print a report's classes and reasons, with sums where the file has quantities."""
    if report.totals:
        click.echo(f"\n{report.file} by class")
        columns = [Column("class"), *(Column(name, number=True) for name in ("lines", "quantity", "money"))]
        rows = [(name, f"{one.lines:,}", f"{one.quantity:,}", money(one.money)) for name, one in report.totals.items()]
        click.echo(table(columns, rows, "  "))
    elif report.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.rejected.items())
        click.echo(f"{report.file}: rejected {reasons}")
    if report.notes:
        notes = ", ".join(f"{count:,} {name}" for name, count in report.notes.items())
        click.echo(f"{report.file}: {notes}")
    if report.rejects_path:
        click.echo(f"{report.file}: every rejected line, with the reason, is in {report.rejects_path}")


def show_retail(report: RetailReport) -> None:
    """Print what became of a shop's folder."""
    show_totals([*report.months, report.orders, *report.tables])
    for one in (report.orders, *report.tables):
        _show_classes(one)
    if paths := [one.rejects_path for one in report.months if one.rejects_path]:
        click.echo(f"Every rejected line of the months, with the reason, is in {Path(paths[0]).parent}.")
    click.echo(f"\n{counted(report.products, 'product')}, {report.products_changed:,} of them new or changed.")
    click.echo(f"{_demand_told(report.demand)} As of {report.stock_date}.")


def _judge(ctx: click.Context, reports: Sequence[ImportReport], strict: bool) -> None:
    """Rejects are normal, and named; a file of which nothing could be read is not."""
    rejected = sum(sum(one.rejected.values()) for one in reports)
    if rejected and (strict or not any(sum(one.accepted.values()) for one in reports)):
        note(f"{counted(rejected, 'line')} {'was' if rejected == 1 else 'were'} rejected.")
        ctx.exit(PARTLY)


@click.command(
    "export",
    epilog="""\b
Examples:
  restock export suppliers suppliers.csv
  restock export demand demand.parquet
  restock export orders orders.jsonl

The columns are those that restock import reads. The file appears whole.""",
)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def export_(shell: Shell, kind: str, file: Path, as_json: bool) -> None:
    """Write what is known to a file, .csv, .jsonl or .parquet."""

    async def task(app: Running) -> int:
        return await export(kind, file, ExportPorts(app.orders, app.inventory, app.suppliers, app.units))

    rows = work(shell, task)
    if as_json:
        echo_json({"kind": kind, "file": str(file), "rows": rows})
    else:
        click.echo(f"{counted(rows, 'row')} in {file}.")


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return {"import": import_, "export": export_}[name]
