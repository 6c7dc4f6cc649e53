"""What the SQL engine asks of a rulebook: its name, text and program. `Rulebook` is one; naming it here would be a cycle."""

from __future__ import annotations

from typing import Protocol

from restock.core.errors import InvalidInput
from restock.engine.rules.errors import SourceText, meant
from restock.engine.rules.ir import Program
from restock.engine.rules.ir_patterns import FactProgram
from restock.engine.rules.modules import module_program


class Book(Protocol):
    """A rulebook."""

    name: str
    text: str

    @property
    def program(self) -> Program:
        """The typed rules."""
        ...


class FactBook(Protocol):
    """A rulebook over facts."""

    source: SourceText
    program: FactProgram


def program_of(book: Book, module: str) -> tuple[SourceText, Program]:
    """Give the program of a rulebook or of one of its modules. Raises InvalidInput with the nearest name."""
    source, program = SourceText(book.name, book.text), book.program
    if not module:
        return source, program
    modules = program.modules()
    if module not in modules:
        raise InvalidInput(f"{book.name} has no module {module!r}.", field="module", remedy=meant(module, modules))
    return source, module_program(source, program, module)
