"""What `.importlinter` cannot say, asked of the same graph: no cycle, pure cores, neighbours known by their ports."""

from __future__ import annotations

import ast
import configparser
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter

import grimp
from project_files import ROOT, none, python_files

from restock.app import WIRED

VALUES = ("model", "history")
"""The pure modules of a context; a model too long for one file goes on in a second, declared here and in .importlinter."""

PROMISES = ("port", *VALUES)
"""The modules of a context that others may know."""

WIRING = "restock.app"

TABLES = ("store", "tables")
"""The modules that declare a context's tables: the table of services names them beside the database that holds them."""


@cache
def graph() -> grimp.ImportGraph:
    """Give every import of the product, those inside functions and for type checking included."""
    return grimp.build_graph("restock", include_external_packages=True, cache_dir=None)


def modules() -> list[str]:
    return sorted(name for name in graph().modules if name == "restock" or name.startswith("restock."))


def imports() -> list[tuple[str, str]]:
    return [
        (module, target) for module in modules() for target in sorted(graph().find_modules_directly_imported_by(module))
    ]


def contexts() -> list[str]:
    """Give the packages that promise something to others."""
    return sorted(name.removesuffix(".port") for name in modules() if name.endswith(".port") and name.count(".") == 2)


def context_of(module: str) -> str:
    return next((name for name in contexts() if module == name or module.startswith(name + ".")), "")


def local_name(module: str) -> str:
    """Give the name of a module inside its context; nothing for a module outside all contexts."""
    return module.removeprefix(context_of(module) + ".") if context_of(module) else ""


def test_there_is_no_cycle() -> None:
    needs = {module: graph().find_modules_directly_imported_by(module) for module in modules()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise AssertionError(
            f"{cycle}\n\nMove what they share into a module below them; a late import is no cure."
        ) from None


def test_core_and_models_use_only_the_standard_library_and_core() -> None:
    allowed = sys.stdlib_module_names - {"sqlite3"}
    none(
        [
            f"{module} imports {target}"
            for module, target in imports()
            if (module.startswith("restock.core.") or local_name(module) in VALUES)
            and not target.startswith("restock.core.")
            and not (context_of(target) == context_of(module) and local_name(target) in VALUES)
            and target.partition(".")[0] not in allowed
        ],
        "Hand plain values in, or move the function to the service or the store.",
    )


def test_a_context_is_known_by_its_port_and_its_model() -> None:
    none(
        [
            f"{module} imports {target}"
            for module, target in imports()
            if context_of(target) not in {"", context_of(module)}
            and local_name(target) not in PROMISES
            and not (module == "restock.services" and local_name(target) in TABLES)
            and module not in {WIRING, "restock.__main__"}
            and not module.startswith(WIRING + ".")
        ],
        f"Hold the port of the neighbour; only {WIRING} knows who keeps its promise.",
    )


def test_the_library_of_rules_needs_nothing_but_the_engine_of_rules_and_core() -> None:
    """Direct imports of the facade, and of everything below it."""
    none(
        [
            f"{module} imports {target}"
            for module, target in imports()
            if module.startswith(("restock.rules", "restock.engine.rules"))
            and target.startswith("restock.")
            and not target.startswith(("restock.engine.rules", "restock.core"))
        ],
        "Programs take restock.rules without the rest: hand the value in, or move it to core.",
    )


def test_every_context_stands_in_the_contracts() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    named = {
        "context": config["importlinter:contract:context"]["containers"].split(),
        "ports": config["importlinter:contract:ports"]["source_modules"].split(),
    }
    none(
        [
            f"{name} is missing from contract {key!r}"
            for key, names in named.items()
            for name in contexts()
            if name not in names
        ],
        "Add the new context to .importlinter.",
    )


REST_LIBRARIES = {"httptools", "msgspec", "uvloop"}
"""A server, its parser and its loop, and the encoding: decision 19 says why there is no framework among them."""


def test_rest_stands_on_no_web_framework() -> None:
    used = {target.partition(".")[0] for module, target in imports() if module.startswith("restock.edge.rest")}
    others = sorted(used - sys.stdlib_module_names - REST_LIBRARIES - {"restock"})
    none(others, "Serve it from the table of operations, or write a decision that replaces 19.")


def test_every_module_is_used() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"].values()
    used = {f"{WIRING}.{name}" for name in WIRED}  # a process imports by name the contexts that it serves
    used |= {target for _, target in imports()} | {script.partition(":")[0] for script in scripts}
    for file in python_files("tests/", "benchmarks/", "examples/"):
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                used |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    none(
        [name for name in modules() if name not in used and not graph().find_children(name)],
        "Nothing imports this: use it, test it or delete it.",
    )
