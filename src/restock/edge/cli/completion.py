"""`restock completion`: the script that lets a shell complete commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from restock.edge.cli.root import COMPLETION, root

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
Examples:
  restock completion bash > ~/.local/share/bash-completion/completions/restock
  restock completion zsh > ~/.zfunc/_restock
  restock completion fish > ~/.config/fish/completions/restock.fish"""
)
@click.argument("shell_name", type=click.Choice(SHELLS), metavar="bash|zsh|fish")
def completion(shell_name: str) -> None:
    """Print the completion script of a shell."""
    found = get_completion_class(shell_name)
    assert found is not None, "click knows the three"
    click.echo(found(root, {}, "restock", COMPLETION).source())


def command(_name: str) -> click.Command:
    """Give the command."""
    return completion
