"""What is too much of one user's is ended by the workers, the newest first, whoever counts."""

from random import Random
from typing import Any

import msgspec
import pytest

from control.commands.signed import opened
from control.entity.fold import Change, EntityFold, Input
from control.nearby import bounds
from control.nearby.bounds import FriendsRoom, too_many_friends
from control.nearby.fences import REMOVE_FENCE, Fence, listed_key
from control.nearby.friends import UNFRIEND, Friend, friend_key, pair_of
from kernel.access.signing import Signer
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names
from kernel.settings.reading import load_settings
from schemas.registry import codec_for
from streams.upkeep.bounds import Bounds

SETTINGS = load_settings(
    {
        "TOUCHLINE_AUTH_INTERNAL_SECRET": "s" * 32,
        "TOUCHLINE_NEARBY_MAX_FENCES_OF_A_USER": "3",
        "TOUCHLINE_NEARBY_MAX_FRIENDS": "5",
    }
)
PARTITIONS = {topic_names(SETTINGS).changes: 4}


class Rows:
    """Records by their keys, as a table has them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Any] = {}

    def keys(self, *, prefix: bytes, after: bytes, limit: int) -> tuple[list[bytes], bool]:
        found = sorted(key for key in self.rows if key.startswith(prefix) and key > after)[:limit]
        return found, len(found) == limit

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int) -> list[tuple[bytes, Any]]:
        return [(key, self.rows[key]) for key in self.keys(prefix=prefix, after=after, limit=limit)[0]]


class Known:
    """What a role knows of friends and fences."""

    def __init__(self) -> None:
        self.friends, self.fences = Rows(), Rows()

    def befriend(self, user: str, other: str, since: int, state: Any = "friends") -> Friend:
        friend = Friend(user=user, friend=other, state=state, since=since)
        self.friends.rows[friend_key(user, other)] = friend
        return friend

    def are_friends(self, user: str, other: str) -> bool:
        return friend_key(user, other) in self.friends.rows

    def friends_of(self, user: str, *, after: bytes = b"", limit: int = 500) -> list[tuple[bytes, Friend]]:
        return self.friends.scan(user.encode() + b"\0", after=after, limit=limit)

    def fences_of(self, maker: str, *, limit: int) -> list[Fence]:
        return [fence for _, fence in self.fences.scan(maker.encode() + b"\0", limit=limit)]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ASKED", 2)


async def nothing() -> None:
    pass


def made(known: Known, *states: Friend | Fence) -> Bounds:
    """Bounds of a worker that has folded these."""
    keeper = Bounds(SETTINGS, known, ManualClock())  # type: ignore[arg-type]

    def fold(given: Input, _: Any) -> list[Change[Any]]:
        return [Change(given.key, state) for state in states]

    keeper.noting(EntityFold(type=None, fold=fold)).fold(  # type: ignore[arg-type]
        Input(b"k", {}, 1, "t-0", 0), lambda _: None
    )
    return keeper


def commands(writes: Any) -> list[tuple[str, str, Any]]:
    codec, signer = codec_for(SETTINGS, "control"), Signer(SETTINGS.auth)
    found = []
    for write in writes:
        given = codec.decode(write.value)
        said = opened(given["command"], write.key.decode(), given["arguments"], signer)
        found.append((given["command"], write.key.decode(), msgspec.json.decode(said)))
    return found


async def look(keeper: Bounds) -> list[tuple[str, str, Any]]:
    return commands(await keeper.look(written=nothing, at_end=nothing, partitions=PARTITIONS))


async def test_the_newest_are_ended_and_only_of_whom_something_was_folded() -> None:
    known = Known()
    friends = [known.befriend("ana", f"f{n}", 100 + n % 4) for n in range(8)]
    for n in range(9):
        known.befriend("zoe", f"f{n}", n)
    found = await look(made(known, friends[0]))
    newest = sorted(friends, key=lambda one: (one.since, one.friend))[5:]
    assert [(command, key) for command, key, _ in found] == [
        (UNFRIEND, pair_of("ana", one.friend)) for one in newest
    ]
    assert found[0][2] == {"user": "ana", "friend": newest[0].friend}
    again = made(known, friends[0])
    assert len(await look(again)) == 3
    assert await look(again) == [], "who was counted is not counted again"


async def test_fences_and_wishes_have_bounds_too() -> None:
    known = Known()
    for n in range(5):
        fence = Fence(id=f"f{n}", maker="ana", radius_m=5.0, at=10 - n)
        known.fences.rows[listed_key("ana", fence.id)] = fence
        asked = known.befriend("ana", f"u{n}", n, "asked")
    found = await look(made(known, fence, asked))
    assert [(command, key) for command, key, _ in found] == [
        *((UNFRIEND, pair_of("ana", f"u{n}")) for n in (2, 3, 4)),
        *((REMOVE_FENCE, f"f{n}") for n in (1, 0)),
    ]


async def test_who_could_not_be_counted_is_counted_later() -> None:
    known = Known()
    friends = [known.befriend("ana", f"f{n}", n) for n in range(6)]
    keeper = made(known, friends[0])

    async def away() -> None:
        raise TouchlineError("unavailable", "Kafka is away.")

    assert await keeper.look(written=nothing, at_end=away, partitions=PARTITIONS) == []
    assert len(await look(keeper)) == 1


def test_whoever_counts_finds_the_same_ones() -> None:
    friends = [Friend(user="a", friend=f"f{n}", state="friends", since=n // 3) for n in range(20)]
    wanted = too_many_friends(friends, 5)
    assert len(wanted) == 15
    Random(1).shuffle(friends)
    assert too_many_friends(friends, 5) == wanted


def test_a_door_counts_many_of_one_body_once() -> None:
    known = Known()
    for n in range(3):
        known.befriend("ana", f"f{n}", n)
    room = FriendsRoom(known, 5)  # type: ignore[arg-type]
    room.take("ana", "new1")
    room.take("new2", "ana")
    room.take("ana", "f1")  # they are friends already
    with pytest.raises(TouchlineError) as raised:
        room.take("ana", "new3")
    assert raised.value.code == "too_many"
    room.take("new3", "new4")
