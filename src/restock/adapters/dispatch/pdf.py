"""A purchase order as PDF, for people: A4, lines with right-aligned numbers, header and page number on every page.

The same order gives the same bytes (reportlab's invariant mode). Drawing is plain text at computed places: one line takes
well under a millisecond, where a layout engine would take twenty. Import it late, it brings reportlab.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from restock.adapters.dispatch.lettering import BOLD, REGULAR, lettered
from restock.core.quantity import plain
from restock.purchasing.model import Line, PurchaseOrder

LEFT, RIGHT = 42.0, A4[0] - 42.0
FIRST_TOP, NEXT_TOP = A4[1] - 200.0, A4[1] - 90.0
"""Where the table begins: below the addresses on the first page, below the number on the others."""

BOTTOM = 60.0
ROW, SIZE = 14.0, 9.0
NUMBER, PRODUCT, QUANTITY, UNIT, PRICE, TOTAL = LEFT + 22, LEFT + 30, LEFT + 305, LEFT + 313, LEFT + 425, RIGHT
"""Right edges of columns with numbers, left edges of columns with words."""

PRODUCT_WIDTH, UNIT_WIDTH = 195.0, 55.0
NAME_WIDTH, NAME_ROWS = 230.0, 6
"""Room for the supplier's name; it is measured in the small face and shown in a larger one."""

WIDEST = 1.0
"""Width of the widest letters in their size: a text of few letters need not be measured."""

TOTAL_ROWS = 5
MONEY_DECIMALS = 2


class _Row(NamedTuple):
    line: Line
    words: list[str]
    units: list[str]


def render(order: PurchaseOrder, buyer: str = "") -> bytes:
    """Give the PDF of the order; `buyer` is who orders, name and address in a line."""
    pages = list(_pages(order))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=int(len(pages) > 1))
    canvas.setTitle(f"Purchase order {order.po_id}")
    canvas.setAuthor(buyer or "Restock")
    canvas.setSubject(f"{order.supplier_name or order.supplier_id}, {order.currency}")
    for number, rows in enumerate(pages, 1):
        page = _Page(canvas)
        page.heading(order, buyer, first=number == 1)
        y = page.table(rows, FIRST_TOP if number == 1 else NEXT_TOP)
        if number == len(pages):
            page.totals(order, y)
        page.left(REGULAR, 8, LEFT, 36, order.po_id)
        page.right(REGULAR, 8, RIGHT, 36, f"Page {number} of {len(pages)}")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def money(amount: Decimal) -> str:
    """Write an amount with thousands separated and at least two decimals."""
    exact = plain(amount)
    exponent = exact.as_tuple().exponent
    decimals = max(MONEY_DECIMALS, -exponent if isinstance(exponent, int) else 0)
    return f"{exact:,.{decimals}f}"


def quantity(number: Decimal) -> str:
    """Write a quantity with thousands separated and no decimal more than it has."""
    return f"{plain(number):,f}"


def _pages(order: PurchaseOrder) -> Iterator[list[_Row]]:
    """Cut the lines into pages; the last has room for the totals."""
    several = len({line.warehouse_id for line in order.lines}) > 1
    rows: list[_Row] = []
    room = FIRST_TOP - BOTTOM - ROW
    for line in order.lines:
        words = _wrapped(line.product_id, PRODUCT_WIDTH)
        if several:
            words += _wrapped(f"to {line.warehouse_id}", PRODUCT_WIDTH)
        units = _wrapped(line.purchase_unit, UNIT_WIDTH)
        height = ROW * max(len(words), len(units))
        if height > room:
            yield rows
            rows, room = [], NEXT_TOP - BOTTOM - ROW
        rows.append(_Row(line, words, units))
        room -= height
    if room < TOTAL_ROWS * ROW:
        yield rows
        rows = []
    yield rows


