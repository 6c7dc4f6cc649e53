"""The walk of one cohort: many runs of one flow, each node called once for all runs that need it.

Every node starts as soon as its own dependencies have ended, so independent asynchronous nodes really run at the same
time. Synchronous operations are called inline, without a task. A run that fails leaves the others alone; a task that
only failed runs were waiting for is cancelled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from random import Random

from restock.core.clock import Clock
from restock.core.errors import Unavailable
from restock.engine.graph.cache import Cache
from restock.engine.graph.model import COHORT_LIMIT, Context, Flow
from restock.engine.graph.plan import Plan, Rulebook, Step, compile_flow
from restock.engine.graph.policy import Call, Tools
from restock.engine.graph.run import CohortRecord, Dropped, Outcome, RunResult, listed, started_context
from restock.engine.graph.trace import trace_of

PLANS_KEPT = 256
"""Compiled flows of one executor: an installation has a dozen; the bound is for hosts that load a flow per call."""

_NOTED = (Exception, Outcome)


class Walk:
    """One cohort on its way. `runs` are in the order of the inputs."""

    __slots__ = ("_doomed", "_finished", "_now", "_record", "_running", "_waiter", "_waits", "_whole", "plan", "runs")

    def __init__(self, plan: Plan, runs: list[RunResult], record: CohortRecord, now: Callable[[], int]) -> None:
        self.plan = plan
        self.runs = runs
        self._now = now
        self._record = record
        self._waits = plan.waits.copy()
        self._running: dict[asyncio.Future[object], tuple[Step, list[RunResult]]] = {}
        self._finished: list[asyncio.Future[object]] = []
        self._doomed: set[asyncio.Future[object]] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._whole = not plan.branches
        for run in runs:
            run.record = record
            if run.error is not None:
                self._whole = False

    async def go(self) -> list[RunResult]:
        """Walk to the end. When the caller is cancelled, every running node is, and has ended before this returns."""
        try:
            self._advance(self.plan.roots.copy())
            while self._running:
                if not self._finished:
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
                finished, self._finished = self._finished, []
                ready: list[Step] = []
                for task in finished:
                    self._complete(task, ready)
                self._advance(ready)
        except BaseException:
            await self._stop()
            raise
        self._conclude()
        return self.runs

    def drop(self, run: RunResult) -> None:
        """End one run whose caller left; the others go on."""
        if run.error is None:
            self._fail(run, "", Dropped("The caller left."))

    def _advance(self, ready: list[Step]) -> None:
        """Start every ready step, and those which become ready because a step ended at once."""
        started, ended, now = self._record.started, self._record.ended, self._now
        waits = self._waits
        for step in ready:
            group = self.runs if self._whole else self._select(step)
            if group:
                started[step.index] = now()
                if self._begin(step, group):
                    continue
                ended[step.index] = now()
            for successor in step.successors:
                left = waits[successor.index] = waits[successor.index] - 1
                if not left:
                    ready.append(successor)

    def _select(self, step: Step) -> list[RunResult]:
        """Give the runs which need this step; note it as skipped for those which took another way."""
        group: list[RunResult] = []
        for run in self.runs:
            if run.error is not None:
                continue
            if (step.gates or run.skipped) and _is_skipped(step, run):
                run.skip(step.node_id)
            else:
                group.append(run)
        return group

    def _begin(self, step: Step, group: list[RunResult]) -> bool:
        """Call a step for its runs; say whether it goes on as a task."""
        inputs_of = step.inputs_of
        try:
            items = [inputs_of(run.context) for run in group]
        except Exception:
            group, items = self._resolve_each(step, group)
            if not group:
                return False
        work: object
        try:
            guard = step.governor
            work = step.call(items) if guard is None else guard.begin(items, [run.context for run in group])
        except Exception as error:
            work = [error] * len(group)
        if type(work) is not list and isinstance(work, Awaitable):
            task = asyncio.ensure_future(work)
            self._running[task] = (step, group)
            task.add_done_callback(partial(self._done, step.index))
            return True
        self._settle(step, group, work)
        return False

    def _resolve_each(self, step: Step, group: list[RunResult]) -> tuple[list[RunResult], list[Mapping[str, object]]]:
        """Some run's inputs cannot be read: fail those runs only."""
        good: list[RunResult] = []
        items: list[Mapping[str, object]] = []
        for run in group:
            try:
                items.append(step.inputs_of(run.context))
                good.append(run)
            except Exception as error:
                self._fail(run, step.node_id, error)
        return good, items

    def _settle(self, step: Step, group: list[RunResult], work: object) -> None:
        """Give each run its result."""
        node_id = step.node_id
        if type(work) is not list or len(work) != len(group):
            work = listed(work, len(group), node_id)
        for run, value in zip(group, work, strict=False):
            if run.error is not None:
                continue
            if not isinstance(value, _NOTED):
                run.context[node_id] = value
                continue
            outcome = value if isinstance(value, Outcome) else Outcome(None, value, status="failed")
            run.note(node_id, outcome)
            if outcome.error is None:
                run.context[node_id] = outcome.value
            else:
                self._fail(run, node_id, outcome.error)

    def _done(self, index: int, task: asyncio.Future[object]) -> None:
        self._record.ended[index] = self._now()
        self._finished.append(task)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _complete(self, task: asyncio.Future[object], ready: list[Step]) -> None:
        """Take in a task that ended; its successors may have become ready."""
        step, group = self._running.pop(task)
        if task.cancelled():
            self._settle(step, group, [Unavailable(f"'{step.node_id}' was cancelled.")] * len(group))
        elif (error := task.exception()) is not None:
            if not isinstance(error, Exception):
                raise error
            self._settle(step, group, [error] * len(group))
        else:
            self._settle(step, group, task.result())
        for successor in step.successors:
            self._waits[successor.index] -= 1
            if not self._waits[successor.index]:
                ready.append(successor)

    def _fail(self, run: RunResult, node_id: str, error: Exception) -> None:
        """End one run, and cancel the tasks which nobody waits for any more."""
        run.fail(node_id, error)
        self._whole = False
        for task, (_, group) in self._running.items():
            if task not in self._doomed and all(member.error is not None for member in group):
                self._doomed.add(task)  # once: a second cancel would break off a `finally` that has begun
                task.get_loop().call_soon(task.cancel)  # not at once: a task that never began cannot clean up

    async def _stop(self) -> None:
        for task in self._running:
            if task not in self._doomed:
                task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _conclude(self) -> None:
        output, nodes = self.plan.output, self.plan.flow.nodes
        for run in self.runs:
            if run.error is not None:
                continue
            try:
                if output:
                    run.outputs = {name: get(run.context) for name, get in output}
                else:
                    run.outputs = {name: run.context[name] for name in nodes if name in run.context}
            except Exception as error:
                self._fail(run, "output", error)


