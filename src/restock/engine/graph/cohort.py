"""The door of a flow: callers that wait together walk together.

A cohort takes whatever waits, at most `COHORT_LIMIT`; while it walks, the next ones gather. There is no timer: alone, a
run goes at once; under load cohorts grow by themselves. Results are per item; one bad item fails nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context

from restock.core import trace
from restock.core.clock import NS_PER_S
from restock.core.errors import Unavailable
from restock.engine.graph.execute import Executor, Walk
from restock.engine.graph.model import COHORT_LIMIT, Flow
from restock.engine.graph.run import RunResult

QUEUE_LIMIT = 1024
"""Callers that may wait: four full cohorts. Past this more queueing only adds latency, so the door says so at once."""

TOGETHER = 8
"""Runs of a cohort and the one before it from which on the next waits for stragglers."""

QUIET_TURNS = 8
"""Turns of the loop without a caller before such a cohort goes, some 200 microseconds: 64 callers over REST walked in halves
of 33 with one turn, together with four."""


class QueueFull(Unavailable):
    """Too many callers wait; `retry_after_s` is the time the present queue needs."""

    code = "queue-full"

    def __init__(self, flow: str, waiting: int, retry_after_s: float) -> None:
        super().__init__(f"{waiting} runs of '{flow}' wait already.", remedy=f"Try again in {retry_after_s:.1f} s.")
        self.retry_after_s = retry_after_s


class _Ticket:
    __slots__ = ("answer", "inputs", "run", "trace", "walk")

    def __init__(self, inputs: Mapping[str, object], answer: asyncio.Future[RunResult]) -> None:
        self.inputs = inputs
        self.answer = answer
        self.run: RunResult | None = None
        self.walk: Walk | None = None
        self.trace = trace.current()


class CohortRunner:
    """Runs one flow for many callers in cohorts. Use it from one event loop; `close` it at the end.

    One cohort in flight is best where its work is done in this process. Where it waits for other processes, as many as
    `in_flight` may walk beside one another, but a further one goes only when it is full: two halves cost more than a whole.
    """

    def __init__(
        self,
        executor: Executor,
        flow: Flow,
        *,
        queue_limit: int = QUEUE_LIMIT,
        in_flight: int = 1,
        monotonic: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        executor.prepare(flow)
        self._executor = executor
        self._flow = flow
        self._limit = queue_limit
        self._now = monotonic
        self._waiting: deque[_Ticket] = deque()
        self._in_flight = in_flight
        self._walking: set[asyncio.Future[None]] = set()
        self._full: asyncio.Future[None] | None = None
        """Is told that a full cohort waits."""
        self._pump: asyncio.Task[None] | None = None
        self._walked = 0
        self._cohort_s = 0.01
        self._closed = False
        self.refused = 0
        """Callers that were sent away because too many waited."""

    @property
    def flow_name(self) -> str:
        """The name of the flow."""
        return self._flow.name

    @property
    def waiting(self) -> int:
        """How many callers wait at the door."""
        return len(self._waiting)

    async def submit(self, inputs: Mapping[str, object]) -> RunResult:
        """Run the flow for one set of inputs; what failed is in the result's `error`.

        Raises QueueFull when too many wait and Unavailable after `close`. Cancelling the call drops the run: it is not
        started, or what only it needs is cancelled.
        """
        if self._closed:
            raise Unavailable(f"The flow '{self._flow.name}' is shutting down.", remedy="Try again after the restart.")
        if len(self._waiting) >= self._limit:
            self.refused += 1
            cohorts = 1 + len(self._waiting) / COHORT_LIMIT
            raise QueueFull(self._flow.name, len(self._waiting), max(0.1, cohorts * self._cohort_s))
        loop = asyncio.get_running_loop()
        ticket = _Ticket(inputs, loop.create_future())
        self._waiting.append(ticket)
        if self._pump is None:
            self._pump = loop.create_task(self._serve(), context=Context())  # not that of who happens to come first
        elif self._full is not None and len(self._waiting) >= COHORT_LIMIT and not self._full.done():
            self._full.set_result(None)
        try:
            return await ticket.answer
        except asyncio.CancelledError:
            self._leave(ticket)
            raise

    async def close(self) -> None:
        """Take nobody in any more and wait until everybody inside has an answer."""
        self._closed = True
        if self._pump is not None:
            await asyncio.wait([self._pump])

    def _leave(self, ticket: _Ticket) -> None:
        if ticket.run is None:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        elif ticket.walk is not None:
            ticket.walk.drop(ticket.run)

    async def _serve(self) -> None:
        """Walk cohort after cohort until nobody waits."""
        try:
            while self._waiting:
                await self._let_in()
                cohort = [self._waiting.popleft() for _ in range(min(len(self._waiting), COHORT_LIMIT))]
                walking = self._walk_together([ticket for ticket in cohort if not ticket.answer.done()])
                if self._in_flight == 1:
                    await walking
                else:
                    await self._beside(walking)
        finally:
            self._pump = None
            while self._waiting:  # only when the pump itself was stopped: nobody must wait for ever
                ticket = self._waiting.popleft()
                if not ticket.answer.done():
                    ticket.answer.set_exception(_told(asyncio.CancelledError()))

    async def _beside(self, walking: Coroutine[None, None, None]) -> None:
        """Let a cohort walk beside others; return once the next may go."""
        self._walking.add(asyncio.create_task(walking, name="cohort"))
        while self._walking and (len(self._walking) >= self._in_flight or len(self._waiting) < COHORT_LIMIT):
            self._full = asyncio.get_running_loop().create_future()
            waited = {*self._walking, self._full} if len(self._walking) < self._in_flight else self._walking
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            self._walking -= done
        self._full = None

    async def _let_in(self) -> None:
        """Turn the loop while it brings callers to the door: those just answered often come back at once.

        No timer: alone, a run goes as soon as a turn brings nobody. Where several walk together, some turns more are cheaper
        than a cohort more: callers would split into two halves that wait for one another for ever.
        """
        quiet = QUIET_TURNS if len(self._waiting) + self._walked >= TOGETHER else 1
        left, before = quiet, -1
        while left and len(self._waiting) < COHORT_LIMIT:
            left = left - 1 if len(self._waiting) == before else quiet
            before = len(self._waiting)
            await asyncio.sleep(0)
        self._walked = len(self._waiting)

    async def _walk_together(self, cohort: list[_Ticket]) -> None:
        start = self._now()
        try:
            walk = self._executor.begin(self._flow, [ticket.inputs for ticket in cohort])
            for ticket, run in zip(cohort, walk.runs, strict=True):
                ticket.run, ticket.walk = run, walk
            with trace.within(next((each.trace for each in cohort if each.trace), "")):  # calls can name one
                await walk.go()
        except BaseException as error:
            for ticket in cohort:
                if not ticket.answer.done():
                    ticket.answer.set_exception(_told(error))
            if not isinstance(error, Exception):
                raise
            return
        self._cohort_s += ((self._now() - start) / NS_PER_S - self._cohort_s) / 8
        for ticket in cohort:
            if ticket.run is not None and not ticket.answer.done():
                ticket.answer.set_result(ticket.run)


def _told(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else Unavailable("The run was stopped.", remedy="Try again.")
