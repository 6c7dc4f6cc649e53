"""`restock rules submit`: store a version of a rulebook as a draft."""

from __future__ import annotations

from pathlib import Path

import click

from restock.decisions.model import Version
from restock.decisions.port import SubmitRequest
from restock.edge.cli.decide import GRL
from restock.edge.cli.life_told import tell, this_user
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running
from restock.engine.rules.case_file import SUFFIX
from restock.engine.rules.loading import JSON


@click.command(
    epilog="""\b
Examples:
  restock rules submit purchasing.grl --notes "approval from 3,000 on"
  restock rules submit mine.grl --name purchasing --author alice
  restock rules submit purchasing.grl --effective 2026-12-01
  restock rules submit mine.json                         kept as the text it becomes

The cases beside the file, purchasing.cases.yaml, go with it. Nothing changes yet: a
version is checked, proved, tried, approved by somebody else, and then activated; with
--effective that happens by itself at the first moment of that day in UTC."""
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--name", default="", help="The name of the rulebook; by default that of the file.")
@click.option("--author", default=this_user, help="Who wrote it; by default whoever is logged in.")
@click.option("--notes", default="", help="What it changes, and why.")
@click.option("--effective", default="", help="The day or moment from which it is in force once approved.")
@as_json
@click.pass_obj
def submit(shell: Shell, file: Path, name: str, author: str, notes: str, effective: str, as_json: bool) -> None:
    """Submit a rulebook: store its text and its cases as a draft."""
    text = shell.rulebook_text(file)
    base = file.name.removesuffix(GRL).removesuffix(JSON)
    beside = file.with_name(base + SUFFIX)
    cases = shell.rulebook_text(beside) if beside.is_file() else ""
    request = SubmitRequest(name or base, text, author, cases, notes, effective)

    async def task(app: Running) -> Version:
        return await app.decisions.submit(request)

    tell(work(shell, task), as_json)
