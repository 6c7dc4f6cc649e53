"""What `tests/conftest.py` promises every other test."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from project_files import ROOT

ONE_TEST_THAT_NEEDS_MYSQL = """
    import pytest

    @pytest.mark.server("mysql")
    def test_it():
        pass
"""
QUIET = ("-p", "no:randomly", "-p", "no:xdist", "-p", "no:asyncio", "-p", "no:cacheprovider", "-rs")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with our conftest and one test that needs a server; no server runs, none is required."""
    for name in ("RESTOCK_MYSQL_URL", "RESTOCK_REQUIRE"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text("utf-8"))
    pytester.makeini("[pytest]\naddopts = --strict-markers\nmarkers = server(name): needs a server")
    pytester.makepyfile(ONE_TEST_THAT_NEEDS_MYSQL)
    profile = hypothesis.settings.get_current_profile_name()
    monkeypatch.setenv("HYPOTHESIS_PROFILE", profile)  # the run inside must not change the profile of this one
    return pytester


def test_a_test_without_its_server_is_skipped_and_says_how_to_get_it(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess(*QUIET)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("*needs the server mysql: eval *scripts/services up mysql*in RESTOCK_MYSQL_URL*")


def test_a_required_server_that_is_missing_fails_the_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTOCK_REQUIRE", "kafka, mysql")
    result = project.runpytest_inprocess(*QUIET)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*RESTOCK_REQUIRE asks for it and it is missing: needs the server mysql*")


def test_another_required_server_leaves_the_skip(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_REQUIRE", "kafka")
    project.runpytest_inprocess(*QUIET).assert_outcomes(skipped=1)


def test_a_test_with_its_server_runs(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_REQUIRE", "mysql")
    monkeypatch.setenv("RESTOCK_MYSQL_URL", "mysql://127.0.0.1")
    project.runpytest_inprocess(*QUIET).assert_outcomes(passed=1)


def test_a_requirement_nobody_can_meet_is_refused(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_REQUIRE", "mysql,kafak")
    result = project.runpytest_inprocess(*QUIET)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*RESTOCK_REQUIRE names kafak; the servers are mysql*")


def test_a_server_that_does_not_exist_fails_its_test(project: pytest.Pytester) -> None:
    project.makepyfile(ONE_TEST_THAT_NEEDS_MYSQL.replace("mysql", "msql"))
    result = project.runpytest_inprocess(*QUIET)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*server('msql'): the servers are mysql*")


def test_every_test_has_a_home_of_its_own(home: Path, tmp_path: Path) -> None:
    assert os.environ["RESTOCK_HOME"] == str(home)
    assert home.is_relative_to(tmp_path)
    assert not home.exists()


def test_the_build_draws_the_same_examples_every_time() -> None:
    profile = hypothesis.settings.get_profile("ci")
    assert profile.derandomize
    assert profile.deadline is None
    assert not hypothesis.settings.get_profile("restock").derandomize
