"""The commands of `restock rules` by which a rulebook comes into force and goes out of it."""

from __future__ import annotations

from restock.edge.cli.rules_activate import activate
from restock.edge.cli.rules_advance import advance
from restock.edge.cli.rules_approve import approve
from restock.edge.cli.rules_rollback import rollback
from restock.edge.cli.rules_submit import submit
from restock.edge.cli.rules_versions import versions
from restock.edge.cli.rules_withdraw import withdraw

LIFE = (submit, advance, approve, activate, rollback, withdraw, versions)
"""In the order in which they are used."""
