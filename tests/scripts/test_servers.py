"""The scripts that start servers: one server however often, back after kill -9 with what it had, gone when told so."""

from __future__ import annotations

import os
import re
import shlex
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from _pytest.mark import ParameterSet

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
NOT_RUNNING = 3  # as for the scripts of the system's services
Client = Callable[[str, str], str]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=170)


def mysql(address: str, text: str) -> str:
    url = urlsplit(address)
    command = [
        "mysql",
        "--no-defaults",
        "--batch",
        "-h",
        str(url.hostname),
        "-P",
        str(url.port),
        "-u",
        str(url.username),
    ]
    return client([*command, "-e", text], MYSQL_PWD=str(url.password))


def postgresql(address: str, text: str) -> str:
    return client(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text, address])


def redis(address: str, text: str) -> str:
    url = urlsplit(address)
    return client(["redis-cli", "-p", str(url.port), *text.split()], REDISCLI_AUTH=str(url.password))


def client(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)
    return done.stdout


def kafka(address: str, text: str) -> str:
    """Ask which requests the broker takes, the first thing a client does, without a client."""
    host, port = address.split(":")
    request = struct.pack(">hhih", 18, 0, 7, len(text)) + text.encode()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        number, error = struct.unpack(">4xih", connection.recv(10, socket.MSG_WAITALL))
    return f"answer to {number}, error {error}"


def server(name: str, *values: object) -> ParameterSet:
    return pytest.param(*values, id=name, marks=pytest.mark.server(name))


SERVERS = [
    server("mysql", "mariadb", mysql, "CREATE DATABASE kept", "SHOW DATABASES LIKE 'kept'", "kept"),
    server("postgresql", "postgresql", postgresql, "CREATE TABLE kept ()", "SELECT count(*) FROM kept", "0"),
    server("redis", "redis", redis, "SET lost 1", "PING", "PONG"),
    server("kafka", "kafka", kafka, "restock", "restock", "answer to 7, error 0"),
]


@pytest.fixture
def folder(script: str, tmp_path: Path) -> Iterator[str]:
    """Where the server of this test lives; nothing of it is left running, however the test ends."""
    yield str(tmp_path / "server")
    run(script, "kill", str(tmp_path / "server"))


@pytest.mark.slow
@pytest.mark.timeout(400)  # two starts of a broker on a machine that does other work
@pytest.mark.parametrize(("script", "ask", "write", "read", "kept"), SERVERS)
def test_a_killed_server_is_back_at_its_address_with_what_it_had(
    folder: str, script: str, ask: Client, write: str, read: str, kept: str
) -> None:
    first = run(script, "up", folder)
    assert first.returncode == 0, first.stderr
    address = shlex.split(first.stdout)[1].partition("=")[2]
    ask(address, write)
    running = run(script, "status", folder).stdout
    assert run(script, "up", folder).stdout == first.stdout
    assert run(script, "status", folder).stdout == running, "it was not started a second time"

    assert run(script, "kill", folder).returncode == 0
    assert run(script, "status", folder).returncode == NOT_RUNNING
    again = run(script, "up", folder)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    assert kept in ask(address, read)

    assert run(script, "down", folder).returncode == 0
    assert run(script, "status", folder).returncode == NOT_RUNNING
    with pytest.raises((OSError, subprocess.CalledProcessError)):
        ask(address, read)


@pytest.mark.parametrize("script", ["mariadb", "postgresql", "redis", "kafka"])
def test_a_server_that_never_ran_is_not_running_and_leaves_nothing(script: str, tmp_path: Path) -> None:
    place = tmp_path / "none"
    assert run(script, "status", str(place)).returncode == NOT_RUNNING
    assert run(script, "down", str(place)).returncode == 0
    assert run(script, "kill", str(place)).returncode == 0
    assert "up starts it" in run(script, "address", str(place)).stderr
    assert not place.exists()


@pytest.mark.parametrize("arguments", [("kafka",), ("kafka", "restart"), ("services",), ("services", "up", "oracle")])
def test_what_is_not_understood_is_answered_by_how_to_say_it(arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.returncode == 2
    assert said.stderr.startswith("Usage: scripts/")
    assert not said.stdout


def test_what_the_guide_tells_to_call_is_there() -> None:
    text = (ROOT / "docs/how-to/start-the-servers.md").read_text("utf-8")
    told = set(re.findall(r"scripts/(\w+) ([a-z]+)", text))
    assert len(told) > 5
    usages = {script: run(script).stderr for script, _ in told}
    assert not [f"scripts/{script} {verb}" for script, verb in told if not re.search(rf"\b{verb}\b", usages[script])]
