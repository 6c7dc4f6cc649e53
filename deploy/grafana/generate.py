"""Writes the dashboards that Grafana reads from `dashboards.yml`, which people read. `make dashboards`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SPECIFICATION = HERE / "dashboards.yml"
FOLDER = HERE / "dashboards"

WIDTH, HEIGHT, ACROSS = 8, 8, 3
"""Grafana's grid is 24 columns wide: three panels beside one another."""

SOURCES = {"logs": ("loki", "loki")}


def made() -> dict[str, str]:
    """Give the text of each dashboard by the name of its file."""
    found = {}
    for one in yaml.safe_load(SPECIFICATION.read_text("utf-8")):
        dashboard = {
            "uid": one["uid"],
            "title": one["title"],
            "tags": ["restock"],
            "schemaVersion": 39,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "panels": list(_panels(one["rows"])),
        }
        found[f"{one['uid']}.json"] = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
    return found


def _panels(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    number = top = 0
    for row in rows:
        number += 1
        place = {"x": 0, "y": top, "w": ACROSS * WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": row["title"], "gridPos": place, "panels": []}
        top += 1
        for at, panel in enumerate(row["panels"]):
            number += 1
            yield _panel(number, panel, {"x": at % ACROSS * WIDTH, "y": top + at // ACROSS * HEIGHT})
        top += -(-len(row["panels"]) // ACROSS) * HEIGHT


def _panel(number: int, panel: dict[str, Any], place: dict[str, int]) -> dict[str, Any]:
    kind = panel.get("kind", "timeseries")
    source, uid = SOURCES.get(kind, ("prometheus", "prometheus"))
    width = WIDTH * ACROSS if kind == "logs" else WIDTH
    return {
        "id": number,
        "type": kind,
        "title": panel["title"],
        "datasource": {"type": source, "uid": uid},
        "gridPos": {**place, "w": width, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.get("unit", "short"), "min": 0}, "overrides": []},
        "options": {},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(panel["queries"].items())
        ],
    }


def main() -> None:
    """Write the dashboards that changed."""
    for name, text in made().items():
        path = FOLDER / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(HERE)} changed.\n")


if __name__ == "__main__":
    main()