def _is_skipped(step: Step, run: RunResult) -> bool:
    if step.gates and not any(_took(run, name, side) for name, side in step.gates):
        return True
    skipped = run.skipped
    if not skipped or not step.dependencies:
        return False
    if step.join_all:
        return any(name in skipped for name in step.dependencies)
    return all(name in skipped for name in step.dependencies)


def _took(run: RunResult, conditional: str, side: bool) -> bool:
    answer = run.context.get(conditional)
    if type(answer) is not dict and not isinstance(answer, Mapping):
        return False
    return answer.get("taken") is side


class Executor:
    """Runs flows on the host's operations. One executor serves a process; it must be used from one event loop.

    `monotonic` counts nanoseconds, `sleep` waits seconds and `seed` makes the jitter repeatable: with a simulated clock
    the same run leaves the same trace. Breakers and the cache are shared by all runs.
    """

    def __init__(
        self,
        operations: Mapping[str, Call],
        rulebook: Rulebook | None,
        clock: Clock,
        *,
        monotonic: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        seed: int | None = None,
        distant: Collection[str] | None = None,
    ) -> None:
        """`distant` are the operations that may be away; None: any of them."""
        self._operations = dict(operations)
        self._rulebook = rulebook
        self._clock = clock
        self._monotonic = monotonic
        random = Random(seed)  # noqa: S311 - spreads retries in time, guards no secret
        self.tools = Tools(monotonic, sleep, random, Cache(monotonic), {}, distant)
        self._plans: dict[Flow, Plan] = {}

    def prepare(self, flow: Flow) -> None:
        """Compile a flow now. Raises InvalidInput when it calls an operation that this executor does not have."""
        self._plan(flow)

    def record(self, flow: Flow, size: int, began_at: datetime, base: int) -> CohortRecord:
        """Begin the record of a cohort; a host that stored one fills it again to show a trace."""
        return CohortRecord(flow, self._plan(flow).readers, trace_of, size, began_at, base)

    def begin(self, flow: Flow, inputs: Sequence[Mapping[str, object]]) -> Walk:
        """Make the walk of one cohort; nothing runs before `go`."""
        return self._walk(flow, [started_context(flow, each) for each in inputs])

    async def run(self, flow: Flow, inputs: Sequence[Mapping[str, object]]) -> list[RunResult]:
        """Run the flow for each set of inputs, `COHORT_LIMIT` at a time; one result each, in order. Errors are in them."""
        if len(inputs) <= COHORT_LIMIT:
            return await self.begin(flow, inputs).go()
        results: list[RunResult] = []
        for start in range(0, len(inputs), COHORT_LIMIT):
            results += await self.begin(flow, inputs[start : start + COHORT_LIMIT]).go()
        return results

    async def walk_inside(self, flow: Flow, contexts: Sequence[Context]) -> list[RunResult]:
        """Walk a part of a flow with ready contexts: for loops and tries."""
        results: list[RunResult] = []
        for start in range(0, len(contexts), COHORT_LIMIT):
            part = [RunResult(dict(context)) for context in contexts[start : start + COHORT_LIMIT]]
            results += await self._walk(flow, part).go()
        return results

    def _walk(self, flow: Flow, runs: list[RunResult]) -> Walk:
        plan = self._plans.get(flow) or self._plan(flow)
        record = CohortRecord(flow, plan.readers, trace_of, len(runs), self._clock.now(), self._monotonic())
        return Walk(plan, runs, record, self._monotonic)

    def _plan(self, flow: Flow) -> Plan:
        plan = self._plans.get(flow)
        if plan is None:
            plan = compile_flow(flow, self._operations, self._rulebook, self, self.tools)
            if len(self._plans) >= PLANS_KEPT:
                del self._plans[next(iter(self._plans))]
            self._plans[flow] = plan
        return plan