def _wrapped(text: str, width: float) -> list[str]:
    """Cut a text that is too wide into several; nothing of a name may be missing from an order."""
    if len(text) * SIZE * WIDEST <= width:
        return [text]
    pieces, piece = [], ""
    for letter in text:
        if piece and _width(piece + letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def _width(text: str) -> float:
    shown, font = lettered(text, REGULAR)
    return float(stringWidth(shown, font, SIZE))


class _Page:
    """Draws on the current page of a canvas."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas

    def left(self, face: str, size: float, x: float, y: float, text: str) -> None:
        """Write a text that begins at x."""
        shown, font = lettered(text, face)
        self._canvas.setFont(font, size)
        self._canvas.drawString(x, y, shown)

    def right(self, face: str, size: float, x: float, y: float, text: str) -> None:
        """Write a text that ends at x."""
        shown, font = lettered(text, face)
        self._canvas.setFont(font, size)
        self._canvas.drawRightString(x, y, shown)

    def heading(self, order: PurchaseOrder, buyer: str, *, first: bool) -> None:
        """Write what the order is: all of it on the first page, its number on the others."""
        top = A4[1] - 60
        self.left(BOLD, 16 if first else 11, LEFT, top, "Purchase order" if first else f"Purchase order {order.po_id}")
        if not first:
            return
        self.right(BOLD, 16, RIGHT, top, order.po_id)
        for row, piece in enumerate(_wrapped(buyer, RIGHT - LEFT) if buyer else ()):
            self.left(REGULAR, SIZE, LEFT, top - 13 - 11 * row, piece)
        warehouses = sorted({line.warehouse_id for line in order.lines})
        name = order.supplier_name or order.supplier_id
        top -= 18  # two rows of the buyer's name and address stand above
        self.left(REGULAR, 8, LEFT, top - 32, "Supplier")
        y = top - 34
        for piece in _wrapped(name, NAME_WIDTH)[:NAME_ROWS]:
            y -= 13
            self.left(BOLD, 11, LEFT, y, piece)
        self.left(REGULAR, SIZE, LEFT, y - 14, order.supplier_id)
        facts = (
            ("Date", (order.sent_at or order.created_at)[:10]),
            ("Expected", order.expected_on or "as soon as possible"),
            ("Currency", order.currency),
            ("Deliver to", warehouses[0] if len(warehouses) == 1 else "see lines"),
        )
        for row, (label, value) in enumerate(facts):
            self.left(REGULAR, 8, LEFT + 320, top - 32 - 16 * row, label)
            self.right(REGULAR, SIZE, RIGHT, top - 32 - 16 * row, value)

    def table(self, rows: list[_Row], y: float) -> float:
        """Write the header and the rows; give the height below them."""
        heads = (("No.", NUMBER), ("Quantity", QUANTITY), ("Unit price", PRICE), ("Total", TOTAL))
        for text, x in heads:
            self.right(BOLD, SIZE, x, y, text)
        self.left(BOLD, SIZE, PRODUCT, y, "Product")
        self.left(BOLD, SIZE, UNIT, y, "Unit")
        self._canvas.line(LEFT, y - 4, RIGHT, y - 4)
        for line, words, units in rows:
            y -= ROW
            for text, x in (
                (str(line.line_no), NUMBER),
                (quantity(line.purchase_quantity), QUANTITY),
                (money(line.unit_price), PRICE),
                (money(line.total_amount), TOTAL),
            ):
                self.right(REGULAR, SIZE, x, y, text)
            for x, pieces in ((PRODUCT, words), (UNIT, units)):
                for row, piece in enumerate(pieces):
                    self.left(REGULAR, SIZE, x, y - ROW * row, piece)
            y -= ROW * (max(len(words), len(units)) - 1)
        return y

    def totals(self, order: PurchaseOrder, y: float) -> None:
        """Write the sums below the last row."""
        self._canvas.line(PRICE - 100, y - 5, RIGHT, y - 5)
        amounts = (
            ("Total", order.total_amount),
            ("Discount", -order.discount_amount),
            ("Tax", order.tax_amount),
        )
        y -= 4
        for label, amount in amounts:
            y -= ROW
            self.left(REGULAR, SIZE, PRICE - 100, y, label)
            self.right(REGULAR, SIZE, TOTAL, y, money(amount))
        y -= ROW + 2
        self.left(BOLD, 10, PRICE - 100, y, f"Grand total {order.currency}")
        self.right(BOLD, 10, TOTAL, y, money(order.grand_total))
