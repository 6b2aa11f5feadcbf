"""Walkers and viewers on one edge, from records to frames: viewers know what an oracle knows."""

import asyncio
import json
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

import pytest

from consumers.delivery.hub import Raw
from consumers.delivery.records import reader_for
from consumers.nearby.positions import Positions
from consumers.nearby.visibility import Looking
from consumers.transport.frames import payload_of
from control.geo.distances import metres
from control.nearby.friends import Friend, friend_key
from control.nearby.sharing import Sharing
from kernel.clock import ManualClock
from kernel.settings.reading import Nearby, Settings
from producers.posts import Location
from producers.simulation.walking import friendships, walks
from schemas.codec import Codec

WALKERS, VIEWERS, WITHIN_M = 200, 30, 700.0
CODEC = Codec("fanout")


class Tables:
    """Friends and consent as an edge's tables have them, and who is told of changes."""

    followed = True

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = {*pairs, *((b, a) for a, b in pairs)}
        self.consent: dict[str, Sharing] = {}
        self._of: dict[str, list[Callable[..., None]]] = {}
        self._all: list[Callable[..., None]] = []
        self.friends = self.sharing = self

    def watch_pairs(self, user: str, call: Callable[..., None]) -> None:
        self._of.setdefault(user, []).append(call)

    def unwatch_pairs(self, user: str, call: Callable[..., None]) -> None:
        self._of[user].remove(call)

    def watch_all(self, call: Callable[..., None]) -> None:
        self._all.append(call)

    def listed(self, _: int) -> list[Any]:
        return []

    def friends_of(self, user: str, *, after: bytes = b"", limit: int = 500) -> list[tuple[bytes, Friend]]:
        rows = [
            (friend_key(a, b), Friend(user=a, friend=b, state="friends")) for a, b in self.pairs if a == user
        ]
        return sorted(row for row in rows if row[0] > after)[:limit]

    def sharing_of_name(self, name: bytes, user: str) -> Sharing:
        return self.consent.get(name.decode(), Sharing(user=user))

    def sharing_of_names(self, names: list[bytes]) -> dict[bytes, Sharing]:
        return {name: self.consent[name.decode()] for name in names if name.decode() in self.consent}

    def share(self, user: str, now_ms: int, *, on: bool) -> None:
        before = self.sharing_of_name(user.encode(), user)
        forgotten = before.forgotten if on else now_ms
        self.consent[user] = Sharing(user=user, on=on, forgotten=forgotten)
        for call in self._all:
            call(user.encode(), self.consent[user])

    def befriend(self, one: str, other: str, *, on: bool) -> None:
        for a, b in ((one, other), (other, one)):
            (self.pairs.add if on else self.pairs.discard)((a, b))
            friend = Friend(user=a, friend=b, state="friends") if on else None
            for call in list(self._of.get(a, ())):
                call(friend_key(a, b), friend)


class Phone:
    """A viewer's connection: what they believe by what they were told."""

    def __init__(self, user: str) -> None:
        self.user, self.paused, self.closing = user, False, False
        self.near: dict[str, dict[str, Any]] = {}

    def write(self, data: bytes) -> None:
        while data:
            payload = payload_of(data[: _end(data)])
            data = data[_end(data) :]
            said = json.loads(payload)
            if said["op"] == "near":
                self.near[said["user"]] = said
            else:  # who came and went in one moment was not told of before
                assert said["op"] == "away"
                self.near.pop(said["user"], None)


def _end(frames: bytes) -> int:
    """Where the first frame ends."""
    return 2 + frames[1] if frames[1] < 126 else 4 + int.from_bytes(frames[2:4])


class Oracle:
    """Who is near whom, by looking at everybody."""

    def __init__(self, tables: Tables, clock: ManualClock, active_s: float) -> None:
        self._tables, self._clock, self._active_ms = tables, clock, active_s * 1000
        self.places: dict[str, tuple[float, float, int]] = {}
        self.looks_from: dict[str, tuple[float, float]] = {}

    def near(self, user: str) -> dict[str, float]:
        found = {}
        for friend, (lat, lon, came) in self.places.items():
            sharing = self._tables.sharing_of_name(friend.encode(), friend)
            if (user, friend) not in self._tables.pairs or not sharing.shows(came):
                continue
            way = float(metres(*self.looks_from[user], lat, lon))
            if way <= WITHIN_M and came > self._clock.now_ms() - self._active_ms:
                found[friend] = way
        return found


