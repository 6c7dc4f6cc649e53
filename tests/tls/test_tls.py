"""Services know one another by certificates; REST is served with TLS; renewals need no restart; plain text stays at home."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509

from fault_proxy import Fault, FaultProxy
from restock.adapters.certificates import SERVICE_DAYS, make_certificates
from restock.app import background, opened
from restock.core.errors import InvalidInput, Unavailable
from restock.edge.grpc.addresses import target_of
from restock.edge.grpc.client import Neighbour
from restock.edge.grpc.offers import offers
from restock.edge.grpc.server import Served, serving
from restock.edge.rest.server import bound, serve
from restock.edge.tls import Identity, identity_of
from restock.services import PORTS
from restock.settings import Settings
from restock.units.model import Conversion
from restock.units.port import ConversionsRequest, PutConversionsRequest, Units


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic_ns(self) -> int:
        raise NotImplementedError


def made(folder: Path, clock: Now | None = None, **more: object) -> list[str]:
    return make_certificates(folder, ["uom", "po"], [], clock or Now(), **more).made  # type: ignore[arg-type]


def certificate(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "tls.crt").read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made(tmp_path / "certificates")
    return tmp_path / "certificates"


@asynccontextmanager
async def served(home: Path, identity: Identity | None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        await app.units.put_conversions(PutConversionsRequest([Conversion("P", "CASE", "PIECE", 12)]))  # type: ignore[arg-type]
        ports = {"units": app.units}
        async with serving(Served(offers(app, ["uom"]), app.clock, ports, None, identity), host, 0) as address:
            yield address


@asynccontextmanager
async def asking(address: str, identity: Identity | None) -> AsyncIterator[Callable[[], object]]:
    neighbour = Neighbour("uom", address, identity)
    units: Units = neighbour.port("units", PORTS["units"])

    async def ask() -> list[str]:
        return list((await units.conversions(ConversionsRequest(["P"]))).to_unit)

    yield ask
    await neighbour.close()


async def test_services_of_one_authority_speak_to_one_another(home: Path, folder: Path) -> None:
    async with served(home, Identity(folder / "uom")) as address, asking(address, Identity(folder / "po")) as ask:
        assert await ask() == ["PIECE"]  # type: ignore[misc]


async def test_replicas_are_asked_with_tls_too(home: Path, folder: Path) -> None:
    identity = Identity(folder / "uom")
    async with served(home, identity) as address:
        port = int(address.rpartition(":")[2])
        proxy = FaultProxy(port)
        both = target_of(f"127.0.0.1:{await proxy.start()},{address}", "uom_grpc_url")
        async with asking(both, Identity(folder / "po")) as ask:
            for _ in range(10):
                assert await ask() == ["PIECE"]  # type: ignore[misc]
        await proxy.stop()


@pytest.mark.parametrize("who", ["nobody", "a stranger"])
async def test_who_shows_no_certificate_of_the_authority_gets_nothing(home: Path, folder: Path, who: str) -> None:
    made(folder.parent / "others")
    identity = Identity(folder.parent / "others" / "po") if who == "a stranger" else None
    async with served(home, Identity(folder / "uom")) as address, asking(address, identity) as ask:
        with pytest.raises(Unavailable, match="does not answer"):
            await ask()  # type: ignore[misc]


async def test_a_certificate_for_other_names_is_not_believed(home: Path, folder: Path) -> None:
    identity = Identity(folder / "uom")
    async with served(home, identity, "127.0.0.2") as address:
        async with asking(address, Identity(folder / "po")) as ask:
            with pytest.raises(Unavailable, match="does not answer"):
                await ask()  # type: ignore[misc]
        make_certificates(folder, ["uom"], ["127.0.0.2"], Now())
        async with asking(address, Identity(folder / "po")) as ask:
            assert await ask() == ["PIECE"]  # type: ignore[misc]


async def test_a_server_of_another_authority_is_not_believed(home: Path, folder: Path) -> None:
    made(folder.parent / "others")
    async with (
        served(home, Identity(folder.parent / "others" / "uom")) as address,
        asking(address, Identity(folder / "po")) as ask,
    ):
        with pytest.raises(Unavailable):
            await ask()  # type: ignore[misc]


async def test_both_sides_take_up_new_certificates_while_they_run(home: Path, folder: Path) -> None:
    async with served(home, Identity(folder / "uom")) as address, asking(address, Identity(folder / "po")) as ask:
        assert await ask() == ["PIECE"]  # type: ignore[misc]
        before = certificate(folder / "uom").serial_number
        assert made(folder, renew=True) == ["uom", "po"]
        assert await ask() == ["PIECE"]  # type: ignore[misc]
        host, _, port = address.rpartition(":")
        pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
        assert x509.load_pem_x509_certificate(pem.encode()).serial_number != before


async def test_a_new_authority_is_taken_up_by_both_sides_too(home: Path, folder: Path) -> None:
    async with served(home, Identity(folder / "uom")) as address, asking(address, Identity(folder / "po")) as ask:
        assert await ask() == ["PIECE"]  # type: ignore[misc]
        for name in ("ca.crt", "ca.key"):
            (folder / "ca" / name).unlink()
        assert made(folder) == ["uom", "po"]
        assert await ask() == ["PIECE"]  # type: ignore[misc]


async def test_rest_is_served_with_tls_and_a_renewal_is_seen(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restock.edge.rest.server.SWEEP_SECONDS", 0.05)
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    async with opened(Settings(home=home, port=0, dispatch_process=False, tls=str(folder / "uom"))) as app:
        serving = asyncio.create_task(
            serve(app, app.settings, background=background, announce=told.set_result, stop=stop, identity=app.identity)
        )
        address = await told
        assert address.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(folder / "ca" / "ca.crt"))
        async with httpx.AsyncClient(verify=trusting) as client:
            assert (await client.get(f"{address}/livez")).json() == {"status": "alive"}
            big = {"items": [{"product_id": f"P-{number:05}"} for number in range(1000)]}
            assert (await client.post(f"{address}/api/v1/products", json=big)).json()["changed"] == 1000
        async with httpx.AsyncClient() as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.get(f"{address}/livez")
        with suppress(httpx.HTTPError):  # plain text to a port of TLS is no HTTP at all
            async with httpx.AsyncClient() as plain:
                assert (await plain.get(address.replace("https", "http"))).status_code >= 400
        host, port = address.removeprefix("https://").split(":")
        made(folder, renew=True)
        wanted = certificate(folder / "uom").serial_number
        async with asyncio.timeout(5):
            while True:
                pem = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
                if x509.load_pem_x509_certificate(pem.encode()).serial_number == wanted:
                    break
                await asyncio.sleep(0.05)
        stop.set()
        assert await serving == 0


async def test_whoever_trusts_the_certificate_may_ask_by_any_name(home: Path, folder: Path) -> None:
    """A probe asks by the address of a pod, a proxy by the name that people know; on loopback neither is ours."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    async with opened(Settings(home=home, port=0, dispatch_process=False, tls=str(folder / "uom"))) as app:
        serving = asyncio.create_task(
            serve(app, app.settings, background=background, announce=told.set_result, stop=stop, identity=app.identity)
        )
        address = await told
        trusting = ssl.create_default_context(cafile=str(folder / "ca" / "ca.crt"))
        async with httpx.AsyncClient(verify=trusting, base_url=address) as client:
            for host in ("10.2.3.4:8084", "uom-service", "restock.example.com"):
                assert (await client.get("/readyz", headers={"Host": host})).status_code == 200
            ours = {"Host": "restock.example.com", "Origin": "https://restock.example.com"}
            assert (await client.get("/readyz", headers=ours)).status_code == 200
            for theirs in ("https://evil.example.com", "http://localhost:3000", "null", "https://"):
                assert (await client.get("/readyz", headers=ours | {"Origin": theirs})).status_code == 403
        stop.set()
        assert await serving == 0


