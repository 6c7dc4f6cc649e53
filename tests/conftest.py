"""What every test gets: a home of its own, the hypothesis profile, and the rule for tests that need a server.

A test that needs a server says so: `@pytest.mark.server("mysql")`. Without the server's address in the environment it is
skipped with a reason that says how to get one. `RESTOCK_REQUIRE=mysql,kafka` turns that skip into a failure, so that a build
which promised a server cannot pass without it. An address that is given but does not answer is the test's own failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ("pytester",)

SERVERS = {
    "mysql": ("RESTOCK_MYSQL_URL", "mysql://user:password@127.0.0.1:3306", 'eval "$(scripts/services up mysql)"'),
    "postgresql": (
        "RESTOCK_POSTGRESQL_URL",
        "postgresql://user:password@127.0.0.1:5432/postgres",
        'eval "$(scripts/services up postgresql)"',
    ),
    "redis": ("RESTOCK_REDIS_URL", "redis://:password@127.0.0.1:6379/0", 'eval "$(scripts/services up redis)"'),
    "kafka": ("RESTOCK_KAFKA", "127.0.0.1:9092", 'eval "$(scripts/services up kafka)"'),
    "spark": ("RESTOCK_SPARK", "local[1]", "make install-ci"),
}
"""By name: the variable that holds the address, an example of it, and the command that brings it."""

REQUIRE = "RESTOCK_REQUIRE"

hypothesis.settings.register_profile("restock", derandomize=False, deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True, database=None)


def required() -> set[str]:
    """Give the servers without which the tests must fail."""
    return {name.strip() for name in os.environ.get(REQUIRE, "").split(",")} - {""}


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile; refuse a requirement that nobody could meet."""
    profile = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "restock")
    hypothesis.settings.load_profile(profile)
    os.environ.setdefault("RESTOCK_BALLAST_MIB", "1")  # servers by the dozen, whose homes are kept for a while
    if unknown := required() - set(SERVERS):
        raise pytest.UsageError(f"{REQUIRE} names {', '.join(sorted(unknown))}; the servers are {', '.join(SERVERS)}.")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a test whose server is not there."""
    for marker in item.iter_markers("server"):
        for name in marker.args:
            if name not in SERVERS:
                pytest.fail(f"server({name!r}): the servers are {', '.join(SERVERS)}.", pytrace=False)
            variable, example, how = SERVERS[name]
            if os.environ.get(variable):
                continue
            reason = f"needs the server {name}: {how}; its address is in {variable}, such as {example}"
            if name in required():
                pytest.fail(f"{REQUIRE} asks for it and it is missing: {reason}", pytrace=False)
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Say how to repeat the order of a failed run; pytest's quiet header does not."""
    seed = terminalreporter.config.getoption("randomly_seed", default=None)
    if exitstatus and seed is not None:
        terminalreporter.write_line(f"The same order again: --randomly-seed={seed}")


@pytest.fixture(scope="session", autouse=True)
def _no_home_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep fixtures that outlive a test away from ./var and from the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTOCK_HOME", str(tmp_path_factory.mktemp("session") / "var"))
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test, and every program it starts, a home of its own."""
    monkeypatch.setenv("RESTOCK_HOME", str(tmp_path / "var"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The RESTOCK_HOME of this test; nothing is there yet."""
    return tmp_path / "var"
