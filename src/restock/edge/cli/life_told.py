"""What the commands of a rulebook's life share: who does it, and how a version is told."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from typing import Any

import click

from restock.decisions.model import Impact, Shadow, State, Version, short, standing
from restock.edge.cli.output import Column, echo_json, moment, money, quantity, table

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

NEXT = {
    State.DRAFT: "restock rules advance {name} {version}",
    State.CHECKED: "restock rules advance {name} {version}",
    State.PROVED: "restock rules advance {name} {version}",
    State.SHADOW: "restock rules approve {name} {version} --by WHO",
    State.APPROVED: "restock rules activate {name} {version}",
    State.ACTIVE: "restock rules rollback {name}",
}
"""The command that goes on from a state."""


def this_user() -> str:
    """Give the name of whoever is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "restock"


by: Option = click.option("--by", default=this_user, help="Who does it; by default whoever is logged in.")
why: Option = click.option("--why", default="", help="Why, for the history.")


def tell(version: Version, as_json: bool) -> None:
    """Say where a version stands, and which command goes on from there."""
    if as_json:
        echo_json(version)
    else:
        click.echo(told(version))


def told(version: Version) -> str:
    """Say where a version stands, and which command goes on from there."""
    text = f"{version.name} {short(version.version)} is {standing(version)}"
    if version.state == State.APPROVED and version.effective:
        return f"{text}; it comes into force by itself at {moment(version.effective)}."
    command = NEXT.get(State(version.state))
    after = command.format(name=version.name, version=short(version.version)) if command else ""
    return f"{text}. {'To take it back' if version.state == State.ACTIVE else 'Next'}: {after}" if after else f"{text}."


def version_table(versions: Sequence[Version]) -> str:
    """Lay out versions."""
    columns = [Column("version"), Column("state"), Column("since"), Column("by"), Column("author")]
    rows = [
        (
            short(one.version),
            one.state.replace("_", " "),
            moment(one.changed_at),
            one.changed_by,
            one.author,
            moment(one.effective),
            one.notes,
        )
        for one in versions
    ]
    return table([*columns, Column("effective"), Column("notes", cut=True)], rows)


def shadow_told(found: Shadow) -> str:
    """Say what a version would change."""
    if not found.against:
        return "Nothing of this name is in force: there is nothing to compare it with."
    lines = [f"Against {short(found.against)}, which is in force:"]
    if found.cases is not None:
        return "\n".join([*lines, *_impact("cases", found.cases)])
    for title, one in (("newest plan", found.catalogue), ("kept decisions", found.past)):
        lines += _impact(title, one)
    return "\n".join(lines)


def _impact(title: str, one: Impact) -> list[str]:
    lines = [f"  {title}: {one.changed:,} of {one.decisions:,} decisions change"]
    if one.refused:
        lines[0] += f", {one.refused:,} cannot be decided any more"
    for each in one.money:
        sign = "+" if each.change > 0 else ""
        currency = each.currency or "(currency unknown)"
        sums = f"{money(each.before)} becomes {money(each.after)} {currency} ({sign}{money(each.change)})"
        lines.append(f"    {one.money_field}{f' of {each.module}' if each.module else ''}: {sums}")
    for example in one.examples:
        names = dict.fromkeys([*example.before, *example.after])
        changes = ", ".join(
            f"{name} {_shown(example.before.get(name))} → {_shown(example.after.get(name))}" for name in names
        )
        lines.append(f"    {example.subject or example.decision_id}: {changes}")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quantity(value) or ("none" if value is None else '""')
