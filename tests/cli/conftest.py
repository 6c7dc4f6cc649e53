"""The command line in the process of the test, on a home of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_world import Answer, Restock
from click.testing import CliRunner, Result

from restock.__main__ import Program
from restock.edge.cli.root import root


@pytest.fixture
def restock() -> Restock:
    """Run a command in this process on the home of the test."""

    def run(*arguments: object, given: str | bytes | None = None) -> Result:
        return CliRunner().invoke(root, [str(each) for each in arguments], input=given, obj=Program())

    return run


@pytest.fixture
def answer(restock: Restock) -> Answer:
    """Run a command that must succeed, with --json; give what it printed."""

    def run(*arguments: object) -> Any:
        result = restock(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@pytest.fixture
def company(restock: Restock) -> Restock:
    """The same, with the demo company loaded."""
    result = restock("setup", "demo")
    assert result.exit_code == 0, result.output
    return restock
