"""What `defmodule` promises: known modules, no circle of imports, and no reading of what is not imported.

A text without `defmodule` has modules all the same (`;; MODULE: NAME`); then every rule sees every field. Only flat fields
belong to modules: facts belong to everybody.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from restock.engine.rules.errors import RuleError, SourceText, nearest
from restock.engine.rules.syntax import Assignment, Expression, Module, Name, Rule, RulebookSyntax, children


def check_modules(source: SourceText, syntax: RulebookSyntax, errors: list[RuleError]) -> None:
    """Add an error for each unknown module, each circle and each read of a field that no import brings."""
    known: dict[str, Module] = {}
    for module in syntax.modules:
        if module.name in known:
            errors.append(source.error(module.place, f"There is already a module '{module.name}'."))
        known[module.name] = module
    for module in syntax.modules:
        for one in module.imports:
            if one.module not in known:
                message = f"There is no module '{one.module}' to import from."
                errors.append(source.error(one.place, message, nearest(one.module, known)))
    circle = _circle(known)
    if circle:
        message = f"Modules import one another in a circle: {' imports '.join(circle)}."
        errors.append(source.error(known[circle[0]].place, message))
    if known and not errors:
        _check_reads(source, syntax, known, errors)


def _circle(known: dict[str, Module]) -> list[str]:
    """Give one circle of imports, beginning and ending with the same module; empty when there is none."""
    done: set[str] = set()
    for start in known:
        path: list[str] = []
        stack = [(start, False)]
        while stack:
            name, left = stack.pop()
            if left:
                done.add(path.pop())
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in done and name in known:
                path.append(name)
                stack.append((name, True))
                stack += [(one.module, False) for one in reversed(known[name].imports)]
    return []


def _check_reads(source: SourceText, syntax: RulebookSyntax, known: dict[str, Module], errors: list[RuleError]) -> None:
    writers: dict[str, list[Rule]] = {}
    for rule in syntax.rules:
        for action in rule.actions:
            if isinstance(action, Assignment) and action.target[:1] != "$":
                writers.setdefault(action.target, []).append(rule)
    for rule in syntax.rules:
        if rule.module not in known:
            continue
        for name in _reads(rule):
            found = writers.get(name.name, [])
            if found and not any(_visible(writer, known[rule.module], known) for writer in found):
                others = ", ".join(dict.fromkeys(writer.module for writer in found))
                message = f"'{name.name}' is set by module {others}, from which {rule.module} does not import it."
                errors.append(source.error(name.place, message))
                break


def _visible(writer: Rule, module: Module, known: dict[str, Module]) -> bool:
    """Tell whether what a rule sets may be read in a module: its own, or exported there and imported here."""
    if writer.module == module.name:
        return True
    other = known.get(writer.module)
    exported = other is None or _fits(writer.name, other.exports)
    return exported and any(one.module == writer.module and _fits(writer.name, one.rules) for one in module.imports)


def _fits(name: str, pattern: str) -> bool:
    return pattern == "all" or (pattern != "none" and fnmatchcase(name, pattern))


def _reads(rule: Rule) -> list[Name]:
    found: list[Name] = []
    stack: list[Expression] = [rule.condition]
    stack += [action.value for action in rule.actions if isinstance(action, Assignment)]
    while stack:
        node = stack.pop()
        if isinstance(node, Name):
            found.append(node)
        stack += children(node)
    return found
