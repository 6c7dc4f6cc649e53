"""Plan rows, purchase orders with lines and events, numbers, dispatch, outbox, effects, revision."""

import sqlalchemy as sa
from alembic import op

from restock.engine.database.once import create_effect
from restock.engine.database.revision import create_revision
from restock.engine.stream.tables import create_outbox

revision = "0001"
down_revision = None


def label(name: str, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(128), primary_key=primary_key, nullable=False)


def number(name: str, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=primary_key, nullable=False)


def moment(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(27), nullable=False)


def upgrade() -> None:
    op.create_table(
        "plan",
        label("product_id", primary_key=True),
        label("warehouse_id", primary_key=True),
        number("ordered_total"),
        number("version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "purchase_order",
        label("po_id", primary_key=True),
        label("supplier_id"),
        label("supplier_name"),
        label("currency"),
        label("state"),
        number("total_amount"),
        number("discount_amount"),
        number("tax_amount"),
        number("grand_total"),
        moment("created_at"),
        label("created_by"),
        label("expected_on"),
        label("decision_id"),
        label("run_id"),
        label("approved_by"),
        moment("sent_at"),
        label("send_method"),
        number("version"),
        sqlite_with_rowid=False,
    )
    op.create_index("purchase_order_of_state", "purchase_order", ["state", "po_id"])
    op.create_index("purchase_order_of_supplier", "purchase_order", ["supplier_id", "po_id"])
    _lines_and_events()


def _lines_and_events() -> None:
    op.create_table(
        "purchase_order_line",
        label("po_id", primary_key=True),
        number("line_no", primary_key=True),
        label("product_id"),
        label("warehouse_id"),
        number("plan_version"),
        number("quantity"),
        number("purchase_quantity"),
        label("purchase_unit"),
        number("unit_price"),
        number("total_amount"),
        label("decision_id"),
        number("received"),
        sa.UniqueConstraint("product_id", "warehouse_id", "plan_version", name="one_line_per_need"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "po_event",
        label("po_id", primary_key=True),
        number("version", primary_key=True),
        label("type"),
        moment("at"),
        label("actor"),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table("po_number", number("year", primary_key=True), number("last"))
    op.create_table(
        "dispatch",
        label("po_id", primary_key=True),
        label("channel", primary_key=True),
        label("state"),
        number("attempts"),
        moment("at"),
        sa.Column("problem", sa.String(1000), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("dispatch_of_state", "dispatch", ["state", "po_id"])
    create_outbox(op)
    create_effect(op)
    create_revision(op, "purchasing")
