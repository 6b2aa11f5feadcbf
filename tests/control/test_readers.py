"""Who may read a channel: its readers and who administers it; everybody where none are named."""

import pytest

from control.acl import ChannelAcl
from kernel.tokens import Grants


def readers() -> ChannelAcl:
    known = ChannelAcl()
    known.learn("den", ["ben", "cleo"])
    known.learn("hall", [])
    return known


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
    known, ana = readers(), Grants(user="ana", can={})
    assert known.hidden_from(ana) == ["den"]
    known.learn("den", [])
    assert known.hidden_from(ana) == []
