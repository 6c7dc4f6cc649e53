"""What protects a node: time limit, retry with jittered back-off, circuit breaker, fallback, cache.

A `Governor` stands between the walk and one operation. It works per item: of a cohort's items only the failed ones are
called again, the others keep their answers. When the first call answers at once and well, nothing is ever scheduled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from restock.core.breaker import Breaker, BreakerOpen, BreakerRule
from restock.core.errors import DeadlinePassed, Unavailable
from restock.engine.graph.cache import Cache, frozen
from restock.engine.graph.model import CacheRule, Policy, Retry
from restock.engine.graph.reference import Getter, getter
from restock.engine.graph.run import Outcome, error_of, listed

CALLS_PER_RETRY = 10
"""First calls of an operation that pay for one retry."""

RETRIES_SAVED = 10
"""Retries that are always paid for: a single caller whose neighbour starts anew tries as often as its flow says."""

Call = Callable[[Sequence[Mapping[str, object]]], object]
"""One result per item, now or awaited."""


class StandIn(Unavailable):
    """Why an answer is not of now: the operation is away, and what it said `age_s` seconds ago stands in."""

    code = "stale"

    def __init__(self, age_s: float, error: Exception) -> None:
        super().__init__(f"The answer of {age_s:.1f} s ago stands in: {error}")
        self.age_s = age_s


def is_listed(error: Exception, names: Sequence[str]) -> bool:
    """Whether an error is of a named kind, or of a kind derived from it."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def pause_s(retry: Retry, failed_attempts: int, random: Random) -> float:
    """Give the seconds to wait after so many failed attempts: exponential, capped, then shortened by the jitter."""
    full = min(retry.delay_s * retry.factor ** (failed_attempts - 1), retry.max_delay_s)
    return full * (1 - retry.jitter * random.random())


class RetryBudget:
    """Lets through as many retries as a tenth of the calls of late: many failures at once must not become twice the load."""

    def __init__(self) -> None:
        self._tenths = RETRIES_SAVED * CALLS_PER_RETRY

    def called(self) -> None:
        """Count a first call."""
        if self._tenths < RETRIES_SAVED * CALLS_PER_RETRY:
            self._tenths += 1

    def spend(self) -> bool:
        """Tell whether a retry may be made, and count it."""
        if self._tenths < CALLS_PER_RETRY:
            return False
        self._tenths -= CALLS_PER_RETRY
        return True


@dataclass(frozen=True)
class Tools:
    """What governors of one executor share."""

    monotonic: Callable[[], int]
    sleep: Callable[[float], Awaitable[object]]
    random: Random
    cache: Cache
    breakers: dict[tuple[str, BreakerRule], Breaker]
    distant: Collection[str] | None = None
    """Operations that may be away; None: any of them."""
    budgets: dict[str, RetryBudget] = field(default_factory=dict)

    def budget(self, name: str) -> RetryBudget:
        """Give the budget for retries of an operation, which all flows share."""
        return self.budgets.setdefault(name, RetryBudget())

    def keeps(self, name: str, rule: CacheRule | None) -> CacheRule | None:
        """Give the rule, unless it only provides for an absence that cannot be: then keeping answers is for nothing."""
        if rule is None or rule.ttl_s or self.distant is None or name in self.distant:
            return rule
        return None

    def breaker(self, name: str, rule: BreakerRule) -> Breaker:
        """Give the breaker of an operation: one for all flows that protect it alike."""
        return self.breakers.setdefault((name, rule), Breaker(name, rule, self.monotonic))


class _Job:
    __slots__ = ("attempts", "contexts", "is_new", "items", "keys", "pending", "plain", "results", "twins")

    def __init__(self, items: Sequence[Mapping[str, object]], contexts: Sequence[Mapping[str, object]]) -> None:
        self.items = items
        self.contexts = contexts
        self.pending = list(range(len(items)))
        self.results: list[object] = [None] * len(items)
        self.attempts = [0] * len(items)
        self.keys: list[object] = []
        self.twins: dict[int, int] = {}
        self.is_new = True
        """Whether nothing was answered yet."""
        self.plain = False
        """Whether the first call answered every item well: then there is nothing to tell but the answers."""


