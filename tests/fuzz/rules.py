"""`python -m tests.fuzz.rules --seconds N`, from the root of the repository: fuzz the rule language with atheris."""

from __future__ import annotations

from tests.fuzz.fuzz_target import main

if __name__ == "__main__":
    main()
