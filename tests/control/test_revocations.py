"""Which tokens a revocation ends: by user, and by when they were issued."""

import json

import pytest

from control.revocations import MAX_USERS, Revocations
from kernel.access.tokens import Grants, StaticKeys, Verifier, everything, sign
from kernel.clock import ManualClock
from kernel.settings.reading import Auth

SECRET = "a-secret-of-thirty-two-bytes-or-more"


def issued(user: str, at: float | None) -> Grants:
    """What an edge makes of a token that `touchline token` made at that moment."""
    auth = Auth(secret=SECRET)
    token = sign(user, {}, expires_s=4e9, issued_s=at, key=SECRET)
    return Verifier(auth, StaticKeys(auth), ManualClock()).grants(token)


def revoked(*before: float) -> Revocations:
    revocations = Revocations()
    for each in before:
        assert revocations.learn("revoke:ana", json.dumps({"before": each})) == "ana"
    return revocations


@pytest.mark.parametrize(
    ("grants", "covered"),
    [
        (issued("ana", 1000.2), True),
        (issued("ana", 1000.7), False),
        (issued("ana", None), True),
        (issued("ben", 1000.2), False),
        (everything("ana"), False),
    ],
    ids=["before, in the same second", "after, in the same second", "not said", "another's", "no token"],
)
def test_tokens_of_the_user_that_were_issued_before_count_no_more(grants: Grants, covered: bool) -> None:
    assert revoked(1000.5).covers(grants) is covered


def test_a_revocation_that_is_read_late_takes_none_back() -> None:
    assert revoked(2000, 1000).covers(issued("ana", 1500))


@pytest.mark.parametrize("arguments", [None, "", "{}", "[]", '{"before":"x"}', "no JSON"])
def test_what_is_no_revocation_ends_nothing(arguments: str | None) -> None:
    revocations = Revocations()
    assert revocations.learn("revoke:ana", arguments) is None
    assert not revocations.covers(issued("ana", 0))


def test_a_name_may_hold_anything() -> None:
    revocations = Revocations()
    assert revocations.learn("revoke:revoke:a#b", '{"before":2}') == "revoke:a#b"
    assert revocations.covers(issued("revoke:a#b", 1))
    assert revocations.learn("ana", '{"before":2}') is None


def test_so_many_users_are_known_and_the_longest_known_is_forgotten() -> None:
    revocations = Revocations()
    for number in range(MAX_USERS + 1):
        revocations.learn(f"revoke:{number}", '{"before":2}')
    assert not revocations.covers(issued("0", 1))
    assert revocations.covers(issued("1", 1))
