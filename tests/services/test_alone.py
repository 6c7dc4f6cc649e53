"""A service by itself: what it opens, what it knows, what its settings say of the others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from restock.app import background, opened
from restock.core.errors import InvalidInput, Unavailable
from restock.inventory.port import PositionsRequest
from restock.services import ASKED, PORTS, SERVICES, contexts_of, schemas_of
from restock.settings import NEIGHBOURS, Settings, load, with_origins


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)
async def test_a_service_opens_its_own_databases_and_the_stream(home: Path, service: object) -> None:
    name, database, context = service.name, service.database, service.context  # type: ignore[attr-defined]
    async with opened(Settings(home=home, dispatch_process=False), services=[name]) as app:
        assert {one.name for one in app.databases} == {database, "stream"}
        assert {path.stem for path in (home / "stores").glob("*.db")} == {database, "stream"}
        assert app.contexts == {context}
        assert set(app.parts) == ({context} if context in PORTS else set())
        assert app.replies.name == database
        assert app.problems() == []


async def test_two_services_in_one_process_ask_each_other_at_once_and_the_others_over_the_wire(home: Path) -> None:
    settings = Settings(home=home, supplier_grpc_url="127.0.0.1:9", po_grpc_url="127.0.0.1:9")
    async with opened(settings, services=["inventory", "uom"]) as app:
        assert {one.name for one in app.databases} == {"inventory", "uom", "stream"}
        assert len(await app.inventory.positions(PositionsRequest(["A"]))) == 0
        with pytest.raises(Unavailable, match="po"):
            await app.purchasing.revision()


async def test_background_work_belongs_to_one_process_of_each_service_or_to_one_for_all(home: Path) -> None:
    settings = Settings(home=home, dispatch_process=False)
    async with (
        opened(settings) as whole,
        opened(settings, services=["po"]) as po,
        opened(settings, services=["po"]) as other_po,
        opened(settings, services=["oms"]) as oms,
    ):
        async with background(po) as mine, background(oms) as too:
            assert (mine, too) == (True, True)
            async with background(other_po) as again, background(whole) as everything:
                assert (again, everything) == (False, False)
        async with background(whole) as mine, background(po) as too:
            assert (mine, too) == (True, False)


def test_stores_of_services_that_were_opened_one_after_the_other_are_all_missed_when_one_vanishes(home: Path) -> None:
    async def open_them(*services: str) -> None:
        async with opened(Settings(home=home, dispatch_process=False), services=services):
            pass

    asyncio.run(open_them("uom"))
    asyncio.run(open_them("supplier"))
    assert (home / "stores" / "contents.txt").read_text().split() == ["stream", "supplier", "uom"]
    (home / "stores" / "uom.db").unlink()
    with pytest.raises(Exception, match=r"uom\.db is missing"):
        asyncio.run(open_them("supplier"))


def test_the_addresses_in_the_settings_are_those_of_the_table() -> None:
    assert {one.name.replace("-", "_") for one in ASKED.values()} == set(NEIGHBOURS)
    for one in ASKED.values():
        assert getattr(Settings(), f"{one.name.replace('-', '_')}_grpc_url") == f"127.0.0.1:{one.grpc_port}"


def test_where_all_run_on_one_machine_no_two_services_have_one_port() -> None:
    ports = [one.rest_port for one in SERVICES]
    ports += [one.beside_port or one.grpc_port for one in SERVICES if one.grpc_port]
    assert len(set(ports)) == len(ports)


def test_published_names_set_addresses_and_ports_and_ours_come_first(home: Path) -> None:
    environment = {"RESTOCK_HOME": str(home), "OMS_GRPC_URL": "http://localhost:1", "PORT": "7", "GRPC_PORT": "8"}
    settings, origins = with_origins({}, environment)
    assert (settings.oms_grpc_url, settings.port, settings.grpc_port) == ("http://localhost:1", 7, 8)
    assert {one.origin for one in origins if one.name == "oms_grpc_url"} == {"environment OMS_GRPC_URL"}
    settings = load({}, {**environment, "RESTOCK_PORT": "9", "OMS_SERVICE_URL": "http://localhost:2"})
    assert (settings.port, settings.oms_grpc_url) == (9, "http://localhost:1")
    assert load({}, {"PO_SERVICE_URL": "http://localhost:8086"}).po_grpc_url == "http://localhost:8086"
    with pytest.raises(InvalidInput) as caught:
        load({}, {"PORT": "x"})
    assert caught.value.field == "PORT"


async def test_a_published_address_of_rest_is_taken_for_the_grpc_beside_it(home: Path) -> None:
    settings = Settings(home=home, po_grpc_url="http://127.0.0.1:8086")
    async with opened(settings, services=["uom"]) as app:
        with pytest.raises(Unavailable, match=r"po"):
            await app.purchasing.revision()


def test_services_have_contexts_and_no_names_mean_all() -> None:
    assert contexts_of(["order", "oms"]) == {"orders"}
    assert contexts_of([]) == {one.context for one in SERVICES}
    assert list(schemas_of(["purchasing"])) == ["po", "stream"]
