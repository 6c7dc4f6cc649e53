"""Nodes that run other nodes: loop, try/catch/finally, subgraph.

Each takes the contexts of every run that reached it and walks the inner flow for all of them together: a loop over the
lines of 64 orders is one plural call of its body, not thousands. A part of a run that fails fails that run only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from restock.core.errors import InvalidInput, RestockError
from restock.engine.graph.model import Context, Flow, Loop, Subgraph, Try
from restock.engine.graph.reference import follow
from restock.engine.graph.run import Outcome, RunResult

Contexts = Sequence[Mapping[str, object]]
Children = list[tuple[str, RunResult]]


class Walker(Protocol):
    """What the executor offers to control nodes."""

    async def walk_inside(self, flow: Flow, contexts: Sequence[Context]) -> list[RunResult]:
        """Walk a part of the flow with ready contexts; one result per context, in order."""
        ...

    async def run(self, flow: Flow, inputs: Contexts) -> list[RunResult]:
        """Walk a whole flow with its own inputs; one result per set of inputs, in order."""
        ...


def _result(part: Flow, run: RunResult) -> object:
    return run.context.get(next(iter(part.nodes)))


class _Turns:
    """One run's way through a loop."""

    def __init__(self, context: Mapping[str, object]) -> None:
        self.context = dict(context)
        self.items: Sequence[object] = ()
        self.results: list[object] = []
        self.children: Children = []
        self.error: Exception | None = None
        self.exhausted = False

    def enter(self, index: int, item: object) -> Context:
        return {**self.context, "_loop_index": index, "_loop_iteration": index + 1, "_loop_item": item}

    def outcome(self) -> Outcome:
        if self.error:
            return Outcome(None, self.error, status="failed", children=self.children)
        value = {"results": self.results, "count": len(self.results), "exhausted": self.exhausted}
        return Outcome(value, children=self.children)


async def _iterate(work: Loop, walker: Walker, entered: Sequence[tuple[_Turns, int, object]]) -> None:
    """Walk the body for these iterations together and take in what came of each."""
    runs = await walker.walk_inside(work.body, [turns.enter(index, item) for turns, index, item in entered])
    for (turns, index, _), run in zip(entered, runs, strict=True):
        turns.children.append((f"[{index}].", run))
        if run.error and not turns.error:
            turns.error = run.error
        turns.results.append(_result(work.body, run))
        if work.at_once == 1:
            turns.context = run.context


def _read_items(work: Loop, turns: _Turns) -> None:
    if work.over is None:
        return
    try:
        items = follow(work.over, turns.context)
    except InvalidInput as error:
        turns.error = error
        return
    if not isinstance(items, list | tuple):
        turns.error = InvalidInput(f"The loop goes over '{work.over}', which is no list but {type(items).__name__}.")
    elif len(items) > work.max_iterations:
        what = f"'{work.over}' has {len(items)} items, the loop allows {work.max_iterations}."
        turns.error = InvalidInput(what, remedy="Raise max_iterations or give fewer.")
    else:
        turns.items = items


async def _loop_over(work: Loop, walker: Walker, everyone: Sequence[_Turns]) -> None:
    longest = max(len(turns.items) for turns in everyone)
    for start in range(0, longest, work.at_once):
        entered = [
            (turns, start + offset, item)
            for turns in everyone
            if turns.error is None
            for offset, item in enumerate(turns.items[start : start + work.at_once])
        ]
        if entered:
            await _iterate(work, walker, entered)


async def _loop_while(work: Loop, walker: Walker, everyone: Sequence[_Turns]) -> None:
    for index in range(work.max_iterations + 1):
        entered: list[tuple[_Turns, int, object]] = []
        for turns in everyone:
            try:
                if turns.error is None and work.condition and work.condition.test(turns.enter(index, None)):
                    entered.append((turns, index, None))
            except Exception as error:
                turns.error = error
        if not entered:
            return
        if index < work.max_iterations:
            await _iterate(work, walker, entered)
            everyone = [turns for turns, _, _ in entered]
            continue
        for turns, _, _ in entered:
            turns.exhausted = True


async def loop_call(work: Loop, walker: Walker, contexts: Contexts) -> Sequence[object]:
    """Run a loop for every context; one Outcome each."""
    everyone = [_Turns(context) for context in contexts]
    for turns in everyone:
        _read_items(work, turns)
    if work.over is not None:
        await _loop_over(work, walker, everyone)
    else:
        await _loop_while(work, walker, everyone)
    return [turns.outcome() for turns in everyone]


def _described(error: Exception) -> dict[str, object]:
    code = error.code if isinstance(error, RestockError) else "error"
    return {"type": type(error).__name__, "message": str(error), "code": code}


class _Trial:
    """One run's way through try, catch and finally."""

    def __init__(self, context: Mapping[str, object]) -> None:
        self.context: Context = dict(context)
        self.value: object = None
        self.error: Exception | None = None
        self.caught = False
        self.children: Children = []

    def outcome(self) -> Outcome:
        status = "failed" if self.error else "ok"
        return Outcome(None if self.error else self.value, self.error, status=status, children=self.children)


async def _play(part: Flow, label: str, walker: Walker, trials: Sequence[_Trial]) -> None:
    runs = await walker.walk_inside(part, [trial.context for trial in trials])
    for trial, run in zip(trials, runs, strict=True):
        trial.children.append((label, run))
        trial.context = run.context
        if label != "finally." or run.error:  # a finally that succeeds changes neither result nor error
            trial.error = run.error
            trial.value = _result(part, run)
        if run.error:
            trial.context = {**run.context, "_error": _described(run.error)}


async def try_call(work: Try, walker: Walker, contexts: Contexts) -> Sequence[object]:
    """Run try, then catch where it failed, then finally in every case, also when the node is cancelled."""
    trials = [_Trial(context) for context in contexts]
    try:
        await _play(work.body, "try.", walker, trials)
        failed = [trial for trial in trials if trial.error]
        if work.catch and failed:
            await _play(work.catch, "catch.", walker, failed)
    except asyncio.CancelledError:
        if work.finale:
            await _play(work.finale, "finally.", walker, trials)
        raise
    if work.finale:
        await _play(work.finale, "finally.", walker, trials)
    return [trial.outcome() for trial in trials]


async def subgraph_call(
    work: Subgraph,
    inputs_of: Callable[[Mapping[str, object]], dict[str, object]],
    walker: Walker,
    contexts: Contexts,
) -> Sequence[object]:
    """Walk another flow for every context; its outputs are the node's result."""
    outcomes: list[Outcome] = [Outcome() for _ in contexts]
    called: list[tuple[int, dict[str, object]]] = []
    for index, context in enumerate(contexts):
        try:
            called.append((index, inputs_of(context)))
        except InvalidInput as error:
            outcomes[index] = Outcome(None, error, status="failed")
    runs = await walker.run(work.flow, [inputs for _, inputs in called])
    for (index, _), run in zip(called, runs, strict=True):
        outcomes[index] = _answered(work, run)
    return outcomes


def _answered(work: Subgraph, run: RunResult) -> Outcome:
    children = [("", run)]
    if run.error:
        return Outcome(None, run.error, status="failed", children=children)
    if not work.outputs:
        return Outcome(run.outputs, children=children)
    try:
        return Outcome({name: follow(path, run.context) for name, path in work.outputs}, children=children)
    except InvalidInput as error:
        return Outcome(None, error, status="failed", children=children)
