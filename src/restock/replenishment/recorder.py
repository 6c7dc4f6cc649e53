"""Keeps what runs leave behind, off the caller's way: a trace is evidence, not state, and may be a moment late.

A cohort's node timings are stored once; each run stores its context. A trace is put together when somebody asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec
from sqlalchemy import and_, bindparam, func, select

from restock.core.clock import moment
from restock.core.errors import NotFound, RestockError
from restock.decisions.port import Decision
from restock.engine.database import Database, Statement, Transaction
from restock.engine.graph import Executor, Flow, RunResult
from restock.engine.graph.run import CohortRecord, Outcome
from restock.purchasing.model import PurchaseOrder
from restock.replenishment.model import Need
from restock.replenishment.port import RunDetail, RunsRequest, RunSummary
from restock.replenishment.tables import COHORT, RUN

WAITING_LIMIT = 20_000
"""Runs whose traces wait to be stored; beyond it the newest traces are dropped and counted, never the flow delayed."""

GATHER_SECONDS = 0.03
"""How long traces are gathered before they are written together; they wait for no one, and no one for them."""

STORED_AT_ONCE = 256
"""Runs in one transaction: a few milliseconds in which no decision can be stored."""

_C, _R = COHORT.c, RUN.c
_ADD_COHORT = Statement(COHORT.insert())
_ADD_RUN = Statement(RUN.insert())
_SUMMARY = (_R.run_id, _R.flow, _R.product_id, _R.at, _R.outcome, _R.message, _R.po_id, _R.decision_id)
_RUN = Statement(
    select(*_SUMMARY, _R.context, _R.notes, _C.timings, _C.at, _C.runs)
    .select_from(RUN.join(COHORT, _C.cohort_id == _R.cohort_id))
    .where(_R.run_id == bindparam("run_id"))
)
_RUNS = Statement(
    select(*_SUMMARY).where(_R.run_id < bindparam("before")).order_by(_R.run_id.desc()).limit(bindparam("limit"))
)
_RUNS_OF = Statement(
    select(*_SUMMARY)
    .where(and_(_R.run_id < bindparam("before"), _R.product_id == bindparam("product")))
    .order_by(_R.run_id.desc())
    .limit(bindparam("limit"))
)
_TOTALS = Statement(select(func.sum(_C.runs), func.sum(_C.queries), func.sum(_C.query_us)))

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
_decode = msgspec.json.Decoder(dict[str, object], float_hook=Decimal).decode

Row = dict[str, object]
Recall = Callable[[dict[str, object]], Awaitable[dict[str, object]]]

DECISION_ID, ORDER_ID, NEED = "decision_id", "po_id", "need"
"""How a stored context stands for a decision, an order, a need."""


class Recorder:
    """Stores traces in groups, in the background."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cohorts: list[Row] = []
        self._runs: list[Row] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0

    def record_cohort(self, row: Row) -> None:
        """Take the row of a cohort, before those of its runs."""
        self._cohorts.append(row)

    def record_run(self, row: Row) -> None:
        """Take the row of a run; it is stored soon."""
        if len(self._runs) >= WAITING_LIMIT:
            self.dropped += 1
            return
        self._runs.append(row)
        if self._timer is None and self._task is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._begin)

    async def drain(self) -> None:
        """Wait until everything taken is stored, or until the store refuses it: then it waits for the next run."""
        if self._runs:
            self._begin()
        while self._task is not None:
            await asyncio.shield(self._task)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None and self._runs:
            self._task = asyncio.create_task(self._store(), name="trace recorder")

    async def _store(self) -> None:
        try:
            while self._runs:
                cohorts, self._cohorts = self._cohorts, []
                rows, self._runs = self._runs[:STORED_AT_ONCE], self._runs[STORED_AT_ONCE:]

                async def unit(tx: Transaction, cohorts: list[Row] = cohorts, rows: list[Row] = rows) -> None:
                    await tx.write_many(_ADD_COHORT, cohorts)
                    await tx.write_many(_ADD_RUN, rows)

                try:
                    await self._database.write("trace", unit)
                except RestockError:  # a full disk: a trace is no reason to fail anybody
                    self._cohorts, self._runs = cohorts + self._cohorts, rows + self._runs
                    return
        finally:
            self._task = None


