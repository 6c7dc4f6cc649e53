"""The files of an order: readable by programs and people, whole or absent, the same bytes again."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from buying import sent_order
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from restock.adapters.dispatch import files as files_module
from restock.adapters.dispatch.document import document
from restock.adapters.dispatch.files import OrderFiles, write_orders
from restock.adapters.dispatch.pdf import money, quantity, render
from restock.core.errors import InvalidInput, StorageFull, StorageUnusable
from restock.purchasing.model import PurchaseOrder, State

ORDER = sent_order()
RENDER_SECONDS = 0.001
"""What drawing an order of one line may take."""


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def text_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


def test_the_document_says_all_that_was_agreed_in_plain_numbers() -> None:
    text = document(ORDER).decode()
    read: dict[str, Any] = json.loads(text, parse_float=Decimal)
    assert read["format"] == "restock/purchase-order/1"
    assert read["supplier"] == {"supplier_id": "SUP-001", "name": "Acme Ltd"}
    assert read["lines"] == [
        {
            "line_no": 1,
            "product_id": "PROD-0001",
            "warehouse_id": "WH-001",
            "quantity": 100,
            "purchase_quantity": Decimal("8.5"),
            "purchase_unit": "CASE",
            "unit_price": Decimal("15.9912"),
            "total": 1599,
            "decision_id": "",
        }
    ]
    assert (read["total_amount"], read["discount_amount"], read["tax_amount"], read["grand_total"]) == (
        1599,
        Decimal("100.5"),
        Decimal("127.92"),
        Decimal("1626.42"),
    )
    assert (read["currency"], read["expected_on"], read["sent_at"]) == ("USD", "2026-01-12", ORDER.sent_at)
    assert '"total_amount": 1599,' in text


@pytest.mark.parametrize(
    "later",
    [
        {"state": State.ACKNOWLEDGED, "version": 7},
        {"lines": tuple(replace(one, received=Decimal(3)) for one in ORDER.lines)},
    ],
)
def test_what_happens_to_an_order_after_it_was_sent_changes_no_byte(later: dict[str, Any]) -> None:
    assert document(replace(ORDER, **later)) == document(ORDER)
    assert render(replace(ORDER, **later)) == render(ORDER)


def test_the_pdf_says_all_that_a_supplier_needs() -> None:
    (page,) = text_of(render(ORDER))
    for text in ("Purchase order", ORDER.po_id, "Acme Ltd", "SUP-001", "2026-01-05", "2026-01-12", "USD", "WH-001"):
        assert text in page
    for text in ("PROD-0001", "8.5", "CASE", "15.9912", "1,599.00", "-100.50", "127.92", "1,626.42", "Page 1 of 1"):
        assert text in page


@pytest.mark.parametrize("buyer", ["Corner Shop Ltd, 1 High Street, London", "W" * 128])
def test_the_supplier_reads_who_orders(buyer: str) -> None:
    (page,) = text_of(render(ORDER, buyer))
    assert buyer in page.replace("\n", "")
    assert "Acme Ltd" in page
    assert json.loads(document(ORDER, buyer))["buyer"] == {"name": buyer}


@pytest.mark.parametrize("lines", [1, 31, 32, 33, 35, 36, 37, 38, 39, 40, 41, 42, 43, 86, 87, 88, 500])
def test_no_line_and_no_total_is_lost_over_many_pages(lines: int) -> None:
    pages = text_of(render(sent_order(lines)))
    words = [word for page in pages for word in page.split()]
    assert [word for word in words if word.startswith("PROD-")] == [
        f"PROD-{number:04}" for number in range(1, lines + 1)
    ]
    assert "Grand total USD" in pages[-1]
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Unit price" in page
        assert ORDER.po_id in page


@pytest.mark.parametrize("lines", range(30, 45))
def test_the_totals_stand_above_the_foot_of_the_page(lines: int) -> None:
    heights: dict[str, float] = {}

    def seen(text: str, _matrix: object, place: list[float], _font: object, _size: object) -> None:
        heights.setdefault(text.strip(), place[5])

    PdfReader(io.BytesIO(render(sent_order(lines)))).pages[-1].extract_text(visitor_text=seen)
    (foot,) = (height for text, height in heights.items() if text.startswith("Page "))
    assert heights["Grand total USD"] > foot + 12


def test_five_thousand_lines_take_two_seconds_at_most() -> None:
    order = sent_order(5000)
    start = time.process_time()
    pdf = render(order)
    assert time.process_time() - start < 2
    assert pdf == render(order)
    assert len(PdfReader(io.BytesIO(pdf)).pages) > 100


@pytest.mark.slow
def test_an_order_of_one_line_is_drawn_in_a_millisecond() -> None:
    render(ORDER)
    best = 1.0
    for _ in range(20):
        start = time.process_time()
        for _ in range(20):
            render(ORDER)
        best = min(best, (time.process_time() - start) / 20)
    assert best < RENDER_SECONDS


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller & Söhne – „Groß“", "Müller & Söhne – „Groß“"),
        ("Łódź Ząb (PL)", "Łódz Zab (PL)"),
        ("株式会社 Acme", "???? Acme"),
        ("a)b(c\\d", "a)b(c\\d"),
    ],
)
def test_names_of_other_languages_are_shown_as_well_as_the_fonts_can(name: str, shown: str) -> None:
    (page,) = text_of(render(replace(ORDER, supplier_name=name)))
    assert shown in page


def test_long_names_are_wrapped_and_never_cut() -> None:
    product, unit = "P" + "ABCDEFGHI-" * 12, "UNIT-" * 20
    order = replace(ORDER, lines=tuple(replace(one, product_id=product, purchase_unit=unit) for one in ORDER.lines))
    (page,) = text_of(render(order))
    joined = "".join(page.split())
    assert unit in joined
    assert product in joined


def test_lines_for_two_warehouses_say_which() -> None:
    one, two = sent_order(2).lines
    (page,) = text_of(render(replace(ORDER, lines=(one, replace(two, warehouse_id="WH-002")))))
    assert "to WH-001" in page
    assert "to WH-002" in page


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=128), st.text(max_size=128), st.text(max_size=128))
def test_no_text_whatever_stops_a_document(supplier: str, product: str, unit: str) -> None:
    lines = tuple(replace(one, product_id=product, purchase_unit=unit) for one in ORDER.lines)
    order = replace(ORDER, supplier_name=supplier, lines=lines)
    assert render(order) == render(order)
    if supplier.isascii():
        assert json.loads(document(order))["supplier"]["name"] == supplier


@given(st.decimals(-(10**12), 10**12, places=6))
def test_shown_numbers_are_the_numbers(number: Decimal) -> None:
    assert Decimal(money(number).replace(",", "")) == Decimal(quantity(number).replace(",", "")) == number
    assert len(money(number).partition(".")[2]) >= 2


@pytest.fixture(params=[True, False], ids=["in a thread", "in a process"])
async def files(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    channel = OrderFiles(tmp_path / "outbox", in_process=request.param)
    yield channel
    await channel.close()


async def test_each_order_has_two_files_and_writing_again_gives_the_same_bytes(files: OrderFiles) -> None:
    orders = [replace(ORDER, po_id=f"PO-2026-00000{number}") for number in range(3)]
    assert await files.deliver(orders) == [None] * 3
    first = {path.name: path.read_bytes() for path in files.folder.iterdir()}
    assert sorted(first) == sorted(f"{one.po_id}.{kind}" for one in orders for kind in ("json", "pdf"))
    for path in files.folder.iterdir():
        path.write_bytes(b"half")
    assert await files.deliver(orders) == [None] * 3
    assert {path.name: path.read_bytes() for path in files.folder.iterdir()} == first
    assert first["PO-2026-000001.pdf"] == render(orders[1])


async def test_one_order_that_cannot_be_written_stops_no_other(files: OrderFiles) -> None:
    broken = replace(ORDER, po_id="PO-2026-000007", total_amount="much")
    outside = replace(ORDER, po_id="../../etc/passwd")
    results = await files.deliver([broken, outside, ORDER])  # type: ignore[list-item]
    assert [type(one) for one in results] == [InvalidInput, InvalidInput, type(None)]
    assert (files.folder / f"{ORDER.po_id}.pdf").exists()


async def test_a_folder_that_cannot_be_written_is_a_problem_of_each_order(files: OrderFiles) -> None:
    files.folder.write_text("a file stands where the folder should be")
    results = await files.deliver([ORDER, ORDER])
    assert [type(one) for one in results] == [StorageUnusable] * 2
    assert all(one is not None and one.remedy for one in results)
    files.folder.unlink()
    assert await files.deliver([ORDER]) == [None]


async def test_a_worker_that_was_killed_is_replaced(tmp_path: Path) -> None:
    files = OrderFiles(tmp_path, in_process=False)
    assert await files.deliver([ORDER]) == [None]
    (worker,) = files._executor._processes  # type: ignore[union-attr]
    os.kill(worker, signal.SIGKILL)
    orders = [replace(ORDER, po_id=f"PO-2026-00000{number}") for number in range(3)]
    assert await files.deliver(orders) == [None] * 3
    await files.close()
    assert names_in(tmp_path) == {f"{one.po_id}.{kind}" for one in [ORDER, *orders] for kind in ("json", "pdf")}


async def test_the_worker_leaves_interrupts_to_its_parent(tmp_path: Path) -> None:
    files = OrderFiles(tmp_path, in_process=False)
    assert await files.deliver([ORDER]) == [None]
    (worker,) = files._executor._processes  # type: ignore[union-attr]
    for sign in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker, sign)
    assert await files.deliver([ORDER]) == [None]
    assert list(files._executor._processes) == [worker]  # type: ignore[union-attr]
    await files.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files_module.os, "fsync", full)
    (problem,) = write_orders(tmp_path, [ORDER], True)
    assert isinstance(problem, StorageFull)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    dead, living = tmp_path / ".PO-1.pdf.999999999.part", tmp_path / f".PO-1.pdf.{os.getppid()}.part"
    for part in (dead, living):
        part.touch()
    assert write_orders(tmp_path, [ORDER], True) == [None]
    assert (dead.exists(), living.exists()) == (False, True)


def order_named(po_id: str) -> PurchaseOrder:
    return replace(ORDER, po_id=po_id)


@pytest.mark.parametrize("po_id", ["", ".", "..", "a/b", "/etc/passwd", "a\x00b", "x" * 200, ".hidden"])
def test_an_identifier_that_is_no_file_name_is_refused(tmp_path: Path, po_id: str) -> None:
    (problem,) = write_orders(tmp_path / "outbox", [order_named(po_id)], True)
    assert isinstance(problem, InvalidInput)
    assert list(tmp_path.rglob("*")) == [tmp_path / "outbox"]
