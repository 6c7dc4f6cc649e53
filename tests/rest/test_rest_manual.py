"""What REST tells about itself: OpenAPI, the page, probes, metrics; and every operation is there."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import httpx
from rest_world import Rest

from restock.services import OPERATIONS


def references(part: object) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(each) for each in part.values()))
    if isinstance(part, list):
        return set().union(*(references(each) for each in part))
    return set()


async def test_openapi_is_whole_and_every_reference_leads_somewhere(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    document = answer.json()
    assert document["openapi"] == "3.1.0" and document["info"]["title"] == "Restock"
    for reference in references(document):
        place: object = document
        for part in reference.removeprefix("#/").split("/"):
            assert isinstance(place, dict) and part in place, reference
            place = place[part]
    used = {reference.rpartition("/")[2] for reference in references(document) if "/schemas/" in reference}
    assert used == set(document["components"]["schemas"]), "nothing is described that nobody uses"
    names = []
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            names.append(operation["operationId"])
            assert operation["summary"] and operation["tags"] and operation["responses"]
            in_path = [each["name"] for each in operation.get("parameters", []) if each.get("in") == "path"]
            assert in_path == re.findall(r"{(\w+)}", path)
            if verb == "post":
                assert {"$ref": "#/components/parameters/IdempotencyKey"} in operation["parameters"]
                assert "application/json" in operation["requestBody"]["content"]
                assert {"400", "409", "413", "415", "422", "503", "507"} <= set(operation["responses"])
    assert len(names) == len(set(names))


async def test_every_operation_is_served_and_described(rest: Rest) -> None:
    document = (await rest.client.get("/openapi.json")).json()
    for operation in OPERATIONS.values():
        assert operation.verb.lower() in document["paths"][operation.path], operation.name
        path = re.sub(r"{\w+}", "nothing", operation.path)
        content = None if operation.verb == "GET" else b'{"no_such_field": 1}'
        answer = await rest.client.request(operation.verb, path, content=content)
        assert answer.status_code in {200, 404, 422}, (operation.name, answer.text)
        assert answer.status_code != 404 or "There is nothing at" not in answer.text, operation.name
    routes = {(route.verb.lower(), route.path) for route in rest.application.routes}
    assert routes == {(verb, path) for path, verbs in document["paths"].items() for verb in verbs}


async def test_examples_in_the_document_work(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    tried = 0
    for path, verbs in document["paths"].items():
        content = verbs.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in content and "{" not in path:
            assert (await client.post(path, json=content["example"])).status_code in {200, 201}, path
            tried += 1
    assert tried >= 4


class Page(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "data", "srcset"}:
                self.targets.append(value or "")
            if name == "id":
                assert value not in self.ids, value
                self.ids.add(value or "")


async def test_the_page_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Page()
    page.feed(answer.text)
    assert not {"script", "link", "img", "iframe", "form"} & set(page.tags)
    assert "url(" not in answer.text and "@import" not in answer.text
    for target in page.targets:
        assert target == "/openapi.json" or (target[0] == "#" and target[1:] in page.ids), target
    assert page.tags.count("details") > len(OPERATIONS) and "prefers-color-scheme: dark" in answer.text
    assert page.tags.count("summary") == page.tags.count("details"), "opened by the keyboard"
    assert 'lang="en"' in answer.text
    assert "nav { display: flex; flex-wrap: wrap" in answer.text, "a phone scrolls down, never sideways"


async def test_probes(rest: Rest) -> None:
    health = await rest.client.get("/health")
    assert health.status_code == 200
    assert list(health.json()) == ["service", "status", "version"]
    assert (health.json()["service"], health.json()["status"]) == ("restock", "healthy")
    assert (await rest.client.get("/livez")).json() == {"status": "alive"}
    assert (await rest.client.get("/readyz")).json() == {"status": "ready", "problems": []}
    rest.application.condition.leave()
    ready = await rest.client.get("/readyz")
    assert ready.status_code == 503 and ready.json()["problems"] == ["The server is stopping."]
    assert ready.headers["connection"] == "close"
    assert (await rest.client.get("/livez")).status_code == 200


async def test_readiness_names_what_stands_still(rest: Rest) -> None:
    rest.app.relays[0].problem = ValueError("The relay stands still.")  # type: ignore[assignment]
    ready = await rest.client.get("/readyz")
    assert ready.status_code == 503 and ready.json()["problems"] == ["The relay stands still."]
    health = await rest.client.get("/health")
    assert health.status_code == 503 and health.json()["status"] == "unhealthy"


async def test_metrics_are_read_by_prometheus(rest: Rest) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    await rest.client.post("/purchasing/flow", json={"product_id": "PROD-001"})
    await rest.client.post("/purchasing/flow", json={"product_id": "NOBODY"})
    await rest.client.post("/purchasing/flow/batch", json={"products": ["PROD-001", "PROD-002"]})
    await rest.client.get("/nope")
    await rest.app.settle()
    answer = await rest.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    route = (("method", "POST"), ("route", "/purchasing/flow"))
    assert samples["restock_http_requests_total", (*route, ("status", "200"))] == 1
    assert samples["restock_http_requests_total", (*route, ("status", "404"))] == 1
    assert samples["restock_http_request_seconds_count", route] == 2
    assert samples["restock_http_request_seconds_bucket", (("le", "+Inf"), *route)] == 2
    for outcome, count in {"ordered": 2, "covered": 1, "error": 1}.items():
        assert samples["restock_flows_total", (("outcome", outcome),)] == count
    assert samples["restock_purchase_orders_total", (("currency", "USD"),)] == 2
    assert 'restock_purchase_order_amount_total{currency="USD"} 5828.22\n' in answer.text, "exact"
    assert samples["restock_flow_queries_total", ()] > 0
    assert samples["restock_subscriber_lag", (("subscriber", "replenishment"),)] == 0
    assert {database for name, labels in samples if name == "restock_outbox_events" for _, database in labels} == {
        "oms",
        "inventory",
        "po",
    }


async def test_every_problem_has_the_described_members(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    known = set(document["components"]["schemas"]["Problem"]["properties"])
    for body in (b"{", b"{}", b'{"product_id":"NOBODY"}'):
        assert set(json.loads((await client.post("/purchasing/flow", content=body)).content)) <= known
