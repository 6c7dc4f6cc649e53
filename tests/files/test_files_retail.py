"""The real shop: every line accounted for, against a straight computation over the files."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from files_world import Shop, retail_folder

from restock.core.frame import batches
from restock.edge.files.retail import STOCK_DATE, import_online_retail
from restock.orders.port import DemandRequest

FOLDER = retail_folder()
pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the data set is not at {FOLDER}; set RESTOCK_RETAIL_DATA"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]


def straight() -> tuple[int, Decimal, Decimal, dict[str, Decimal], Counter[str]]:
    """Add up the files: lines, quantity, money; net sold per product in the 90 days before the stock date; classes."""
    lines, quantity, money = 0, Decimal(0), Decimal(0)
    net: dict[str, Decimal] = defaultdict(Decimal)
    classes: Counter[str] = Counter()
    start = (STOCK_DATE - timedelta(90)).isoformat()
    for path in sorted(FOLDER.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                many, each = Decimal(row["Quantity"]), Decimal(row["UnitPrice"])
                lines, quantity, money = lines + 1, quantity + many, money + many * each
                code = row["StockCode"].upper()
                goods = code[:5].isdigit() and len(code) <= 7 and (code[5:].isalpha() or not code[5:])
                back = row["InvoiceNo"].startswith("C")
                sold = many > 0 and (each > 0 or bool(row["CustomerID"])) and row["InvoiceNo"].isdigit()
                if not goods or not (sold or back):
                    classes["rejected"] += 1
                    continue
                classes["return" if back else "sale"] += 1
                if start <= row["InvoiceDate"][:10] < STOCK_DATE.isoformat():
                    net[code] += many
    return lines, quantity, money, net, classes


async def test_the_totals_are_those_of_the_files(shop: Shop) -> None:
    done = await import_online_retail(FOLDER, shop.retail, shop.settings, STOCK_DATE)
    lines, quantity, money, net, classes = straight()
    orders = done.orders
    assert orders.adds_up and all(report.adds_up for report in [*done.months, *done.tables])
    assert orders.lines == lines == 370_931
    assert sum(total.quantity for total in orders.totals.values()) == quantity
    assert sum(total.money for total in orders.totals.values()) == money
    assert orders.accepted == {"sale": classes["sale"], "return": classes["return"]}
    assert sum(orders.rejected.values()) == classes["rejected"] == count_rejects(shop.settings.rejects, "20")
    assert set(orders.rejected) == {"adjustment", "no-price", "no-product", "service"}
    assert orders.notes == {"without customer": 95_238, "code in another case": 1_480}
    await _demand_is(shop, net)
    assert [dict(report.rejected) for report in done.tables] == [{}, {"case-variant": 93}, {"case-variant": 5}]
    assert done.products == done.demand.products == 3_644

    again = await import_online_retail(FOLDER, shop.retail, shop.settings)
    assert again.stock_date == STOCK_DATE == date(2011, 10, 1)
    assert (again.orders.changed, again.products_changed, again.demand.changed) == (0, 0, 0)
    assert [report.changed for report in again.tables] == [0, 0, 0]


async def _demand_is(shop: Shop, net: dict[str, Decimal]) -> None:
    """Compare demand per day with the straight sums."""
    for products in batches(sorted(net)):
        frame = await shop.orders.demand(DemandRequest(products))
        assert list(frame.product_id) == products
        for product, per_day in zip(products, frame.demand_per_day, strict=True):
            expected = (max(Decimal(0), net[product]) / 90).quantize(Decimal("0.0001"), ROUND_HALF_UP)
            assert per_day == expected, product


def count_rejects(folder: Path, prefix: str) -> int:
    """Count the lines in the rejects files of the months."""
    count = 0
    for path in folder.glob(f"{prefix}*.rejects.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            count += sum(1 for _ in csv.DictReader(file))
    return count
