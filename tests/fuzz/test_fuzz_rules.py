"""The fuzz target holds on bytes that hypothesis draws, on its seeds, and under atheris where that is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from fuzz_target import ABSENT, ROOT, seeds, try_bytes, try_text
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=200)
@given(st.binary(max_size=120))
def test_any_bytes_load_and_decide_or_are_refused_with_a_place(data: bytes) -> None:
    try_bytes(data)


@pytest.mark.parametrize("data", seeds(), ids=range(len(seeds())))
def test_the_seeds_load(data: bytes) -> None:
    try_bytes(data)


FOUND = (
    # by atheris: a pattern in a call that is no function, beside declared types
    'input A.s: text; rule R { when $l: A(v > 1) then $l.w = true; } rule S { when f(A(v >= 0)) then Log("a", b); }',
    # by atheris: a promise that looks for a value in what is no list
    'input x: integer in 0..9; output y: bool; rule R { when x > 1 then y = true; } invariant "p": x in y;',
)


@pytest.mark.parametrize("text", FOUND)
def test_what_was_found_once_is_refused_with_a_place(text: str) -> None:
    try_text(text, "found.grl")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason=ABSENT)
def test_atheris_finds_nothing_in_some_seconds() -> None:
    command = [sys.executable, "-m", "tests.fuzz.rules", "--seconds", "15"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=55)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
