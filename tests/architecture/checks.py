"""What tidy means, one function per rule: each takes a file and gives (line, what is wrong). `test_checks.py` tests them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from project_files import PythonFile

Offences = Iterator[tuple[int, str]]
Check = Callable[[PythonFile], Offences]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
VAGUE_NAMES = re.compile(r"(util|helper|manager|misc)s?|common")

EXACT = ("core/", "purchasing/", "decisions/", "inventory/", "units/", "suppliers/", "orders/", "engine/rules/")
"""Where quantities and money are counted, so no binary floating point may come near."""

PRINTERS = ("edge/cli/", "edge/cli.py")

WRITERS = (
    "adapters/",
    "edge/files/",
    "edge/files.py",
    "core/failpoint.py",  # the log of passed failpoints, written only for a test that asks for it
)
"""Where something durable may be written: everywhere else a store asks the Database port."""

_DRAWS = {"random": r"(?!Random$)\w+", "uuid": r"uuid\d", "secrets": r"\w+", "os": "urandom"}
"""What draws without being given a seed, by module."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long_file(file: PythonFile) -> Offences:
    lines = len(file.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield lines, f"{lines} lines, the limit is {MAX_FILE_LINES}"


def too_long_function(file: PythonFile) -> Offences:
    for node in file.nodes:
        if isinstance(node, _Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines, the limit is {MAX_FUNCTION_LINES}"


def vague_name(file: PythonFile) -> Offences:
    for part in file.path.removesuffix(".py").split("/"):
        if VAGUE_NAMES.fullmatch(part):
            yield 1, f"{part!r} says nothing about what is inside"


def missing_docstring(file: PythonFile) -> Offences:
    if not ast.get_docstring(file.tree):
        yield 1, "the module has no docstring"
    yield from _undocumented(file.tree, "")


def _undocumented(parent: ast.Module | ast.ClassDef, prefix: str) -> Offences:
    for node in parent.body:
        if not isinstance(node, _Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield node.lineno, f"{prefix}{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node, f"{node.name}.")


def binary_float(file: PythonFile) -> Offences:
    if not file.within(*EXACT):
        return
    refused = {id(inner) for node in file.nodes if _is_type_test(node) for inner in ast.walk(node)}
    for node in file.nodes:
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        named = isinstance(node, ast.Name) and node.id == "float"
        if (literal or named) and id(node) not in refused and "float" not in file.comments.get(node.lineno, ""):
            yield node.lineno, "a float"


def _is_type_test(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"


def printing(file: PythonFile) -> Offences:
    if file.within(*PRINTERS):
        return
    for node in file.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno, "print()"


def blanket_suppression(file: PythonFile) -> Offences:
    for line, comment in file.comments.items():
        for kind, code in (("noqa", r"noqa: [A-Z]+[0-9]+"), ("type: ignore", r"type: ignore\[[a-z-]+")):
            if re.search(rf"#\s*{kind}\b", comment) and not re.search(rf"#\s*{code}", comment):
                yield line, f"'{kind}' without a code"


def stray_write(file: PythonFile) -> Offences:
    if file.within(*WRITERS):
        return
    for node in file.nodes:
        if isinstance(node, ast.Constant) and node.value == "COMMIT":
            yield node.lineno, "COMMIT"
        elif isinstance(node, ast.Call) and _writes(node):
            yield node.lineno, ast.unparse(node.func)


def _writes(call: ast.Call) -> bool:
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    if name in {"sqlite3.connect", "os.replace", "os.rename"} or last in {"write_text", "write_bytes"}:
        return True
    if last == "commit":  # of a connection; the offsets of a stream are committed with arguments, through its database
        return not call.args and not call.keywords
    return last == "open" and bool(re.fullmatch(r"[rwaxbt+]*[wax+][bt+]*", _mode(call)))


def _mode(call: ast.Call) -> str:
    """Give the mode of `open(path, mode)` or `path.open(mode)`."""
    place = 1 if isinstance(call.func, ast.Name) else 0
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] + call.args[place : place + 1]
    return str(given[0].value) if given and isinstance(given[0], ast.Constant) else ""


def wall_clock(file: PythonFile) -> Offences:
    if file.within("core/clock.py"):
        return
    for node in file.nodes:
        name = dotted(node) if isinstance(node, ast.Attribute) else ""
        if re.search(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns|localtime|gmtime))$", name):
            yield node.lineno, name
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            wanted = {"time", "time_ns", "localtime", "gmtime"} & {alias.name for alias in node.names}
            yield from ((node.lineno, f"from time import {each}") for each in sorted(wanted))


def uninjected_randomness(file: PythonFile) -> Offences:
    if file.within("core/ids.py"):
        return
    imported = {alias.name for node in file.nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in file.nodes:
        if isinstance(node, ast.Attribute):
            module, _, name = dotted(node).partition(".")
            if module in imported and re.fullmatch(_DRAWS.get(module, ""), name):
                yield node.lineno, f"{module}.{name}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"random", "uuid", "secrets"}:
            for alias in node.names:
                if alias.name not in {"Random", "UUID"}:
                    yield node.lineno, f"from {node.module} import {alias.name}"
        elif isinstance(node, ast.Call) and dotted(node.func) in {"Random", "random.Random"} and not node.args:
            yield node.lineno, "Random() without a seed"


def borrowed_execution(file: PythonFile) -> Offences:
    """Find SQLAlchemy used for more than declaring: its sessions, its engines, its inexact columns."""
    for node in file.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            if node.module == "sqlalchemy.orm":
                yield node.lineno, "sqlalchemy.orm"
            for alias in node.names:
                if alias.name in {"Float", "Double", "Numeric", "DECIMAL", "REAL"}:
                    yield node.lineno, f"a column of type {alias.name}"
                elif alias.name == "create_engine" and not file.within("adapters/"):
                    yield node.lineno, "create_engine"


def dotted(node: ast.AST) -> str:
    """Give `a.b.c` for the expression that reads so, and the last name alone where something is called before it."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return ""
