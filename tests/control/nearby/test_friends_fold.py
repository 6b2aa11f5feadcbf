"""Friendships and consent as they are folded: both sides agree, however often an input is read."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.commands.signed import seal
from control.entity.fold import EntityFold, Input, fold_input
from control.entity.known import Known
from control.entity.types import Stamp
from control.nearby.commands import COMMANDS, folds
from control.nearby.fences import REMOVE_FENCE, SET_FENCE, Fence, said_of
from control.nearby.friends import BEFRIEND, UNFRIEND, Friend, friend_key, pair_of, pair_of_key
from control.nearby.sharing import SHARE, Sharing
from control.nearby.table import fence_type, friend_type, sharing_type
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth, Settings

SECRET = Auth(internal_secret="s" * 32)
SIGNER, SETTINGS = Signer(SECRET), Settings()
TYPES = (friend_type(SETTINGS), sharing_type(SETTINGS), fence_type(SETTINGS))
FOLDS = folds(*TYPES, SIGNER)
USERS = ("ana", "bob", "cät ~1")


class Log:
    """Commands of one partition, and the records that come of them."""

    def __init__(self) -> None:
        self.records: dict[bytes, Known[Any]] = {}
        self.inputs: list[Input] = []

    def known(self, key: bytes) -> Known[Any]:
        return self.records.get(key, Known(None, Stamp()))

    def give(self, command: str, key: str, said: Any, *, signer: Signer = SIGNER) -> int:
        value = {"command": command, "arguments": msgspec.json.encode(seal(command, key, said, signer))}
        self.inputs.append(Input(key.encode(), value, 1000 + len(self.inputs), "t-0", len(self.inputs)))
        return self.fold(self.inputs[-1])

    def fold(self, given_: Input) -> int:
        how: EntityFold[Any] = FOLDS[given_.value["command"]]
        written = fold_input(how, given_, self.known)
        for one in written:
            # As it is read again.
            state = None if one.value is None else how.type.decode(one.value)
            self.records[one.key] = one.known._replace(state=state)
        return len(written)

    def state(self, key: bytes) -> Any:
        return self.known(key).state


STEPS = st.lists(
    st.tuples(
        st.sampled_from([BEFRIEND, UNFRIEND]), st.sampled_from(USERS), st.sampled_from(USERS), st.booleans()
    ).filter(lambda step: step[1] != step[2]),
    max_size=30,
)


@given(STEPS, st.data())
def test_both_sides_agree_and_what_is_read_again_changes_nothing(steps: Any, data: st.DataObject) -> None:
    log = Log()
    wanted: dict[tuple[str, str], str | None] = {}
    for command, user, friend, at_once in steps:
        log.give(command, pair_of(user, friend), {"user": user, "friend": friend, "at_once": at_once})
        mine = wanted.get((user, friend))
        if command == UNFRIEND:
            wanted[user, friend] = wanted[friend, user] = None
        elif at_once or mine in ("asking", "friends"):
            wanted[user, friend] = wanted[friend, user] = "friends"
        elif mine is None:
            wanted[user, friend], wanted[friend, user] = "asked", "asking"
        for (one, other), state in wanted.items():
            found: Friend | None = log.state(friend_key(one, other))
            assert (None if found is None else found.state) == state
            assert found is None or (found.user, found.friend) == (one, other)
    before = dict(log.records)
    again = data.draw(st.integers(0, len(log.inputs)))
    for given_again in log.inputs[again:]:
        assert log.fold(given_again) == 0
    assert log.records == before


def test_both_records_lie_in_the_pairs_partition() -> None:
    for one, other in (("ana", "bob"), ("zoë", "ana"), ("b", "a")):
        keys = friend_key(one, other), friend_key(other, one)
        assert pair_of_key(keys[0]) == pair_of_key(keys[1]) == pair_of(one, other).encode()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_only_doors_give_these_commands(command: str) -> None:
    log, said = Log(), {"user": "ana", "friend": "bob", "on": True}
    key = pair_of("ana", "bob") if "friend" in command else "ana"
    with pytest.raises(TouchlineError) as raised:
        log.give(command, key, said, signer=Signer(Auth(internal_secret="x" * 32)))
    assert raised.value.code == "forbidden"
    # Nor does a seal fit another key or command.
    other = "share" if command != "share" else BEFRIEND
    sealed = msgspec.json.encode(seal(other, key, said, SIGNER))
    with pytest.raises(TouchlineError) as raised:
        log.fold(Input(key.encode(), {"command": command, "arguments": sealed}, 1, "t-0", 9))
    assert raised.value.code == "forbidden"


def test_taking_consent_back_forgets_what_was_before() -> None:
    log = Log()

    def share(*, on: bool, public: bool = False) -> Sharing:
        log.give(SHARE, "ana", {"user": "ana", "on": on, "public": public})
        found: Sharing = log.state(b"ana")
        return found

    first = share(on=True)
    assert first.shows(1)
    assert not first.seen_by_all
    assert share(on=True, public=True).seen_by_all
    off = share(on=False, public=True)
    assert not off.shows(10**9)
    assert not off.seen_by_all
    on = share(on=True)
    assert not on.shows(off.since)
    assert on.shows(off.since + 1)
    later = share(on=False)
    assert later.forgotten > off.forgotten


def test_a_fence_is_whose_it_was_first() -> None:
    log, fence = Log(), Fence(id="home", lat=1.0, lon=2.0, radius_m=50.0)
    log.give(SET_FENCE, "home", said_of(fence, by="ana", admin=False))
    assert log.state(b"home").maker == "ana"
    for command in (SET_FENCE, REMOVE_FENCE):
        with pytest.raises(TouchlineError) as raised:
            log.give(command, "home", said_of(fence, by="bob", admin=False))
        assert raised.value.code == "exists"
    log.give(SET_FENCE, "home", said_of(msgspec.structs.replace(fence, radius_m=70.0), by=None, admin=True))
    assert (log.state(b"home").maker, log.state(b"home").radius_m) == ("ana", 70.0)
    log.give(REMOVE_FENCE, "home", said_of(fence, by="ana", admin=False))
    assert log.state(b"home") is None
