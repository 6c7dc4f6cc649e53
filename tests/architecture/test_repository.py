"""What is in the repository besides code: the lock, the Makefile, links, and nothing that belongs to one machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import yaml
from project_files import ROOT, documents, listed, none, walked

REGISTRIES = [
    ".".join(words)  # in two parts, so that this file does not offend itself
    for words in (
        ("pypi", "org"),
        ("files", "pythonhosted"),
        ("registry", "npmjs"),
        ("repo", "maven"),
        ("repo1", "maven"),
        ("index", "crates"),
        ("proxy", "golang"),
    )
]
NOT_TELLING = {"/", "/tmp", "/var", "/var/tmp", "/home", "/mnt", "/opt", "/srv", "/usr", "/usr/src", "/run", "/media"}
"""Folders that every machine has: their names give nothing away."""


def texts() -> Iterator[tuple[str, str]]:
    for path in listed(tracked_only=True):
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            yield path, data.decode("utf-8", "replace")


def lines_with(pattern: str) -> list[str]:
    found = re.compile(pattern)
    return [
        f"{path}:{number}: {match[0]}"
        for path, text in texts()
        if found.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := found.search(line))
    ]


def test_no_file_names_a_registry() -> None:
    none(
        lines_with("|".join(map(re.escape, REGISTRIES))),
        "Whoever installs decides from where: leave the address out, and make locks with --no-emit-index-url.",
    )


def test_no_file_names_a_folder_of_this_machine() -> None:
    folders = {str(ROOT), str(ROOT.parent), "/" + "root"} - NOT_TELLING
    none(
        lines_with(rf"(?<![\w.~*-])({'|'.join(map(re.escape, sorted(folders)))})(/|$)"),
        "Compute the path from __file__, take it as an argument, or write it relative to the repository.",
    )


def test_no_state_is_tracked() -> None:
    none(
        [
            path
            for path in listed(tracked_only=True)
            if path.startswith("var/") or re.search(r"\.(db|db-wal|db-shm|sqlite3?|pyc)$|(^|/)migrate\.lock$", path)
        ],
        "git rm --cached it; stores are made in RESTOCK_HOME, in a test in tmp_path.",
    )


def test_the_lock_covers_every_dependency_with_hashes() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = settings["project"]
    locks = {f"requirements.{name}.lock": group for name, group in settings["dependency-groups"].items()}
    locks["requirements.lock"] = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    offences = []
    for lock, wanted in locks.items():
        blocks = re.split(r"\n(?=\S)", (ROOT / lock).read_text("utf-8"))
        locked = {normal(block): block for block in blocks if not block.startswith("#")}
        offences += [f"{normal(each)} is not in {lock}" for each in wanted if normal(each) not in locked]
        offences += [f"{name} has no hash" for name, block in locked.items() if "--hash=sha256:" not in block]
    none(offences, "Run `make lock`.")


def normal(requirement: str) -> str:
    """Give the name of a requirement as indexes write it."""
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else requirement


def test_every_make_target_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    declared = re.search(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert declared, "The Makefile declares its targets with .PHONY."
    rules = re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)
    none(
        [f"make {name} has no help" for name in rules if not re.search(rf"^{name}:.* ## \S", text, re.MULTILINE)]
        + [f"make {name} is not in .PHONY" for name in rules if name not in declared[1].split()]
        + [f"make {name} is in .PHONY and nowhere else" for name in declared[1].split() if name not in rules],
        "Write `name: needs ## what it does`, and add the name to .PHONY.",
    )


def test_every_relative_link_leads_somewhere() -> None:
    none(
        [
            f"{page}: {target}"
            for page, text in documents()
            for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text))
            if not re.match(r"[a-z]+:", target) and not leads_somewhere(page, target)
        ],
        "Correct the link, or write the page.",
    )


def leads_somewhere(page: str, target: str) -> bool:
    path, _, heading = target.partition("#")
    file = (ROOT / PurePosixPath(page).parent / path) if path else ROOT / page
    if not file.exists():
        return False
    return not heading or file.suffix != ".md" or heading in headings(file.read_text("utf-8"))


def headings(text: str) -> set[str]:
    """Give the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def test_every_test_that_a_page_names_exists() -> None:
    sources = {path: (ROOT / path).read_text("utf-8") for path in listed() if re.match(r"tests/.*\.py$", path)}
    offences = []
    for page, text in documents():
        for path, name in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", text):
            if path not in sources:
                offences.append(f"{page}: there is no {path}")
            elif name and f"def {name}(" not in sources[path]:
                offences.append(f"{page}: {path} has no {name}")
    none(offences, "A page that names its proof must name a proof that runs.")


def test_nothing_needs_a_javascript_build() -> None:
    built = r"(^|/)(package(-lock)?\.json|yarn\.lock|[jt]sconfig\.json|node_modules/.*)$|\.(tsx?|jsx|vue|svelte)$"
    none(
        [path for path in listed() if re.search(built, path)],
        "Serve what the browser reads; decision 20 says why.",
    )


def test_no_manifest_is_a_template() -> None:
    template = r"(^|/)(Chart\.yaml|values\.yaml|helmfile\.ya?ml)$|\.(tpl|gotmpl|j2|jsonnet|libsonnet)$"
    offences = [path for path in listed() if re.search(template, path)]
    for path in listed():
        if re.match(r"deploy/k8s/.*\.ya?ml$", path):
            try:
                list(yaml.safe_load_all((ROOT / path).read_text("utf-8")))
            except yaml.YAMLError as error:
                offences.append(f"{path} is no YAML: {error}")
    none(offences, "Write the manifest, and an overlay for what differs; decision 21 says why.")


DECISIONS = [path for path in listed() if re.match(r"docs/decisions/\d", path)]
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "References"]


@pytest.mark.parametrize("path", DECISIONS)
def test_a_decision_is_short_and_complete(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    lines = text.splitlines()
    assert lines[0].startswith(f"# {int(PurePosixPath(path).name[:4])}. "), "The title begins with the number."
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == HEADINGS, f"The headings are {', '.join(HEADINGS)}."
    assert len(lines) <= 40, "A decision has at most 40 lines: give the reason, not the manual."
    decision = text.partition("## Decision\n")[2].partition("\n## ")[0].strip()
    assert decision.startswith("> ") and decision.count(". ") == 0, "The decision is one sentence that can be quoted."
    assert re.fullmatch(r"Enforced by `tests/\S+`\.?", lines[-1]), "The last line is: Enforced by `tests/…::test_…`."


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(PurePosixPath(path).name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1)), "Take the next free number."


def test_without_git_the_files_are_found_by_what_is_ignored(tmp_path: Path) -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert all(line.endswith("/") and "/" not in line[:-1] for line in ignored), "else `walked` must learn more"
    assert set(listed()) <= set(walked(ROOT))
    (tmp_path / ".gitignore").write_text("var/\n*.egg-info/\n", "utf-8")
    for path in ("a.py", "b/var/c.py", "b/d.egg-info/e.py", "b/f.py", ".git/g.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert walked(tmp_path) == (".gitignore", "a.py", "b/f.py")
