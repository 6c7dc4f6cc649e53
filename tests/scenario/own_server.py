"""A real server of one test alone, started by a script of the project, to be killed: others would miss theirs."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


class OwnServer:
    """The server that a script starts in a folder."""

    def __init__(self, script: str, folder: Path) -> None:
        self._script, self._folder = SCRIPTS / script, str(folder)

    def up(self) -> str:
        """Start it, on what it had; give its address."""
        return shlex.split(self._run("up"))[1].partition("=")[2]

    def kill(self) -> None:
        """End it as a power failure would."""
        self._run("kill")

    def _run(self, verb: str) -> str:
        done = subprocess.run(
            [self._script, verb, self._folder], capture_output=True, text=True, check=False, timeout=170
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
