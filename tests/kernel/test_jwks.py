"""Keys from a JWKS document: rotation, and who may cause a fetch."""

import asyncio
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control.revocations import Revocations
from kernel.access.jwks import JwksKeys
from kernel.access.tokens import Grants, StaticKeys, Verifier, everything
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth
from tests.kernel.issuer import NOW_S, Issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


async def test_keys_are_fetched_when_a_token_names_a_new_one_and_go_when_the_issuer_drops_them(
    issuer: Issuer,
) -> None:
    clock = ManualClock(NOW_S * 1000)
    keys = JwksKeys(issuer.url, StaticKeys(Auth()), clock)
    verifier = Verifier(Auth(jwks_url=issuer.url), keys, clock)
    issuer.keys["one"] = Ed25519PrivateKey.generate()
    with pytest.raises(TouchlineError, match="not known"):
        verifier.grants(issuer.token("one"))
    assert await asyncio.gather(*(keys.refresh() for _ in range(100))) == [True] * 100
    assert issuer.fetches == 1
    assert verifier.grants(issuer.token("one")).user == "ana"
    # Anybody can name a key: that costs one fetch in five seconds, not one a token.
    assert await keys.refresh() is False
    old = issuer.token("one")
    issuer.keys = {"two": Ed25519PrivateKey.generate()}
    clock.advance(6)
    assert await keys.refresh() is True
    assert verifier.grants(issuer.token("two")).user == "ana"
    with pytest.raises(TouchlineError, match="not known"):
        verifier.grants(old)


async def test_an_issuer_that_answers_nonsense_takes_no_keys_away(issuer: Issuer) -> None:
    clock = ManualClock(NOW_S * 1000)
    keys = JwksKeys(issuer.url, StaticKeys(Auth()), clock)
    verifier = Verifier(Auth(jwks_url=issuer.url), keys, clock)
    issuer.keys["one"] = Ed25519PrivateKey.generate()
    await keys.refresh()
    issuer.broken = True
    clock.advance(6)
    await keys.refresh()
    assert verifier.grants(issuer.token("one")).user == "ana"


def test_a_secret_in_the_document_is_not_used(issuer: Issuer) -> None:
    """A symmetric key that everybody can read signs nothing."""
    keys = JwksKeys(issuer.url, StaticKeys(Auth()), ManualClock())
    asyncio.run(_refresh(keys))
    assert keys.find("x", "HS256") == []


async def _refresh(keys: JwksKeys) -> None:
    await keys.refresh()


def test_revoked_are_the_tokens_issued_before_the_moment() -> None:
    revoked = Revocations()
    assert revoked.learn("revoke:ana", '{"before": 100}') == "ana"
    assert revoked.learn("wc26-final", "{}") is None
    assert revoked.learn("revoke:bob", '{"before": "soon"}') is None

    def grants(user: str, issued_s: float | None) -> Grants:
        return Grants(user=user, can={}, issued_s=issued_s, expires_s=1000)

    assert revoked.covers(grants("ana", 99))
    assert revoked.covers(grants("ana", None))
    assert not revoked.covers(grants("ana", 100))
    assert not revoked.covers(grants("bob", 99))
    assert not revoked.covers(everything("ana"))
