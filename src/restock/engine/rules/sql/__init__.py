"""Rules as SQL: one query of layered CASE over BIGINT, run by DuckDB or printed for other engines.

Program -> inputs, rules, expressions -> layers -> query     the DuckDB text, the master
query -> dialects                                            Spark, MySQL, PostgreSQL, SQLite
query -> engine                                              facts from Python, decisions back
query -> runner                                              Parquet, CSV, frames, databases to Parquet
"""

from restock.engine.rules.sql.engine import SqlEngine, decide_by_sql
from restock.engine.rules.sql.fact_groups import fact_sql
from restock.engine.rules.sql.group_runner import GroupRunner
from restock.engine.rules.sql.groups import Groups, Total
from restock.engine.rules.sql.printed import printed_sql
from restock.engine.rules.sql.runner import SqlRun, SqlRunner
from restock.engine.rules.sql.sources import Attached
from restock.engine.rules.sql.terms import SqlRefused

__all__ = [
    "Attached",
    "GroupRunner",
    "Groups",
    "SqlEngine",
    "SqlRefused",
    "SqlRun",
    "SqlRunner",
    "Total",
    "decide_by_sql",
    "fact_sql",
    "printed_sql",
]
