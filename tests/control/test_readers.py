"""Who may read a channel: its readers and who administers it; everybody where none are named."""

import pytest

from control.channels.acl import ChannelAcl, covering
from kernel.access.tokens import Grants


def readers(**of: tuple[str, ...]) -> ChannelAcl:
    """Whom the settings of channels name."""
    named = of or {"den": ("ben", "cleo"), "hall": ()}
    return ChannelAcl(
        lambda channel: named.get(channel, ()),
        lambda wanted: ((name, users) for name, users in named.items() if users and wanted(name)),
    )


@pytest.mark.parametrize(
    ("user", "admin", "channel", "allowed"),
    [
        ("ben", (), "den", True),
        ("ana", (), "den", False),
        ("ana", (), "den~2", False),
        ("ben", (), "den~2", True),
        ("ana", ("den",), "den", True),
        ("ana", ("den",), "den~2", True),
        ("ana", ("other",), "den", False),
        ("ana", (), "hall", True),
        ("ana", (), "unheard-of", True),
    ],
)
def test_who_may_read(user: str, admin: tuple[str, ...], channel: str, allowed: bool) -> None:
    grants = Grants(user=user, can={"admin": admin})
    assert readers().allow(grants, channel) is allowed


def test_a_channel_whose_readers_are_taken_back_is_for_everybody() -> None:
    ana = Grants(user="ana", can={})
    assert readers().hidden_from(ana) == ["den"]
    assert readers(den=()).hidden_from(ana) == []


def test_a_users_own_channels_are_for_that_user_whatever_their_settings_and_tokens_say() -> None:
    known = readers(**{"user-ana": ("ben",)})
    ana, ben, chief = may("ana"), may("ben"), may("chief", admin=("user-*",))
    for channel in ("user-ana", "notify-ana"):
        assert known.allow(ana, channel)
        assert not known.allow(ben, channel)
    assert known.allow(chief, "user-ana")
    assert not known.allow(chief, "notify-ana")
    assert not known.allow(ana, "user-ana~0"), "it is nobody's: such channels have no lanes"
    assert not known.allow(ana, "room-study"), "nobody knows its members"
    assert known.allow(ben, "users")


def test_an_alerts_channel_is_for_its_maker_and_whom_it_names() -> None:
    known = ChannelAcl()
    assert not known.allow(may("ana"), "alert-goals")
    assert known.learn_alert("goals", '{"id":"goals","owner":"ana","readers":["ben"]}') == "alert-goals"
    known.learn_alert("mine", '{"id":"mine","search":{"q":"x"}}')
    assert [known.allow(may(user), "alert-goals") for user in ("ana", "ben", "cleo")] == [True, True, False]
    assert known.allow(may("chief", admin=("*",)), "alert-mine")
    assert known.open_to(may("ben")) == ["user-ben", "notify-ben", "alert-goals"]
    assert known.open_to(may("chief", admin=("*",))) is None
    known.learn_alert("goals", None)
    assert not known.allow(may("ana"), "alert-goals")


def may(user: str, **can: tuple[str, ...]) -> Grants:
    return Grants(user=user, can={"subscribe": ("*",), "search": ("*",), **can}, expires_s=4e9)


@pytest.mark.parametrize(
    ("patterns", "covered", "not_covered"),
    [
        (("*",), ("den", "hall"), ()),
        (("chat:*",), ("den",), ()),
        (("*:den-*", "chat:hall"), ("den-1", "hall", "hall-2"), ("den", "foe")),
        (("chat:den~3", "location:a~*"), ("den", "a"), ("hall",)),
        (("chat*",), ("den",), ()),
        ((), (), ("den",)),
    ],
)
def test_of_closed_channels_only_those_are_looked_at_that_somebodys_patterns_may_cover(
    patterns: tuple[str, ...], covered: tuple[str, ...], not_covered: tuple[str, ...]
) -> None:
    may_be = covering(patterns)
    assert all(map(may_be, covered))
    assert not any(map(may_be, not_covered))


def test_what_others_close_elsewhere_is_in_nobodys_filter() -> None:
    known = readers(den=("ben",), **{f"foe-{number}": ("nobody",) for number in range(100)})
    assert known.hidden_from(may("ana"), ("chat:den", "chat:hall-*")) == ["den"]
    assert len(known.hidden_from(may("ana"), ("chat:*",))) == 101
