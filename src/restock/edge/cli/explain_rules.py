"""`restock rules explain`: one decision of any rulebook with its reasons, and what would make it come out otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import click
import msgspec

from restock.core.errors import InvalidInput
from restock.edge.cli.decide import MAX_LINE, loaded
from restock.edge.cli.flips_told import change_told, flip_told, nearest_of_each, shown_value
from restock.edge.cli.output import echo_json
from restock.edge.cli.shell import Shell
from restock.edge.cli.waterfall import fired_and_silent
from restock.engine.rules import Explanation, FactRulebook, Flip, Rulebook, Value, explanation_mermaid
from restock.engine.rules.errors import meant
from restock.engine.rules.proof.smallest_change import Change, smallest_changes
from restock.engine.rules.proof.solver import installed

FORMATS = ("text", "json", "mermaid")

MOST = 6
"""Thresholds and changes that the text shows; JSON has all."""


@click.command(
    "explain",
    epilog="""\b
Examples:
  restock rules explain purchasing --facts product.json
  restock rules explain ./mine.grl --facts - --format json < product.json
  restock rules explain purchasing --facts product.json --format mermaid

Facts are one JSON object, - is standard input. It tells the rules that fired in
order with what they read and wrote, the first false condition of the others, and the
nearest thresholds that flip the decision; where the extra 'prove' is installed also
the smallest changes of facts that give another --output. Rules over facts take a
document as `restock decide` does; its facts are told as Line 1, Line 2 ...""",
)
@click.argument("name", metavar="NAME|FILE")
@click.option("--facts", required=True, help="A file with one JSON object, - is standard input.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to tell it.")
@click.option("--module", default="", help="Only the rules of this module, for example LINE or ORDER.")
@click.option("--output", default="", help="What the smallest change is to alter; by default what flips first.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_obj
def explain_rules(shell: Shell, name: str, facts: str, form: str, module: str, output: str, as_json: bool) -> None:
    """Explain a decision: what fired, what did not and why, what would flip it."""
    book = loaded(shell, name)
    given = read_facts(facts)
    why, flips = _explained(book, given, module)
    if form == "mermaid" and not as_json:
        click.echo(explanation_mermaid(why, nearest_of_each(flips, MOST)), nl=False)
        return
    target = _target(book, why, flips, output)
    changes = _changes(book, why, target) if not module else None
    if as_json or form == "json":
        echo_json(document(book, module, why, flips, target, changes))
    else:
        click.echo(_told(book, module, why, flips, target, changes))


def _explained(
    book: Rulebook | FactRulebook, given: Mapping[str, object], module: str
) -> tuple[Explanation, Sequence[Flip]]:
    if isinstance(book, Rulebook):
        return book.explain(given, module=module), book.flips(given, module=module)
    if module:
        raise InvalidInput("Rules over facts are run as a whole.", field="module", remedy="Leave --module out.")
    return book.explain(given), ()


def read_facts(name: str) -> dict[str, Any]:  # Any: what JSON holds
    """Read one JSON object with exact numbers. Raises InvalidInput."""
    with click.open_file(name, "rb") as stream:
        text = stream.read(MAX_LINE + 1)
    if len(text) > MAX_LINE:
        raise InvalidInput(f"The facts are longer than {MAX_LINE} bytes.", field="facts", remedy="Give one object.")
    try:
        facts = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        remedy = "Give one JSON object in UTF-8; `restock decide` takes several lines."
        raise InvalidInput(f"The facts are not JSON: {error}.", field="facts", remedy=remedy) from None
    if not isinstance(facts, dict):
        raise InvalidInput("The facts are not a JSON object.", field="facts", remedy='Write {"name": value, …}.')
    return facts


def document(
    book: Rulebook | FactRulebook,
    module: str,
    why: Explanation,
    flips: Sequence[Flip],
    target: str,
    changes: Sequence[Change] | None,
) -> dict[str, object]:
    """Give an explanation for machines; `changes` is null where no solver looked for them."""
    moved = [
        {"inputs": _pairs(one.inputs), "outputs": one.outputs, "sentence": change_told(one, target)}
        for one in changes or ()
    ]
    return {
        "rulebook": book.name,
        "version": book.version,
        "module": module,
        "facts": why.facts,
        "outputs": why.outputs,
        "fired": why.fired,
        "not_fired": why.not_fired,
        "flips": [
            {
                "subject": one.subject,
                "computed": one.computed,
                "before": one.before,
                "after": one.after,
                "difference": one.difference,
                "direction": one.direction,
                "outputs": _pairs(one.outputs),
                "sentence": flip_told(one),
            }
            for one in flips
        ],
        "changed_output": target,
        "changes": None if changes is None else moved,
    }


def _pairs(values: Mapping[str, tuple[Value | None, Value | None]]) -> dict[str, dict[str, Value | None]]:
    return {name: {"before": before, "after": after} for name, (before, after) in values.items()}


def _target(book: Rulebook | FactRulebook, why: Explanation, flips: Sequence[Flip], output: str) -> str:
    """Give the output that a smallest change alters: as asked, or what flips first, or the first word or flag."""
    if output:
        if output not in why.outputs:
            remedy = meant(output, why.outputs)
            raise InvalidInput(f"{book.name} has no output '{output}'.", field="output", remedy=remedy)
        return output
    if flips:
        return flips[0].headline[0]
    if isinstance(book, FactRulebook):
        return ""
    return next((name for name, value in why.outputs.items() if not isinstance(value, Decimal)), "")


def _changes(book: Rulebook | FactRulebook, why: Explanation, target: str) -> list[Change] | None:
    """Ask the solver where it is installed and the rules are one pass; say nothing where not."""
    if isinstance(book, FactRulebook) or not target or not installed() or book.engines["row"]:
        return None
    return smallest_changes(book, why.facts, target)


def _told(
    book: Rulebook | FactRulebook,
    module: str,
    why: Explanation,
    flips: Sequence[Flip],
    target: str,
    changes: Sequence[Change] | None,
) -> str:
    about = f", module {module}" if module else ""
    lines = [f"{book.name}{about}, version {book.version[:12]}", "", fired_and_silent(why)]
    if flips:
        lines += [
            "",
            "What would flip it, the nearest first",
            *(f"  {flip_told(one)}" for one in nearest_of_each(flips, MOST)),
        ]
    if changes:
        lines += ["", f"The smallest changes of facts for another {target}"]
        lines += [f"  {change_told(one, target)}" for one in changes[:MOST]]
    outputs = ", ".join(f"{name} {shown_value(value)}" for name, value in why.outputs.items())
    return "\n".join([*lines, "", f"outputs: {outputs}"])
