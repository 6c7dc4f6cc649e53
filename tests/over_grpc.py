"""The suite of a port once more over gRPC: what a test asks of the service goes out by the wire and comes back by it.

A module of tests says `globals().update(suite("suppliers", SuppliersService, test_terms))`; its tests and fixtures are those
of the other module, and around each of them the methods of the port on that class are asked through a server on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from restock.core.clock import SystemClock
from restock.edge.grpc.calls import calls_of
from restock.edge.grpc.client import Neighbour
from restock.edge.grpc.server import Served, serving
from restock.services import ASKED, PORTS


class Links:
    """A server and a client for each instance of a service."""

    def __init__(self, name: str, methods: dict[str, Callable[..., Any]]) -> None:
        self._name, self._methods = name, methods
        self._stack = AsyncExitStack()
        self._ports: dict[int, Any] = {}
        self._one_at_a_time = asyncio.Lock()

    async def of(self, service: object) -> Any:
        async with self._one_at_a_time:
            if id(service) not in self._ports:
                self._ports[id(service)] = await self._begun(service)
        return self._ports[id(service)]

    async def _begun(self, service: object) -> Any:
        local = SimpleNamespace(**{name: partial(method, service) for name, method in self._methods.items()})
        served = Served((), SystemClock(), {self._name: local})
        address = await self._stack.enter_async_context(serving(served, "127.0.0.1", 0))
        neighbour = Neighbour(ASKED[self._name].name, address)
        self._stack.push_async_callback(neighbour.close)
        return neighbour.port(self._name, PORTS[self._name])

    async def close(self) -> None:
        await self._stack.aclose()


def suite(name: str, kind: type, *modules: ModuleType, without: tuple[str, ...] = ()) -> dict[str, object]:
    """Give the tests and fixtures of modules, and the fixture that puts gRPC around the port of that name."""
    found = {each: value for module in modules for each, value in vars(module).items() if not each.startswith("__")}
    for each in without:
        del found[each]

    @pytest.fixture(autouse=True)
    async def _over_grpc(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        methods = {each: getattr(kind, each) for each in calls_of(name, PORTS[name])}
        links = Links(name, methods)
        for each in methods:
            monkeypatch.setattr(kind, each, _asked(links, each))
        yield
        await links.close()

    return {**found, "_over_grpc": _over_grpc}


def _asked(links: Links, name: str) -> Callable[..., Any]:
    async def method(self: object, *given: object, **named: object) -> object:
        return await getattr(await links.of(self), name)(*given, **named)

    return method
