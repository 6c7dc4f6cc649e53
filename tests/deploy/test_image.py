"""The steps of the Dockerfile, carried out in folders: what is copied is there, what is installed runs.

No image is built here, for that needs a daemon and a registry. The commands are those of the Dockerfile itself, with its
folders in place of those of the image. `make deploy-check` runs this: it installs from the package index.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from manifests import DEPLOY, ROOT

pytestmark = pytest.mark.timeout(300)


def instructions(stage: int) -> Iterator[tuple[str, str]]:
    """Give the instructions of a stage: word and rest, lines that are continued joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    stages = re.split(r"^FROM .*\n", text.replace("\\\n", " "), flags=re.MULTILINE)
    for line in stages[stage].splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest


def given_to_the_daemon() -> list[str]:
    """Give what .dockerignore lets through."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for /opt/restock, made as the Dockerfile makes it."""
    place = tmp_path_factory.mktemp("image")
    context, build, opt = place / "context", place / "build", place / "opt"
    for name in given_to_the_daemon():
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    build.mkdir()
    subprocess.run([sys.executable, "-m", "venv", place / "python"], check=True)
    environment = os.environ | {"PATH": f"{place / 'python/bin'}:{os.environ['PATH']}"}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
    for word, rest in instructions(1):
        if word == "COPY":
            *sources, target = rest.split()
            subprocess.run(["cp", "-r", *(context / one for one in sources), build / target], check=True)
        elif word == "RUN":
            command = rest.replace("/opt/restock", str(opt))
            subprocess.run(["sh", "-ec", command], check=True, cwd=build, env=environment)
    return opt


def test_what_is_installed_serves_and_is_healthy_by_its_own_check(image: Path, tmp_path: Path) -> None:
    (check,) = [rest for word, rest in instructions(2) if word == "HEALTHCHECK"]
    command = json.loads(check.partition("CMD ")[2])
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        port = attempt.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RESTOCK_", "PYTHON"))}
    environment = kept | {"PATH": f"{image / 'bin'}:{os.environ['PATH']}", "RESTOCK_HOME": str(tmp_path / "var")}
    environment |= {"PORT": str(port), "RESTOCK_PORT": str(port)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, "refused" in done.stderr) == (1, True), "nobody is there yet"
    with subprocess.Popen(["restock", "serve"], env=environment, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                assert answer.status == 200
                break
            time.sleep(0.1)
        subprocess.run(command, env=environment, check=True, cwd=tmp_path)
        process.terminate()
        assert process.wait(30) == 0


def test_the_image_has_the_clients_of_all_servers(image: Path) -> None:
    subprocess.run(
        [image / "bin/python", "-c", "import asyncmy, confluent_kafka, grpc, restock.edge.grpc.server"], check=True
    )


def test_the_last_stage_is_not_root_and_holds_no_builder() -> None:
    last = list(instructions(2))
    assert ("USER", "10001:10001") in last
    assert [rest for word, rest in last if word == "COPY"] == ["--from=build /opt/restock /opt/restock"]
    (entry,) = [rest for word, rest in last if word == "ENTRYPOINT"]
    assert json.loads(entry) == ["restock"]