def record(post: Location, seq: int, now_ms: int) -> Raw:
    stream = f"location:{post.channel}"
    shown = {"stream": stream, "server_ts": f"{now_ms}", "data": {"lat": post.lat, "lon": post.lon}}
    value = CODEC.encode(
        {
            **{"stream": stream, "seq": seq, "server_ts": now_ms, "type": "position", "sender": post.sender},
            **{"n": None, "target": None, "body": json.dumps(shown).encode()},
        }
    )
    return Raw(0, f"{post.channel}#1#0".encode(), value)


class Scene:
    """All of it, step by step."""

    def __init__(self, seed: int) -> None:
        self.random, self.clock = Random(seed), ManualClock()
        self.tables = Tables(friendships(WALKERS, 8, seed))
        settings = Nearby(inactive_s=60.0)
        self.positions = Positions(self.clock, settings.inactive_s, set())
        decode, tables = reader_for(Settings()), self.tables
        self.looking = Looking(settings, self.clock, tables, self.positions, decode)  # type: ignore[arg-type]
        self.oracle = Oracle(tables, self.clock, settings.inactive_s)
        self.phones: dict[str, Phone] = {}

    async def walk(self, post: Location, seq: int) -> None:
        walker, oracle = str(post.sender), self.oracle
        self.positions.sift([record(post, seq, self.clock.now_ms())])
        oracle.places[walker] = (post.lat, post.lon, self.clock.now_ms())
        if walker in self.phones:
            oracle.looks_from[walker] = (post.lat, post.lon)
        elif len(self.phones) < VIEWERS and self.random.random() < 0.05:
            phone = self.phones[walker] = Phone(walker)
            oracle.looks_from[walker] = (post.lat, post.lon)
            for one in await self.looking.look(walker, phone, post.lat, post.lon, WITHIN_M):
                phone.near[one.user] = {}

    def happen(self) -> None:
        """Somebody changes their mind, or goes."""
        random, tables = self.random, self.tables
        what = random.randrange(40)
        if what < 2:
            tables.share(f"walker{random.randrange(WALKERS)}", self.clock.now_ms(), on=what == 0)
        elif what == 2:
            one, other = (f"walker{n}" for n in random.sample(range(WALKERS), 2))
            tables.befriend(one, other, on=random.random() < 0.7)
        elif what == 3 and self.phones:
            self.looking.stop(self.phones.pop(random.choice(list(self.phones))))

    def check(self) -> int:
        """Whether viewers know what the oracle knows; how much that is."""
        self.looking.sweep()
        self.looking.write_all()
        known = 0
        for user, phone in self.phones.items():
            wanted = self.oracle.near(user)
            assert phone.near.keys() == wanted.keys(), user
            for friend, way in wanted.items():
                told = phone.near[friend].get("distance_m")
                assert told is None or abs(told - way) < 0.1
            known += len(wanted)
        return known


@pytest.mark.parametrize("seed", [1, 2])
async def test_viewers_know_what_an_oracle_knows(seed: int) -> None:
    scene, known, before_s = Scene(seed), 0, 0.0
    for n in range(WALKERS):
        scene.tables.share(f"walker{n}", scene.clock.now_ms(), on=True)
    for number, beat in enumerate(islice(walks(WALKERS, every_s=5.0, seed=seed), 3000)):
        scene.clock.advance(beat.at_s - before_s)
        before_s = beat.at_s
        post = beat.post
        assert isinstance(post, Location)
        if int(str(post.sender).removeprefix("walker")) % 5 == number // 600:
            continue  # some say nothing for a while, and are there no more
        await scene.walk(post, number + 1)
        scene.happen()
        if number % 25 == 0:
            known += scene.check()
            await asyncio.sleep(0)
    assert known > 500
    for phone in scene.phones.values():
        scene.looking.stop(phone)
    assert not scene.positions.wanted
