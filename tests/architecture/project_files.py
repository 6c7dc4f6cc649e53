"""The project's own files, as the tests of this folder read them."""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = "src/restock/"


@dataclass(frozen=True)
class PythonFile:
    """One Python file: its path in the project, its text, and what the compiler makes of it."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def comments(self) -> dict[int, str]:
        """Comments by line number; a comment's text begins with its #."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}

    def within(self, *places: str) -> bool:
        """Tell whether the file is one of the places, or in one that ends with a slash. Places are inside src/restock."""
        return any(self.path == SOURCE + place or _in_folder(self.path, SOURCE + place) for place in places)


def _in_folder(path: str, place: str) -> bool:
    return place.endswith("/") and path.startswith(place)


@cache
def listed(*, tracked_only: bool = False) -> tuple[str, ...]:
    """Give the paths of the project's files: what git tracks, and by default also what it would add.

    A machine without git, or a copy without its history, has no more than `.gitignore` to tell by.
    """
    which = ["--cached"] if tracked_only else ["--cached", "--others", "--exclude-standard"]
    # a continuous-integration machine may run as another user than the one that owns the checkout
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", *which]
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return walked(ROOT)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"These tests ask git which files are the project's, and it said: {done.stderr}"
    return tuple(sorted(path for path in set(done.stdout.split("\0")) if path and (ROOT / path).is_file()))


def walked(root: Path) -> tuple[str, ...]:
    """Give the paths below a folder, without what its `.gitignore` leaves out: folders only, by name, anywhere."""
    ignored = [line.rstrip("/") for line in (root / ".gitignore").read_text("utf-8").split()]
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ".git" and not any(fnmatch(name, each) for each in ignored)]
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in files if name != ".git"]
    return tuple(sorted(found))


@cache
def python_files(*folders: str) -> tuple[PythonFile, ...]:
    """Give the Python files in the folders, everywhere when none is named."""
    paths = [path for path in listed() if path.endswith(".py") and (not folders or path.startswith(folders))]
    return tuple(PythonFile(path, (ROOT / path).read_text("utf-8")) for path in paths)


def source_files() -> tuple[PythonFile, ...]:
    """Give the product's modules, without migrations: those are frozen, and Alembic loads them by path."""
    return tuple(file for file in python_files(SOURCE) if "/migrations/" not in file.path)


def documents() -> Iterator[tuple[str, str]]:
    """Give path and text of every Markdown page."""
    for path in listed():
        if path.endswith(".md"):
            yield path, (ROOT / path).read_text("utf-8")


def none(offences: list[str], advice: str) -> None:
    """Fail with the list of offences and what to do about them."""
    assert not offences, "\n" + "\n".join(offences) + f"\n\n{advice}"
