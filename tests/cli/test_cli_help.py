"""Every command explains itself, and the table of operations is on the command line whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields

import click
import pytest
from cli_world import program

from restock.__main__ import Program
from restock.edge.cli import (
    analytics,
    completion,
    decide,
    demo,
    explain,
    flows,
    load,
    measure,
    operations,
    pipeline,
    replay,
    replenish,
    rules,
    schemas,
    serve,
    setup,
    stores,
    stream_move,
    streams,
    transfer,
    up,
)
from restock.edge.cli.meanings import ELSEWHERE, MEANINGS
from restock.edge.cli.root import COMMANDS, root
from restock.services import OPERATIONS

MODULES = (
    analytics, completion, decide, demo, explain, flows, load, measure, operations, pipeline, replay, replenish, rules,
    schemas, serve, setup, stores, stream_move, streams, transfer, up,
)  # fmt: skip


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group, obj=Program())
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


def test_every_module_of_commands_is_in_the_table() -> None:
    assert {entry.module for entry in COMMANDS.values()} == {module.__name__.rpartition(".")[2] for module in MODULES}


def test_every_command_has_a_summary_and_an_example() -> None:
    for path, found in commands(root):
        words = "restock " + " ".join(path)
        assert found.help, words
        assert found.epilog, words
        assert words in found.epilog or isinstance(found, click.Group), words
        assert "Example" in found.epilog, words


def test_every_option_says_what_it_does() -> None:
    for path, found in commands(root):
        for parameter in found.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (path, parameter.name)


def test_every_field_of_a_request_is_explained_and_nothing_else_is() -> None:
    asked = {(one.name, field.name) for one in OPERATIONS.values() for field in fields(one.request)}
    assert {field for _, field in asked} == set(MEANINGS)
    assert set(ELSEWHERE) <= asked
    shown = program("purchasing", "approve", "--help").stdout
    assert "The purchase order." in shown and "Text." not in shown


def test_every_operation_is_a_command() -> None:
    there = {path for path, _ in commands(root)}
    for operation in OPERATIONS.values():
        assert (operation.port, operation.method.replace("_", "-")) in there


def test_the_help_documents_every_exit_status_and_is_quick() -> None:
    begun = time.perf_counter()
    shown = subprocess.run([sys.executable, "-m", "restock", "--help"], capture_output=True, text=True, check=True)
    assert time.perf_counter() - begun < 2
    for status in ("0 done", "1 a part failed", "2 wrong input", "4 no such", "130 interrupted", "RESTOCK_HOME"):
        assert status in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], {"sqlalchemy", "polars", "msgspec", "restock.app"}),
        (["decide", "--rulebook", "published"], {"sqlalchemy", "polars", "httptools", "restock.app"}),
        (["rules", "check"], {"sqlalchemy", "polars", "restock.app"}),
    ],
)
def test_a_quick_command_loads_nothing_heavy(arguments: list[str], heavy: set[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "restock", *arguments]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=dict(os.environ)
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert done.returncode == 0
    assert not loaded & heavy


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "restock", "completion", shell], capture_output=True, text=True, check=True
    )
    assert "_RESTOCK_COMPLETE" in done.stdout


def test_the_version_and_the_help_need_no_command() -> None:
    for words in (["--version"], ["--help"], ["-h"], ["flow", "-h"]):
        done = subprocess.run([sys.executable, "-m", "restock", *words], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_the_nearest_command_is_named() -> None:
    done = subprocess.run([sys.executable, "-m", "restock", "flwo"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'flow'" in done.stderr
