"""Follows as they are folded: counts agree with the pairs, however often an input is read."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.commands.signed import seal
from control.entity.fold import EntityFold, Input, Written, fold_input
from control.entity.known import Known
from control.entity.types import Stamp
from control.feeds.commands import folds
from control.feeds.follows import (
    FOLLOW,
    UNFOLLOW,
    check_followed,
    count_key,
    follow_key,
    followers_prefix,
    share_of,
    share_of_key,
)
from control.feeds.table import follow_type
from kernel.access.signing import Signer
from kernel.access.users import name_in_channel
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth, Settings

SIGNER, SETTINGS = Signer(Auth(internal_secret="s" * 32)), Settings()
TYPE = follow_type(SETTINGS)
FOLDS = folds(TYPE, SIGNER)
USERS = ("ana", "bob", "cät ~1", "dan")
CHANNELS = ("final", "fan-zone", "user-bob")


class Log:
    """Commands, and the records that come of them."""

    def __init__(self) -> None:
        self.records: dict[bytes, Known[Any]] = {}
        self.inputs: list[Input] = []

    def known(self, key: bytes) -> Known[Any]:
        return self.records.get(key, Known(None, Stamp()))

    def give(self, command: str, user: str, channel: str, most: int = 0, signer: Signer = SIGNER) -> None:
        key = share_of(name_in_channel(user))
        said = {"user": user, "channel": channel, "most": most}
        value = {"command": command, "arguments": msgspec.json.encode(seal(command, key, said, signer))}
        self.inputs.append(Input(key.encode(), value, 1000 + len(self.inputs), "t-0", len(self.inputs)))

    def fold(self, one: Input) -> list[Written[Any]]:
        how: EntityFold[Any] = FOLDS[one.value["command"]]
        return fold_input(how, one, self.known)

    def keep(self, written: list[Written[Any]]) -> None:
        for one in written:
            state = None if one.value is None else TYPE.decode(one.value)  # as it is read again
            self.records[one.key] = one.known._replace(state=state)

    def followers(self, channel: str) -> int:
        prefix = followers_prefix(channel)
        return sum(k.state.n for key, k in self.records.items() if key.startswith(prefix) and k.state)

    def following(self, user: str) -> int:
        state = self.known(count_key(user).encode()).state
        return 0 if state is None else int(state.n)


STEPS = st.lists(
    st.tuples(st.sampled_from([FOLLOW, UNFOLLOW]), st.sampled_from(USERS), st.sampled_from(CHANNELS)),
    max_size=25,
)


@given(steps=STEPS, stops=st.lists(st.integers(0, 3), min_size=25, max_size=25))
def test_counts_are_those_of_the_pairs_after_whatever_crash(
    steps: list[tuple[str, str, str]], stops: list[int]
) -> None:
    log, right = Log(), set[tuple[str, str]]()
    for command, user, channel in steps:
        log.give(command, user, channel)
    for one, stop, (command, user, channel) in zip(log.inputs, stops, steps, strict=False):
        # It dies after so many of the records are on the log, and whoever comes after folds the input again.
        log.keep(log.fold(one)[:stop])
        log.keep(log.fold(one))
        assert log.fold(one) == []
        (right.add if command == FOLLOW else right.discard)((user, channel))
    for user in USERS:
        assert log.following(user) == sum(1 for who, _ in right if who == user)
    for channel in CHANNELS:
        assert log.followers(channel) == sum(1 for _, what in right if what == channel)
        for user in USERS:
            assert (log.known(follow_key(user, channel)).state is not None) == ((user, channel) in right)


@pytest.mark.parametrize("user", USERS)
def test_all_records_of_a_user_lie_in_one_partition(user: str) -> None:
    log = Log()
    log.give(FOLLOW, user, "final")
    written = log.fold(log.inputs[0])
    assert len(written) == 3
    assert {share_of_key(one.key) for one in written} == {share_of(name_in_channel(user)).encode()}


def test_more_than_are_allowed_are_refused() -> None:
    log = Log()
    for number in range(3):
        log.give(FOLLOW, "ana", f"channel-{number}", most=2)
    log.keep(log.fold(log.inputs[0]))
    log.keep(log.fold(log.inputs[1]))
    with pytest.raises(TouchlineError) as refused:
        log.fold(log.inputs[2])
    assert refused.value.code == "too_many"
    assert log.following("ana") == 2


def test_only_doors_say_who_follows() -> None:
    log = Log()
    log.give(FOLLOW, "ana", "final", signer=Signer(Auth(internal_secret="x" * 32)))
    with pytest.raises(TouchlineError) as refused:
        log.fold(log.inputs[0])
    assert refused.value.code == "forbidden"


@pytest.mark.parametrize(
    "channel", ["room-study", "notify-ana", "touchline-x", "final~3", "", "ä", "x" * 129]
)
def test_what_cannot_be_followed(channel: str) -> None:
    with pytest.raises(TouchlineError) as refused:
        check_followed(channel)
    assert refused.value.code == "bad_request"
