"""Dashboards, alerts and log collection name only what exists: metrics, labels, runbook sections, receivers."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from restock.core.metric import METRICS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text("utf-8"))["groups"]
ALERTS = [rule for group in RULES for rule in group["rules"] if "alert" in rule]
RECORDED = {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
SECTIONS = re.findall(r"^## (\w+)$", (ROOT / "docs/how-to/runbook.md").read_text("utf-8"), re.MULTILINE)

NAME = re.compile(r"\b(?:restock|process)_[a-z0-9_]+\b|\brestock:[a-z0-9_:]+")
SELECTOR = re.compile(r"\b((?:restock|process)_[a-z0-9_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
OF_PROMETHEUS = {"job", "instance", "service"}
"""Labels that scraping adds; see targets/*.yml."""


def metric_of(name: str) -> str:
    """Give the metric that a sample belongs to."""
    stem = re.sub(r"_(bucket|sum|count)$", "", name)
    return stem if stem in METRICS and METRICS[stem].kind == "histogram" else name


def wrong_in(query: str) -> list[str]:
    """Say what a query names that does not exist."""
    names = {metric_of(name) for name in NAME.findall(query)}
    known = {label for name in names if name in METRICS for label in METRICS[name].labels} | OF_PROMETHEUS | {"le"}
    wrong = [f"no metric {name}" for name in sorted(names) if name not in METRICS and name not in RECORDED]
    for name, inside in SELECTOR.findall(query):
        given = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
        metric = METRICS.get(metric_of(name))
        wrong += [f"{name} has no label {one}" for one in given - set(metric.labels if metric else ()) - OF_PROMETHEUS]
    for inside in GROUPED.findall(query):
        if names & set(METRICS):
            wrong += [f"nothing has the label {one}" for one in {each.strip() for each in inside.split(",")} - known]
    for name in names & set(METRICS):
        if METRICS[name].kind == "counter" and not re.search(rf"(?:rate|increase)\((?:\w+\()*{name}\b", query):
            wrong.append(f"{name} only grows: take its rate")
    return wrong


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("restock_no_such_thing > 0", ["no metric restock_no_such_thing"]),
        ('restock_problems{database="po"}', ["restock_problems has no label database"]),
        ("sum by (color) (restock_subscriber_lag)", ["nothing has the label color"]),
        ("restock_flows_total > 3", ["restock_flows_total only grows: take its rate"]),
        ("restock:no_such_rule", ["no metric restock:no_such_rule"]),
        ("restock_problems_count", ["no metric restock_problems_count"]),
        ("sum by (le, route) (rate(restock_http_request_seconds_bucket[5m]))", []),
    ],
)
def test_a_wrong_query_is_found(query: str, wrong: list[str]) -> None:
    assert wrong_in(query) == wrong


def queries() -> Iterator[tuple[str, str]]:
    for group in RULES:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            if panel.get("datasource", {}).get("type") == "prometheus":
                for target in panel["targets"]:
                    yield f"{path.name}: {panel['title']}", target["expr"]


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_every_query_names_metrics_and_labels_that_exist(place: str, query: str) -> None:
    assert wrong_in(query) == [], place
    assert all(query.count(one) == query.count(other) for one, other in ("()", "[]", "{}"))


def test_a_legend_names_labels_of_its_query() -> None:
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                known = {
                    label
                    for name in map(metric_of, NAME.findall(target["expr"]))
                    for label in (METRICS[name].labels if name in METRICS else ("route",))
                }
                for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                    assert label in known | OF_PROMETHEUS, (panel["title"], label)


def test_the_dashboards_are_those_of_their_specification() -> None:
    place = DEPLOY / "grafana/generate.py"
    specification = importlib.util.spec_from_file_location("dashboards", place)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    written = {path.name: path.read_text("utf-8") for path in (DEPLOY / "grafana/dashboards").iterdir()}
    assert written == module.made(), "`make dashboards` writes them"


def test_every_metric_is_on_a_dashboard_or_in_an_alert() -> None:
    shown = {metric_of(name) for _, query in queries() for name in NAME.findall(query)}
    assert set(METRICS) - shown == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"].endswith(".")
    path, _, section = alert["annotations"]["runbook"].partition("#")
    assert (ROOT / path).is_file() and section == alert["alert"].lower()
    assert alert["alert"] in SECTIONS
    known = {
        one for name in map(metric_of, NAME.findall(alert["expr"])) if name in METRICS for one in METRICS[name].labels
    }
    for label in re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]):
        assert label in known | OF_PROMETHEUS


def test_the_runbook_has_a_section_for_every_alert_and_no_other() -> None:
    assert [alert["alert"] for alert in ALERTS] == SECTIONS


def test_alertmanager_sends_every_severity_to_a_receiver_and_holds_no_secret() -> None:
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text("utf-8")
    found = yaml.safe_load(text)
    receivers = {one["name"] for one in found["receivers"]}
    routes = [found["route"], *found["route"]["routes"]]
    assert {one["receiver"] for one in routes} == receivers
    kinds = {kind for one in found["receivers"] for kind in one}
    assert {"pagerduty_configs", "slack_configs", "email_configs"} <= kinds
    for secret in ("password", "api_url", "routing_key"):
        assert not re.search(rf"{secret}:", text), f"{secret} comes from a file"
        assert re.search(rf"{secret}_file: secrets/", text)


@pytest.mark.parametrize("path", sorted(path for path in DEPLOY.rglob("*.y*ml") if "k8s" not in path.parts), ids=str)
def test_every_file_is_yaml(path: Path) -> None:
    assert list(yaml.safe_load_all(path.read_text("utf-8")))


def test_prometheus_is_where_grafana_asks_it_and_on_no_port_of_a_service() -> None:
    from restock.services import SERVICES

    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/restock.yml").read_text("utf-8"))[
        "datasources"
    ]
    (port,) = {int(one["url"].rpartition(":")[2]) for one in sources if one["type"] == "prometheus"}
    assert port not in {each for one in SERVICES for each in (one.rest_port, one.grpc_port, one.beside_port)}
    for path in (DEPLOY / "compose").glob("*.y*ml"):
        for listened in re.findall(r"web\.listen-address=\S*?:(\d+)", path.read_text("utf-8")):
            assert int(listened) == port, f"{path.name}: Prometheus listens on {listened}, Grafana asks {port}"
