"""Services start with just the environment and the secrets that compose gives each, and know one another by it.

Containers are stood for by processes: the commands, the names in the environment and the files of secrets are those of
services.yaml. What differs is where the database listens, free ports, names of databases and users of this test alone, and
the stream, which stands in the database here.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from manifests import compose

from restock.adapters.database.mysql import connected, sent
from restock.adapters.database.mysql_place import Place
from restock.services import SCHEMAS, SERVICES

pytestmark = [pytest.mark.slow, pytest.mark.server("mysql"), pytest.mark.timeout(120)]

NOT_HERE = {"RESTOCK_KAFKA_SERVERS", "OTEL_EXPORTER_OTLP_ENDPOINT"}
WALKING = ("oms", "inventory", "supplier", "uom", "rule-engine", "po", "orchestrator")
"""The services that a flow needs."""


class Containers:
    """The processes that stand for containers."""

    def __init__(self, place: Path, mark: str) -> None:
        self.url = urlsplit(os.environ["RESTOCK_MYSQL_URL"])
        self.said = compose("services")["services"]
        self._place, self._mark = place, mark
        self._ports: dict[str, str] = {}
        self._passwords = {
            one: f"{uuid4()}"
            for name in self.said
            for one in self.said[name].get("secrets", ())
            if isinstance(one, str)
        }
        self._passwords["db_root_password"] = str(self.url.password)

    def environment(self, name: str) -> dict[str, str]:
        """Give what a container is given, and nothing of this process but its path."""
        one, secrets = self.said[name], self._place / f"secrets-{name}"
        secrets.mkdir(exist_ok=True)
        for each in one["secrets"]:
            (secrets / each).write_text(self._passwords[each], "utf-8")
        given = {key: str(value).replace("/run/secrets", str(secrets)) for key, value in one["environment"].items()}
        made = {key: value for key, value in given.items() if key not in NOT_HERE}
        made |= {key: f"{self._mark}{value}" for key, value in made.items() if key.endswith(("_DB", "_DB_USER"))}
        made |= {key: self.port(f"{name} {key}") for key in ("PORT", "GRPC_PORT") if key in made}
        for service in SERVICES:
            if service.name in self.said and service.name != "stream" and service.grpc_port:
                variable = f"{service.name.upper().replace('-', '_')}_GRPC_URL"
                made[variable] = f"127.0.0.1:{self.port(f'{service.name} GRPC_PORT')}"
        if name == "databases":
            made["RESTOCK_DB_ADMIN_USER"] = str(self.url.username)
        made |= {"DB_PORT": str(self.url.port), "RESTOCK_HOME": str(self._place / f"home-{name}")}
        return made | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}

    def port(self, what: str) -> str:
        """Give a free port, the same for the same thing."""
        if what not in self._ports:
            with socket.socket() as attempt:
                attempt.bind(("127.0.0.1", 0))
                self._ports[what] = str(attempt.getsockname()[1])
        return self._ports[what]

    def asked(self, name: str, path: str, sent: object = None) -> tuple[int, object]:
        """Ask a service; give status and answer, or 0 when nobody is there."""
        body = None if sent is None else json.dumps(sent).encode()
        address = f"http://127.0.0.1:{self.port(f'{name} PORT')}{path}"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            return 0, None


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[Containers]:
    """Nothing runs yet; databases and users that were made are taken away in the end."""
    mark = f"t{uuid4().hex[:6]}_"
    made = Containers(tmp_path, mark)
    yield made

    async def dropped() -> None:
        admin = Place("127.0.0.1", int(made.url.port or 0), str(made.url.username), str(made.url.password))
        connection = await connected(admin)
        for name in SCHEMAS:
            await sent(connection, f"DROP DATABASE IF EXISTS `{mark}{name}_db`")
            await sent(connection, f"DROP USER IF EXISTS '{mark}{name}'@'%'")
        await connection.ensure_closed()

    asyncio.run(dropped())


def test_seven_services_walk_a_flow_with_what_compose_gives_them(containers: Containers) -> None:
    script = containers.said["databases"]["entrypoint"]
    made = subprocess.run(script, env=containers.environment("databases"), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    with ExitStack() as stack:
        running = {}
        for name in WALKING:
            command = ["restock", *containers.said[name]["command"]]
            process = subprocess.Popen(command, env=containers.environment(name), stdout=subprocess.DEVNULL)
            running[name] = stack.enter_context(process)
            stack.callback(suppressed, process)
        end = time.monotonic() + 60
        while (answers := {name: containers.asked(name, "/readyz") for name in WALKING}) and time.monotonic() < end:
            if all(status == 200 for status, _ in answers.values()):
                break
            time.sleep(0.2)
        assert {name: status for name, (status, _) in answers.items()} == dict.fromkeys(WALKING, 200)
        status, answer = containers.asked("orchestrator", "/purchasing/flow", {"product_id": "NO-SUCH"})
        assert (status, answer["field"]) == (404, "product_id"), "every neighbour was asked, and none knows it"
        for process in running.values():
            process.terminate()
        assert {name: process.wait(40) for name, process in running.items()} == dict.fromkeys(WALKING, 0)


def suppressed(process: subprocess.Popen[bytes]) -> None:
    """End a process that is still there after a failure."""
    with suppress(ProcessLookupError):
        process.kill()