def test_certificates_are_made_once_and_renewed_in_their_last_third(folder: Path) -> None:
    clock = Now()
    assert made(folder, clock) == []
    clock.at += timedelta(days=SERVICE_DAYS * 2 / 3 + 1)
    assert made(folder, clock) == ["uom", "po"]
    assert made(folder, clock) == []
    assert make_certificates(folder, ["uom"], ["restock.example.com"], clock).made == ["uom"]
    assert stat.S_IMODE((folder / "uom" / "tls.key").stat().st_mode) == 0o600
    names = certificate(folder / "uom").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"uom", "uom-service.purchasing-flow.svc.cluster.local", "restock.example.com"} <= set(
        names.get_values_for_type(x509.DNSName)
    )


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"ca\.crt cannot be used: No such file"):
        identity_of(str(tmp_path / "nowhere"))
    for name, why in (("tls.key", "not the key of tls.crt"), ("ca.crt", "it holds no certificate")):
        whole = (folder / "uom" / name).read_bytes()
        (folder / "uom" / name).write_text("nothing")
        with pytest.raises(InvalidInput, match=why):
            Identity(folder / "uom")
        (folder / "uom" / name).write_bytes(whole)
    (folder / "ca" / "ca.key").write_text("nothing")
    with pytest.raises(InvalidInput, match="cannot be read"):
        made(folder, renew=True)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="file"):
        made(tmp_path / "file")
    with pytest.raises(InvalidInput, match="no name of a machine"):
        make_certificates(tmp_path / "new", ["uom"], ["käse.example"], Now())
    assert identity_of("") is None


