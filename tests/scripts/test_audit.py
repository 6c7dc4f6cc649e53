"""`scripts/audit` says what it could not find out, and never calls that good."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit"
CLEAN = {"name": "one", "version": "1", "vulns": []}
HOLE = {"name": "two", "version": "1", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "three", "skip_reason": "could not be audited"}


def audit(place: Path, answer: str, *arguments: str, secrets: int = 0) -> tuple[int, str]:
    """Run the script in a project whose tools answer as told."""
    (place / "scripts").mkdir()
    script = place / "scripts" / "audit"
    script.write_text(SCRIPT.read_text("utf-8"), "utf-8")
    tools = place / ".venv-audit" / "bin"
    tools.mkdir(parents=True)
    (place / "answer").write_text(answer, "utf-8")
    for name, body in {
        "detect-secrets-hook": f"exit {secrets}",
        "cyclonedx-py": "exit 0",
        "pip-audit": f'cat "{place}/answer"',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        (tools / name).chmod(0o755)
    done = subprocess.run(["sh", str(script), *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("libraries", "code", "said"),
    [
        ([CLEAN, CLEAN], 0, "passed  2 libraries, no known vulnerability"),
        ([CLEAN, HOLE, SKIPPED], 1, "FAILED  known vulnerabilities: PYSEC-2026-1"),
        (
            [CLEAN, SKIPPED],
            0,
            "NOT CHECKED  known vulnerabilities: of 2 libraries no advisory service could be asked about 1",
        ),
        ([], 0, "NOT CHECKED  known vulnerabilities: of 0 libraries no advisory service could be asked about 0"),
    ],
)
def test_the_last_line_says_what_is_known(tmp_path: Path, libraries: list[object], code: int, said: str) -> None:
    assert audit(tmp_path, json.dumps({"dependencies": libraries})) == (code, said)


def test_who_asks_for_advisories_gets_a_failure_without_them(tmp_path: Path) -> None:
    code, said = audit(tmp_path, json.dumps({"dependencies": [SKIPPED]}), "--require-advisories")
    assert (code, said.split("  ")[0]) == (1, "NOT CHECKED")


def test_a_secret_fails(tmp_path: Path) -> None:
    assert audit(tmp_path, json.dumps({"dependencies": [CLEAN]}), secrets=1)[0] == 1
