"""An edge fetches an issuer's new keys for whoever shows one of their tokens, by whatever way they come."""

import asyncio
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.rig.edge_alone import bare_service
from consumers.service.service import Service
from kernel.access.jwks import JwksKeys
from kernel.access.tokens import StaticKeys, Verifier
from kernel.clock import ManualClock
from kernel.settings.reading import Auth
from tests.consumers.protocol.test_one_frame import lose, opened
from tests.kernel.issuer import NOW_S, Issuer
from tests.security.wire import Transport

CAN = {"subscribe": ("chat:*",)}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    made.keys["one"] = Ed25519PrivateKey.generate()
    yield made
    made.close()


def edge(issuer: Issuer, clock: ManualClock) -> Service:
    keys = JwksKeys(issuer.url, StaticKeys(Auth()), clock)
    return bare_service(clock=clock, verifier=Verifier(Auth(jwks_url=issuer.url), keys, clock), jwks=keys)


async def come_by_sse(service: Service, token: str) -> Transport:
    head = f"GET /v1/sse?stream=chat:a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    source = opened(service, head.encode())
    async with asyncio.timeout(60):
        while not source.written:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return source


async def test_the_first_who_comes_by_sse_is_let_in_by_a_key_that_is_fetched_for_them(issuer: Issuer) -> None:
    service = edge(issuer, ManualClock(NOW_S * 1000))
    source = await come_by_sse(service, issuer.token("one", CAN))
    assert source.written.startswith(b"HTTP/1.1 200")
    assert b'"op":"subscribed"' in source.written
    assert issuer.fetches == 1
    lose(source)
    await service.close()


async def test_a_key_that_the_issuer_does_not_have_is_refused_and_fetched_for_once(issuer: Issuer) -> None:
    service = edge(issuer, ManualClock(NOW_S * 1000))
    issuer.keys["theirs"] = Ed25519PrivateKey.generate()
    forged = issuer.token("theirs", CAN)
    del issuer.keys["theirs"]
    for _ in range(3):
        source = await come_by_sse(service, forged)
        assert source.written.startswith(b"HTTP/1.1 401")
        lose(source)
    assert issuer.fetches == 1
    await service.close()


async def test_who_leaves_while_the_keys_are_fetched_leaves_nothing_behind(issuer: Issuer) -> None:
    service = edge(issuer, ManualClock(NOW_S * 1000))
    head = f"GET /v1/sse?stream=chat:a&token={issuer.token('one', CAN)} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    source = opened(service, head.encode())
    source.close()
    lose(source)
    await service.admission.tokens.fetch_keys()
    await service.close()
    assert not source.written
    assert not service.subscriptions.hub.audiences()
    assert not service.admission.users
