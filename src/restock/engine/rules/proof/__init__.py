"""Proofs about rulebooks, by a solver that only those who publish rules install (the extra `prove`).

    Program -> encoding (numbers, expressions) -> invariants, lint, difference, boundaries, smallest_change

A module here can be imported without the solver; the first question asked without it says what to install.
"""