def cohort_row(cohort_id: str, record: CohortRecord, at: str, queries: int, query_us: int) -> dict[str, object]:
    """Give the row of a cohort; timings are microseconds from its start, -1 for nodes that did not run."""
    timings = [
        [-1 if start < 0 else (start - record.base) // 1000, -1 if end < 0 else (end - record.base) // 1000]
        for start, end in zip(record.started, record.ended, strict=True)
    ]
    return {
        "cohort_id": cohort_id,
        "flow": record.flow.name,
        "at": at,
        "runs": record.size,
        "queries": queries,
        "query_us": query_us,
        "timings": _encode(timings).decode(),
    }


def _kept(context: Mapping[str, object]) -> dict[str, object]:
    """Give what a trace needs of a context; decisions and orders are kept by their owners, a need follows from the rest."""
    kept: dict[str, object] = {}
    for name, value in context.items():
        if type(value) is Decision:
            kept[name] = {DECISION_ID: value.decision_id}
        elif type(value) is PurchaseOrder:
            kept[name] = {ORDER_ID: value.po_id}
        elif type(value) is Need:
            kept[name] = {NEED: True}
        elif name != "input":
            kept[name] = value
    return kept


def run_row(cohort_id: str, summary: RunSummary, run: RunResult) -> dict[str, object]:
    """Give the row of a run."""
    row: dict[str, object] = dict(summary.__dict__)
    row["cohort_id"] = cohort_id
    row["context"] = _encode(_kept(run.context)).decode()
    skipped = tuple(sorted(run.skipped)) if run.skipped else ()
    row["notes"] = _plain_notes(skipped) if run.notes is None and run.error is None else _notes(run, skipped)
    return row


def _notes(run: RunResult, skipped: tuple[str, ...]) -> str:
    notes = {
        node: {"status": note.status, "attempts": note.attempts, "error": str(note.cause or "")}
        for node, note in (run.notes or {}).items()
    }
    return _encode({"notes": notes, "skipped": skipped, "failed": run.failed_node}).decode()


@lru_cache(maxsize=1024)  # a flow has a few ways through it
def _plain_notes(skipped: tuple[str, ...]) -> str:
    return _encode({"notes": {}, "skipped": skipped, "failed": ""}).decode()


async def runs(database: Database, request: RunsRequest) -> list[RunSummary]:
    """Give a page of runs, newest first."""
    parameters = {"before": request.before or "~", "limit": request.limit, "product": request.product_id}
    rows = await database.read(_RUNS_OF if request.product_id else _RUNS, parameters)
    return [RunSummary(*row) for row in rows]


async def run(
    database: Database, run_id: str, flows: Mapping[str, Flow], executor: Executor, recall: Recall
) -> tuple[RunDetail, RunResult | None]:
    """Give a run with its trace, and the run itself for drawing when its flow is still known. Raises NotFound.

    `recall` completes the stored context with what is kept elsewhere.
    """
    rows = await database.read(_RUN, {"run_id": run_id})
    if not rows:
        raise NotFound(
            f"There is no run {run_id}.", field="run_id", remedy="List them with `restock replenishment runs`."
        )
    *head, stored, notes, timings, at, size = rows[0]
    summary = RunSummary(*head)
    context = await recall(_decode(stored))
    flow = flows.get(summary.flow)
    result = None
    if flow is not None and len(flow.nodes) == len(msgspec.json.decode(timings)):
        record = executor.record(flow, int(size), moment(at), 0)
        result = _rebuilt(record, context, _decode(notes), msgspec.json.decode(timings))
    trace: dict[str, object] = result.trace.as_dict() if result is not None else {"context": context}
    return RunDetail(summary, trace), result


def _rebuilt(
    record: CohortRecord, context: dict[str, object], notes: Mapping[str, object], timings: Sequence[Sequence[int]]
) -> RunResult:
    record.started = [start * 1000 if start >= 0 else -1 for start, _ in timings]
    record.ended = [end * 1000 if end >= 0 else -1 for _, end in timings]
    result = RunResult(context)
    result.record = record
    known, skipped = notes["notes"], notes["skipped"]
    assert isinstance(known, dict) and isinstance(skipped, list)
    for node, note in known.items():
        error = NotFound(note["error"]) if note["error"] else None
        result.note(node, Outcome(context.get(node), error, attempts=note["attempts"], status=note["status"]))
    for node in skipped:
        result.skip(str(node))
    result.failed_node = str(notes["failed"])
    return result


async def totals(database: Database) -> tuple[int, int, int]:
    """Give how many runs were stored, how many queries they made and the microseconds these took."""
    return tuple(int(value or 0) for value in (await database.read(_TOTALS))[0])  # type: ignore[return-value]  # three columns
