"""Tokens into grants: what is let through, and everything that must not be."""

import base64
import json
import re
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request

from consumers.transport.handshake import ParsedRequest
from kernel.access.tokens import StaticKeys, Verifier, anonymous_allowed, matches, shown_token, sign
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth

SECRET = "a-secret-of-thirty-two-bytes-or-more"
NOW_S = 1_767_225_600
RSA_KEY = generate_private_key(public_exponent=65537, key_size=2048)
ED_KEY = Ed25519PrivateKey.generate()


def verifier(clock: ManualClock | None = None, **auth: Any) -> Verifier:
    settings = Auth(**{"secret": SECRET, **auth})
    return Verifier(settings, StaticKeys(settings), clock or ManualClock(NOW_S * 1000))


def token(**changes: Any) -> str:
    given = {"expires_s": NOW_S + 60, "key": SECRET, **changes}
    return sign("ana", {"subscribe": ("chat:*",)}, **given)


def refusal(of: Verifier, what: str) -> str:
    with pytest.raises(TouchlineError) as caught:
        of.grants(what)
    assert caught.value.code == "unauthorized"
    return caught.value.message


def test_a_good_token_says_who_and_what() -> None:
    grants = verifier().grants(token())
    assert grants.user == "ana"
    assert grants.allows("subscribe", "chat:final")
    assert not grants.allows("publish", "chat:final")
    assert not grants.allows("subscribe", "broadcast:final")


@pytest.mark.parametrize("key", [RSA_KEY, ED_KEY], ids=["RS256", "EdDSA"])
def test_public_keys_verify_what_their_private_key_signed(key: Any, tmp_path: Any) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    checked = verifier(secret="", public_key=str(pem))
    assert checked.grants(token(key=key)).user == "ana"
    refusal(checked, token(key=SECRET))


def test_a_token_ends_when_it_says_give_or_take_the_leeway() -> None:
    clock = ManualClock(NOW_S * 1000)
    checked = verifier(clock, leeway_s=10.0)
    clock.advance(69)
    assert checked.grants(token()).expires_s == NOW_S + 70
    clock.advance(1)
    assert "expired" in refusal(checked, token())


def test_a_token_that_is_not_valid_yet_is_refused() -> None:
    assert "not valid yet" in refusal(verifier(), token(extra={"nbf": NOW_S + 60}))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_is_no_time_is_refused(name: str, value: float) -> None:
    """JSON as Python reads it knows NaN and Infinity: compared with a clock, they never come."""
    said = jwt.encode({"sub": "ana", "exp": NOW_S + 60, name: value}, SECRET, algorithm="HS256")
    assert "never end" in refusal(verifier(), said)


def test_a_token_of_the_future_is_refused_because_it_would_outlive_revocations() -> None:
    checked = verifier(leeway_s=10.0)
    assert "issued in the future" in refusal(checked, token(issued_s=NOW_S + 11))
    assert checked.grants(token(issued_s=NOW_S + 9)).issued_s == NOW_S + 9


def test_issuer_and_audience_are_checked_where_they_are_set() -> None:
    checked = verifier(issuer="me", audience="touchline")
    assert checked.grants(token(extra={"iss": "me", "aud": "touchline"})).user == "ana"
    refusal(checked, token(extra={"iss": "you", "aud": "touchline"}))
    refusal(checked, token(extra={"iss": "me", "aud": "other"}))
    refusal(checked, token(extra={"iss": "me"}))


def test_the_public_key_as_a_secret_opens_nothing(tmp_path: Any) -> None:
    """The classic attack: sign with HS256, and the public key as the secret."""
    pem = tmp_path / "key.pem"
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pem.write_bytes(public)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "eve", "exp": NOW_S + 60}).encode()).rstrip(b"=")
    import hashlib
    import hmac

    signature = hmac.new(public, header + b"." + claims, hashlib.sha256).digest()
    forged = b".".join((header, claims, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()
    refusal(verifier(secret="", public_key=str(pem)), forged)


def test_a_token_without_signature_opens_nothing() -> None:
    refusal(verifier(), jwt.encode({"sub": "eve", "exp": NOW_S + 60}, "", algorithm="none"))


@pytest.mark.parametrize("claims", [{"exp": NOW_S + 60}, {"sub": "ana"}, {"sub": "", "exp": NOW_S + 60}])
def test_a_token_without_user_or_end_is_refused(claims: dict[str, Any]) -> None:
    refusal(verifier(), jwt.encode(claims, SECRET, algorithm="HS256"))


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_whatever_is_no_token_is_refused_with_a_sentence(junk: str) -> None:
    assert refusal(verifier(), junk)


def test_a_secret_that_can_be_guessed_is_refused_at_the_start() -> None:
    with pytest.raises(TouchlineError, match="32 bytes"):
        StaticKeys(Auth(secret="short"))


@pytest.mark.parametrize(
    ("pattern", "stream", "covered"),
    [
        ("*", "chat:a", True),
        ("chat:*", "chat:a", True),
        ("chat:*", "location:a", False),
        ("*:wc26-*", "broadcast:wc26-final", True),
        ("chat:final", "chat:final~7", True),
        ("chat:final", "chat:final~x", False),
        ("chat:final", "chat:finals", False),
        ("chat:fin.l", "chat:final", False),
    ],
)
def test_patterns(pattern: str, stream: str, covered: bool) -> None:
    assert matches(pattern, stream) is covered


letters = st.text("ab:*", max_size=8)


@given(letters, letters.map(lambda text: text.replace("*", "")))
def test_a_pattern_covers_what_the_regular_expression_does(pattern: str, stream: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), stream)
    assert matches(pattern, stream) is (expected is not None)


def test_no_pattern_takes_longer_than_it_is_long() -> None:
    """As a regular expression one of five stars took four seconds, of seven hours: they are users' own."""
    begun = time.process_time()
    for stars in range(1, 60):
        assert not matches("chat:" + "*a" * stars + "b", "chat:" + "a" * 120)
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("auth", "on_loopback", "allowed"),
    [
        (Auth(), True, True),
        (Auth(), False, False),
        (Auth(secret=SECRET), True, False),
        (Auth(anonymous="on"), False, True),
        (Auth(anonymous="off"), True, False),
    ],
)
def test_nobody_needs_a_token_on_their_own_machine_and_everybody_elsewhere(
    auth: Auth, on_loopback: bool, allowed: bool
) -> None:
    assert anonymous_allowed(auth, on_loopback=on_loopback) is allowed


@pytest.mark.parametrize(
    ("header", "query", "token"),
    [
        ("Bearer a", "b", "a"),
        ("bearer  a ", None, "a"),
        ("Basic a", "b", "b"),
        ("Bearer ", "b", "b"),
        (None, "b", "b"),
        (None, None, None),
    ],
)
def test_the_header_counts_before_the_address_at_every_door(
    header: str | None, query: str | None, token: str | None
) -> None:
    assert shown_token(header, query) == token
    headers = Headers({"Authorization": header} if header is not None else {})
    asked = ParsedRequest(Request("/v1/ws" + (f"?token={query}" if query else ""), headers))
    assert asked.token == token
