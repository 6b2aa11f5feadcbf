"""Users' names in channels, and what is kept for the system; user_names.json is every SDK's."""

import json
from pathlib import Path

import pytest

from kernel.access.tokens import without_token
from kernel.access.users import check_post, check_user, name_in_channel, notify_channel, user_channel
from kernel.errors import TouchlineError
from kernel.log.positions import is_channel, split_lane

CASES = json.loads((Path(__file__).parents[1] / "shared" / "user_names.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["user"])[:20])
def test_a_users_channels_are_named_as_the_table_says(case: dict[str, str]) -> None:
    assert name_in_channel(case["user"]) == case["name"]
    for channel in (user_channel(case["user"]), notify_channel(case["user"])):
        assert is_channel(channel)
        assert split_lane(channel) == (channel, None)


def test_no_two_users_share_a_channel() -> None:
    users = [case["user"] for case in CASES]
    users += [name_in_channel(user) for user in users if name_in_channel(user) != user]  # called like a hash
    assert len({user_channel(user) for user in users}) == len(set(users))


@pytest.mark.parametrize("name", ["", "x" * 129, "half a pair \ud83d"])
def test_a_name_that_no_user_can_have_is_refused(name: str) -> None:
    with pytest.raises(TouchlineError, match="user"):
        check_user(name)


@pytest.mark.parametrize(
    ("channel", "sender", "type_", "may"),
    [
        ("final", "ana", "message", True),
        ("final", None, None, True),
        ("final", "touchline", "message", False),
        ("final", "touchline-steward", "message", False),
        ("final", "ana", "audience", False),
        ("final", "ana", "poll_closed", False),
        ("user-ana", "ana", None, True),
        ("user-ana", None, None, True),
        ("user-ana", "ben", None, False),
        ("user-ana~0", "ana", None, False),
        ("user-ana~0", None, None, False),
        (user_channel("josé"), "josé", None, True),
        ("notify-ana", "ana", None, False),
        ("room-study", "ana", None, False),
        ("alert-a", None, "alert", False),
        ("fence-a", "ana", "enter", False),
        ("touchline-x", "ana", None, False),
        ("users-all", "ana", None, True),
    ],
)
def test_what_is_kept_for_the_system_is_posted_by_nobody_else(
    channel: str, sender: str | None, type_: str | None, *, may: bool
) -> None:
    if may:
        check_post(channel, sender, type_)
    else:
        with pytest.raises(TouchlineError) as refused:
            check_post(channel, sender, type_)
        assert refused.value.code == "forbidden"


def test_a_name_is_believed_only_where_there_are_no_keys() -> None:
    ana = without_token("ana", "guest-1", keyed=False, on_loopback=True)
    assert (ana.user, ana.anonymous, ana.by_token) == ("ana", False, False)
    assert ana.allows("publish", "chat:x")
    assert not ana.allows("admin", "chat:x")
    operator = without_token(None, "guest-1", keyed=False, on_loopback=True)
    assert (operator.user, operator.anonymous) == ("guest-1", True)
    assert operator.allows("admin", "*")
    for name in ("ana", None):
        nobody = without_token(name, "guest-1", keyed=True, on_loopback=True)
        assert (nobody.user, nobody.anonymous) == ("guest-1", True)
        assert not nobody.allows("admin", "chat:x")


def test_who_comes_from_elsewhere_without_a_name_is_no_operator() -> None:
    """Also where they are let in without keys: a name, at least, is on what they do."""
    nobody = without_token(None, "guest-1", keyed=False, on_loopback=False)
    assert (nobody.user, nobody.anonymous) == ("guest-1", True)
    assert nobody.allows("publish", "chat:x")
    assert not nobody.allows("admin", "*")
    ana = without_token("ana", "guest-1", keyed=False, on_loopback=False)
    assert (ana.user, ana.named, ana.allows("admin", "*")) == ("ana", True, False)
