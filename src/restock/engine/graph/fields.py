"""Readers for the fields of a node: durations, numbers, values, policies. Each refuses with the place of the field."""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Sequence
from decimal import Decimal

from restock.core import errors
from restock.core.breaker import BreakerRule
from restock.engine.graph.condition import ConditionError, parse_condition
from restock.engine.graph.model import (
    MAX_ATTEMPTS,
    MAX_CACHE_TTL_S,
    MAX_WAIT_S,
    CacheRule,
    Condition,
    Literal,
    Policy,
    Reference,
    Retry,
    Value,
)
from restock.engine.graph.reference import nearest, parse_reference
from restock.engine.graph.source import Tree

MAX_FAILURES = 10_000
"""Failures that open a breaker: more would never open it."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
_AGGREGATE = re.compile(r"(?:[\w.-]+\.)?(sum|count|avg|min|max|min_by|max_by)\(.*")

_ERRORS = frozenset(
    name
    for module in (errors, builtins)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
)


def only(tree: Tree, known: Collection[str], what: str) -> None:
    """Refuse any key that is not known here, with the nearest known one."""
    for name, key in tree.keys.items():
        if name not in known:
            key.refuse(f"{what} has no field '{name}'.", nearest(name, list(known)))


def duration(tree: Tree, what: str, limit: float = MAX_WAIT_S) -> float:
    """Read a duration such as 250ms, 2s or 1min, as seconds."""
    match = _DURATION.fullmatch(tree.value.strip()) if isinstance(tree.value, str) else None
    if match is None:
        tree.refuse(f"{what} must be a duration with its unit, not {tree.shape()}.", "Write it like 250ms, 2s or 1min.")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= limit:
        tree.refuse(f"{what} must be above 0 and at most {limit:g} s.")
    return seconds


def integer(tree: Tree, what: str, least: int, most: int) -> int:
    """Read a whole number between two bounds."""
    if isinstance(tree.value, bool) or not isinstance(tree.value, int) or not least <= tree.value <= most:
        tree.refuse(f"{what} must be a whole number from {least} to {most}, not {tree.shape()}.")
    return tree.value


def number(tree: Tree, what: str, least: float, most: float) -> float:
    """Read a number between two bounds."""
    value = tree.value
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not least <= value <= most:
        tree.refuse(f"{what} must be a number from {least:g} to {most:g}, not {tree.shape()}.")
    return float(value)


def reference(tree: Tree, what: str) -> Reference:
    """Read a dotted path."""
    found = parse_reference(tree.text(what))
    if found is None:
        tree.refuse(f"{what} must be a reference like node.field, not {tree.shape()}.")
    return found


def value(tree: Tree, what: str) -> Value:
    """Read a value: a text is a reference unless it has quotes of its own; everything else is a constant."""
    if not isinstance(tree.value, str):
        return Literal(tree.plain())
    text = tree.value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return Literal(text[1:-1])
    if _AGGREGATE.fullmatch(text):
        tree.refuse(
            f"{what} uses the aggregate '{text}'.", "Add up in an operation or a rulebook, and refer to its field."
        )
    found = parse_reference(text)
    if found is None:
        tree.refuse(
            f"{what} is {tree.shape()}, which is neither a reference (node.field) nor a constant.",
            "Put a text constant into quotes of its own: \"'text'\".",
        )
    return found


def condition(tree: Tree, what: str) -> Condition:
    """Read a condition; the error points at the character."""
    text = tree.value if isinstance(tree.value, str) else str(tree.shape())
    try:
        return parse_condition(text)
    except ConditionError as error:
        tree.refuse(f"{what}: {error.what}", "Write it like total > 100 and is_active.", shift=error.offset)


def names(tree: Tree, what: str) -> list[tuple[str, Tree]]:
    """Read a list of names with their places; a single name is a list of one."""
    members = [tree] if isinstance(tree.value, str) else tree.items(what)
    return [(member.text(f"each name in {what}"), member) for member in members]


def _retry(tree: Tree) -> Retry:
    if isinstance(tree.value, int):
        return Retry(integer(tree, "retry", 1, MAX_ATTEMPTS))
    tree.mapping("retry")
    only(tree, ("attempts", "delay", "factor", "max_delay", "jitter", "on"), "retry")
    default = Retry(3)
    attempts, delay, longest = tree.get("attempts"), tree.get("delay"), tree.get("max_delay")
    factor, jitter, on = tree.get("factor"), tree.get("jitter"), tree.get("on")
    kinds = names(on, "retry.on") if on else []
    for kind, place in kinds:
        if kind not in _ERRORS:
            place.refuse(f"There is no error '{kind}'.", nearest(kind, sorted(_ERRORS)))
    return Retry(
        attempts=integer(attempts, "retry.attempts", 1, MAX_ATTEMPTS) if attempts else default.attempts,
        delay_s=duration(delay, "retry.delay") if delay else default.delay_s,
        factor=number(factor, "retry.factor", 1, 10) if factor else default.factor,
        max_delay_s=duration(longest, "retry.max_delay") if longest else default.max_delay_s,
        jitter=number(jitter, "retry.jitter", 0, 1) if jitter else default.jitter,
        on=tuple(kind for kind, _ in kinds) or default.on,
    )


def _breaker(tree: Tree) -> BreakerRule:
    tree.mapping("breaker")
    only(tree, ("failures", "reset"), "breaker")
    failures, reset = tree.get("failures"), tree.get("reset")
    return BreakerRule(
        failures=integer(failures, "breaker.failures", 1, MAX_FAILURES) if failures else 5,
        reset_s=duration(reset, "breaker.reset") if reset else 30.0,
    )


def _cache(tree: Tree, inputs: Sequence[str]) -> CacheRule:
    tree.mapping("cache")
    only(tree, ("ttl", "stale", "key"), "cache")
    ttl, stale, key = tree.get("ttl"), tree.get("stale"), tree.get("key")
    if ttl is None and stale is None:
        tree.refuse(
            "cache needs 'ttl' or 'stale'.",
            "Write how long an answer lives, like ttl: 30s, or may stand in for one that does not come, like stale: 1min.",
        )
    members = names(key, "cache.key") if key else []
    for name, place in members:
        if inputs and name not in inputs:
            place.refuse(f"cache.key names '{name}', which is no input of this node.", nearest(name, list(inputs)))
    return CacheRule(
        duration(ttl, "cache.ttl", MAX_CACHE_TTL_S) if ttl else 0.0,
        tuple(name for name, _ in members),
        duration(stale, "cache.stale", MAX_CACHE_TTL_S) if stale else 0.0,
    )


def policy(tree: Tree, inputs: Sequence[str]) -> Policy:
    """Read the protecting fields of a node."""
    timeout, retry, breaker, cache = (tree.get(name) for name in ("timeout", "retry", "breaker", "cache"))
    fallback = tree.value.get("fallback") if isinstance(tree.value, dict) else None
    return Policy(
        timeout_s=duration(timeout, "timeout") if timeout else None,
        retry=_retry(retry) if retry else None,
        breaker=_breaker(breaker) if breaker else None,
        fallback=value(fallback, "fallback") if isinstance(fallback, Tree) else None,
        cache=_cache(cache, inputs) if cache else None,
    )