class Governor:
    """Applies one node's policy to its calls."""

    def __init__(self, name: str, policy: Policy, call: Call, tools: Tools) -> None:
        self._name = name
        self._policy = policy
        self._call = call
        self._tools = tools
        self._budget = tools.budget(name) if policy.retry else None
        self._cached = tools.keeps(name, policy.cache)
        self._breaker = tools.breaker(name, policy.breaker) if policy.breaker else None
        self._fallback: Getter | None = None if policy.fallback is None else getter(policy.fallback)

    def begin(
        self, items: Sequence[Mapping[str, object]], contexts: Sequence[Mapping[str, object]]
    ) -> list[object] | Coroutine[object, object, list[object]]:
        """Call the operation for the items; gives the results at once when they are there, else a coroutine of them."""
        job = _Job(items, contexts)
        if self._cached:
            self._look_up(job, self._cached)
        if not job.pending:
            return self._close(job)
        if self._budget:
            self._budget.called()
        answer = self._ask(job)
        if isinstance(answer, Awaitable) or self._absorb(job, answer):
            return self._go_on(job, answer)
        return self._close(job)

    async def _go_on(self, job: _Job, answer: object) -> list[object]:
        again = True
        if isinstance(answer, Awaitable):
            again = self._absorb(job, await self._in_time(answer, job))
        retry = self._policy.retry
        while again and retry is not None and self._budget is not None and self._budget.spend():
            await self._tools.sleep(pause_s(retry, max(job.attempts[i] for i in job.pending), self._tools.random))
            answer = self._ask(job)
            if isinstance(answer, Awaitable):
                answer = await self._in_time(answer, job)
            again = self._absorb(job, answer)
        return self._close(job)

    def _ask(self, job: _Job) -> object:
        try:
            if self._breaker:
                self._breaker.enter()
            return self._call([job.items[index] for index in job.pending])
        except Exception as error:
            return [error] * len(job.pending)

    async def _in_time(self, answer: Awaitable[object], job: _Job) -> object:
        limit = self._policy.timeout_s
        try:
            async with asyncio.timeout(limit) as scope:
                return await answer
        except asyncio.CancelledError:
            if self._breaker:
                self._breaker.abandon()
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and scope.expired():
                late = DeadlinePassed(f"'{self._name}' did not answer in {limit:g} s.", remedy="Try again later.")
                return [late] * len(job.pending)
            return [error] * len(job.pending)

    def _absorb(self, job: _Job, answer: object) -> bool:
        """Take in the answer for the pending items; say whether any of them is to be tried again."""
        retry = self._policy.retry
        results = listed(answer, len(job.pending), self._name)
        if not self._breaker and not self._cached and job.is_new and not any(map(_is_noted, results)):
            job.results, job.pending, job.plain = results, [], True
            return False
        job.is_new = False
        errors = [error_of(result) for result in results]
        if self._breaker and not isinstance(errors[0], BreakerOpen):
            self._breaker.leave(any(error is None or not _is_transient(error) for error in errors))
        again: list[int] = []
        for index, result, error in zip(job.pending, results, errors, strict=True):
            refused = isinstance(error, BreakerOpen)
            job.attempts[index] += 0 if refused else 1
            job.results[index] = result
            if error and retry and not refused and job.attempts[index] < retry.attempts and is_listed(error, retry.on):
                again.append(index)
        job.pending = again
        return bool(again)

    def _look_up(self, job: _Job, rule: CacheRule) -> None:
        """Answer what the cache knows, and ask only once for items that are alike."""
        firsts: dict[object, int] = {}
        missing: list[int] = []
        for index, item in enumerate(job.items):
            wanted = item if not rule.key else {name: item.get(name) for name in rule.key}
            key = (self._name, frozen(wanted))
            job.keys.append(key)
            found = self._tools.cache.get(key)
            if found:
                job.results[index] = Outcome(found[0], status="cached", attempts=0)
            elif key in firsts:
                job.twins[index] = firsts[key]
            else:
                firsts[key] = index
                missing.append(index)
        job.pending = missing

    def _close(self, job: _Job) -> list[object]:
        if job.plain:
            return job.results
        rule = self._cached
        for index, result in enumerate(job.results):
            error = error_of(result)
            if index in job.twins or (job.attempts[index] == 0 and error is None):
                continue
            if error is None and rule:
                self._tools.cache.put(job.keys[index], _value(result), rule)
            job.results[index] = self._told(result, error, job, index)
        for index, first in job.twins.items():
            job.results[index] = job.results[first]
        return job.results

    def _told(self, result: object, error: Exception | None, job: _Job, index: int) -> object:
        """Give the result with attempts and fallback told, or as it is when there is nothing to tell."""
        attempts = job.attempts[index]
        children = result.children if isinstance(result, Outcome) else ()
        if error is None:
            return result if attempts == 1 else Outcome(_value(result), attempts=attempts, children=children)
        if self._cached and _is_transient(error) and (kept := self._tools.cache.stand_in(job.keys[index])):
            value, age_s = kept
            return Outcome(value, None, attempts=attempts, status="stale", children=children).because(
                StandIn(age_s, error)
            )
        if self._fallback is None:
            return Outcome(None, error, attempts=attempts, status="failed", children=children)
        try:
            value = self._fallback(job.contexts[index])
        except Exception as second:
            return Outcome(None, second, attempts=attempts, status="failed", children=children)
        return Outcome(value, None, attempts=attempts, status="fallback", children=children).because(error)


def _value(result: object) -> object:
    return result.value if isinstance(result, Outcome) else result


def _is_noted(result: object) -> bool:
    return isinstance(result, Exception | Outcome)


def _is_transient(error: Exception) -> bool:
    return is_listed(error, ("Unavailable", "TimeoutError", "OSError"))