def test_half_a_renewal_changes_nothing(folder: Path) -> None:
    identity = Identity(folder / "uom")
    before = identity.pems
    (folder / "uom" / "tls.crt").write_bytes((folder / "po" / "tls.crt").read_bytes())
    assert identity.pems is before
    (folder / "uom" / "tls.key").write_bytes((folder / "po" / "tls.key").read_bytes())
    assert identity.pems.certificate == (folder / "po" / "tls.crt").read_bytes()


def test_other_machines_are_spoken_to_with_tls_only() -> None:
    with pytest.raises(InvalidInput, match="RESTOCK_TLS"):
        bound("0.0.0.0", 0)
    with bound("0.0.0.0", 0, secure=True) as listener:
        assert listener.family == socket.AF_INET
    with pytest.raises(InvalidInput, match="RESTOCK_TLS"):
        target_of("10.0.0.5:50054", "uom_grpc_url")
    assert target_of("uom-service:50054", "uom_grpc_url", secure=True) == "uom-service:50054"


async def test_a_plain_caller_learns_that_nobody_speaks_plain_text_here(home: Path, folder: Path) -> None:
    async with served(home, Identity(folder / "uom")) as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/uom.UomService/HealthCheck")(b"", timeout=5)


async def test_bits_that_flip_on_the_way_are_noticed(home: Path, folder: Path) -> None:
    """Every answer is the right one, or none: with plain text a flipped bit can be another quantity."""
    async with served(home, Identity(folder / "uom")) as address:
        proxy = FaultProxy(int(address.rpartition(":")[2]))
        through = f"127.0.0.1:{await proxy.start()}"
        proxy.become(Fault(flip_one_in=20_000))
        answers = lost = 0
        try:
            async with asking(through, Identity(folder / "po")) as ask:
                for _ in range(300):
                    try:
                        assert await ask() == ["PIECE"]  # type: ignore[misc]
                        answers += 1
                    except Unavailable:
                        lost += 1
                        await asyncio.sleep(0.02)
        finally:
            await proxy.stop()
        assert answers and lost and proxy.flipped
