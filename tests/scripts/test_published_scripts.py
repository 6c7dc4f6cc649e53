"""The published helper scripts do what they say, as far as it can be done without a daemon and a cluster."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from restock.services import SERVICES

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
PUBLISHED = [
    "setup_databases",
    "build-all",
    "run_monolithic",
    "test-api",
    "test_purchasing_flow",
    "deploy-k8s",
    "cleanup-k8s",
]

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv/bin/restock").exists(), reason="they run what `make install` installed"
)


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=50, env=os.environ | environment
    )


def free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return int(attempt.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """All of Restock as one process, with the demo company, started as people start it."""
    home, grpc_port = tmp_path_factory.mktemp("monolith") / "var", free_port()
    environment = os.environ | {"RESTOCK_HOME": str(home), "PORT": "0", "RESTOCK_GRPC_PORT": str(grpc_port)}
    subprocess.run([ROOT / ".venv/bin/restock", "setup", "demo"], check=True, capture_output=True, env=environment)
    with subprocess.Popen([SCRIPTS / "run_monolithic"], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        (rest,) = [line.split()[2] for line in lines if "http://" in line]
        yield rest, f"127.0.0.1:{grpc_port}"
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("script", PUBLISHED)
def test_each_says_how_it_is_used(script: str) -> None:
    done = run(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: scripts/{script}")


def test_every_published_call_is_asked_and_answered(server: tuple[str, str]) -> None:
    done = run("test-api", "--at", server[0], "--grpc-at", server[1], "--orders", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in told if one["result"] != "answered"] == []
    assert done.returncode == 0
    assert {one["service"] for one in told} == {one.name for one in SERVICES}
    assert {one["call"] for one in told} >= {"POST /po/send", "rule_engine.RuleEngineService/Evaluate"}


def test_nothing_is_ordered_without_leave(server: tuple[str, str]) -> None:
    done = run("test-api", "--at", server[0], "--grpc-at", server[1], "--json")
    left_out = {one["call"] for one in map(json.loads, done.stdout.splitlines()) if one["result"] == "left out"}
    assert (done.returncode, left_out) == (0, {"POST /purchasing/flow", "POST /po/create"})


def test_an_answer_that_is_not_the_published_one_is_told(server: tuple[str, str]) -> None:
    done = run("test-api", "--at", server[0], "--grpc-at", server[1], "--product", "NO-SUCH")
    assert done.returncode == 1
    assert "wrong     oms           GET /oms/history/NO-SUCH: status 404" in done.stdout
    assert "wrong     oms           oms.OmsService/GetHistory: NOT_FOUND" in done.stdout


def test_nobody_is_told_as_nobody() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    done = run("test-api", "--at", f"http://{nobody}", "--grpc-at", nobody, "--json")
    results = {one["result"] for one in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, results) == (1, {"silent", "left out"})


def test_a_flow_answers_as_published_and_orders_once(server: tuple[str, str]) -> None:
    done = run("test_purchasing_flow", "--at", server[0], "--product", "PROD-002", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["result"] for one in told] == ["answered"] * len(told)
    assert "the same key again" in {one["call"] for one in told}
    assert done.returncode == 0


def test_databases_are_made_on_the_server_that_is_named() -> None:
    done = run(
        "setup_databases", RESTOCK_DB_HOST="127.0.0.1", RESTOCK_DB_PORT=str(free_port()), RESTOCK_DB_PASSWORD="x"
    )
    assert done.returncode != 0
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_would_be_done_is_shown() -> None:
    build = run("build-all", "--dry-run", "--push", "--tag", "shop.example.com/restock:7").stdout.splitlines()
    assert build == [
        "docker build --file deploy/Dockerfile --tag shop.example.com/restock:7 .",
        "docker push shop.example.com/restock:7",
    ]
    cleaned = run("cleanup-k8s", "--dry-run").stdout
    assert "delete deployment -l app.kubernetes.io/part-of=restock" in cleaned
    assert "persistentvolumeclaim" not in cleaned
    assert "delete namespace" not in cleaned
    assert "delete namespace purchasing-flow" in run("cleanup-k8s", "--dry-run", "--data").stdout


@pytest.mark.parametrize("script", ["build-all", "deploy-k8s", "cleanup-k8s"])
def test_a_slip_is_told_before_anything_is_done(script: str) -> None:
    done = run(script, "--nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Usage: scripts/{script}")


def test_an_overlay_that_is_not_there_is_told() -> None:
    done = run("deploy-k8s", "nowhere")
    assert done.returncode == 2
    assert "There is no overlay nowhere." in done.stderr
