"""`restock rules fmt`: prints, checks and rewrites, and leaves a text that it cannot read alone."""

from __future__ import annotations

from pathlib import Path

from cli_world import Restock

UNTIDY = "// why\nrule A { when x > 1 then y=1; }\n"
TIDY = "// why\nrule A {\n    when\n        x > 1\n    then\n        y = 1;\n}\n"


def test_fmt_prints_checks_and_rewrites(restock: Restock, tmp_path: Path) -> None:
    path = tmp_path / "mine.grl"
    path.write_text(UNTIDY)
    assert restock("rules", "fmt", path).stdout == TIDY
    assert path.read_text() == UNTIDY
    checked = restock("rules", "fmt", "--check", path)
    assert checked.exit_code == 1
    assert "differs from its canonical form" in checked.stderr
    assert restock("rules", "fmt", "--write", path).exit_code == 0
    assert path.read_text() == TIDY
    assert restock("rules", "fmt", "--check", path).exit_code == 0


def test_fmt_leaves_a_text_that_it_cannot_read_alone(restock: Restock, tmp_path: Path) -> None:
    path = tmp_path / "bad.grl"
    path.write_text("rule A { when x > then y = 1; }")
    result = restock("rules", "fmt", "--write", path)
    assert "Expected a value" in str(result.exception) + result.stderr
    assert result.exit_code != 0
    assert path.read_text() == "rule A { when x > then y = 1; }"
