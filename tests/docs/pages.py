"""Runs the commands of a page of documentation and compares what they print with what the page says.

In a fenced `console` block a line that begins with `$ ` is a command, `> ` continues it, and the lines below are what it
prints. `…` in a line stands for any text, a line that is only `…` for any lines; a command without lines below it may print
what it likes. All commands of a page run in one shell, in an empty folder, so that a page is a session from its top to its
end. A command that ends with ` &` goes on beside the others and is stopped at the end.

A command that fails fails the page, unless the next one asks for the status: `$ echo $?`.
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from restock.services import SERVICES

ROOT = Path(__file__).parents[2]
DOCS_YEAR = "-2026-"
"""The year in the order numbers of the pages; commands that run in another year use theirs."""

DOCS_PORT = "127.0.0.1:8080"
"""The address in the pages; the commands use a free port instead, because a machine may have a server on this one."""

END = "restock-docs-end-of-command"
PATIENCE_SECONDS = 30.0
NOTICE = re.compile(r"^(bash: line \d+: +\d+|\[\d+\]\S*) +(Killed|Terminated|Done|Exit).*\n", re.MULTILINE)
"""What a shell tells of jobs, whenever it notices."""

FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """A command, the line of the page it is on, and what it is said to print."""

    line: int
    text: str
    expected: list[str]


def commands(page: str) -> Iterator[Command]:
    """Give the commands of a page in their order."""
    for block in FENCE.finditer(page):
        first = page.count("\n", 0, block.start()) + 2
        found: Command | None = None
        for number, line in enumerate(block[1].splitlines(), first):
            if line.startswith("$ "):
                if found:
                    yield found
                found = Command(number, line[2:], [])
            elif found and line.startswith("> ") and not found.expected:
                found = found._replace(text=f"{found.text}\n{line[2:]}")
            elif found:
                found.expected.append(line)
        if found:
            yield found


def agrees(expected: list[str], printed: str) -> bool:
    """Tell whether a text is what the page says, taking … for anything."""
    pattern = ""
    for line in expected:
        pattern += r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.rstrip().split("…"))) + r"\n"
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    return re.fullmatch(pattern.strip("\n"), "".join(f"{line}\n" for line in lines)) is not None


@dataclass
class Session:
    """A shell in which a page's commands run one after the other."""

    folder: Path
    port: int = 0
    moved: dict[str, str] = field(default_factory=dict)
    """Published addresses of services, and where they are in this session."""
    jobs: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder.mkdir(parents=True, exist_ok=True)
        tools = [str(Path(sys.executable).parent)]
        if shutil.which("curl") is None:
            tools.insert(0, str(self._curl()))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("RESTOCK_", "PYTEST"))}
        environment |= {"PATH": os.pathsep.join([*tools, os.environ["PATH"]]), "RESTOCK_PORT": str(self.port)}
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.folder,
            env=environment | {"PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, command: Command) -> tuple[str, int]:
        """Run a command; give what it prints, with the page's year and port, and its status."""
        text = command.text.replace(DOCS_YEAR, f"-{datetime.now(UTC).year}-")
        text = text.replace("restock up", "restock up --free-ports")
        for published, here in (self.moved or {DOCS_PORT: f"127.0.0.1:{self.port}"}).items():
            text = text.replace(published, here)
        if text.endswith(" &"):
            return self._beside(text, command.expected), 0
        printed, status = self._ask(f"{{ {text}\n}} </dev/null")
        if "restock up" in text:
            self.moved = self._services()
            for published, here in self.moved.items():
                printed = printed.replace(here, published.ljust(len(here)))
        return self._as_written(printed), status

    def _services(self) -> dict[str, str]:
        """Give where the services answer that are published elsewhere."""
        rows = {one["service"]: one for one in json.loads(self._ask("restock status --json")[0])["services"]}
        found = {}
        for one in SERVICES:
            found[f"127.0.0.1:{one.rest_port}"] = rows[one.name]["rest"].removeprefix("http://")
            if one.grpc_port:
                found[f"127.0.0.1:{one.beside_port or one.grpc_port}"] = rows[one.name]["grpc"]
        return found

    def close(self) -> None:
        """Stop what still runs."""
        if self.moved:
            self._ask("restock down")
        for job in self.jobs:
            self._ask(f"kill -TERM -- -{job}; wait {job}")
        assert self._shell.stdin and self._shell.stdout
        self._shell.stdin.close()
        self._shell.wait(PATIENCE_SECONDS)
        self._shell.stdout.close()

    def _ask(self, text: str) -> tuple[str, int]:
        assert self._shell.stdin and self._shell.stdout
        self._shell.stdin.write(f"{text}\n_status=$?; printf '\\n{END} %s\\n' $_status; (exit $_status)\n")
        self._shell.stdin.flush()
        printed = ""
        for line in self._shell.stdout:
            if line.startswith(END):
                return printed.removesuffix("\n"), int(line.split()[1])
            printed += line
        raise AssertionError(f"The shell ended at {text!r} after {printed!r}.")

    def _beside(self, text: str, expected: list[str]) -> str:
        """Start a command that stays, and wait until it has printed what the page says."""
        log = self.folder.parent / f"{self.folder.name}-{len(self.jobs)}.log"
        printed, _ = self._ask(f"set -m; {{ {text.removesuffix('&')} ; }} </dev/null >'{log}' 2>&1 &\necho $!; set +m")
        self.jobs.append(int(printed.split()[-1]))
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            written = self._as_written(log.read_text("utf-8")) if log.exists() else ""
            if agrees(expected, written):
                return written
            time.sleep(0.05)
        return written

    def _as_written(self, printed: str) -> str:
        printed = NOTICE.sub("", printed)
        printed = printed.replace(f"-{datetime.now(UTC).year}-", DOCS_YEAR)
        return printed.replace(f"127.0.0.1:{self.port}", DOCS_PORT).replace(str(self.folder), "…")

    def _curl(self) -> Path:
        """Stand in for curl on a machine that has none."""
        folder = self.folder.parent / "tools"
        folder.mkdir(exist_ok=True)
        tool = folder / "curl"
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("curl.py")}" "$@"\n', "utf-8")
        tool.chmod(0o755)
        return folder


def differences(page: Path, folder: Path) -> list[str]:
    """Run a page; give what is not as it says."""
    text = page.read_text("utf-8")
    found: list[str] = []
    session = Session(folder)
    every = list(commands(text))
    try:
        for at, command in enumerate(every):
            printed, status = session.run(command)
            asked = at + 1 < len(every) and every[at + 1].text == "echo $?"
            if status and not asked:
                found.append(f"line {command.line}: $ {command.text}\nended with status {status}:\n{printed}")
            elif command.expected and not agrees(command.expected, printed):
                expected = "\n".join(command.expected)
                found.append(
                    f"line {command.line}: $ {command.text}\n--- the page says\n{expected}\n--- it prints\n{printed}"
                )
    finally:
        session.close()
    return found
