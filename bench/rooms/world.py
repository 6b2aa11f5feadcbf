"""Rooms that are there from the start: their records, written as workers write them; and what is said in
them, posted as doors post it."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Producer

from control.inbox.tables import tally_type
from control.inbox.tally import LastPost, Recent, Tally
from control.rooms.state import Member, Room
from control.rooms.table import room_type, user_rooms_type
from control.rooms.users import MOST, UserRoom, UserRooms, key_of, rooms_key
from kernel.access.signing import Signer
from kernel.access.users import ROOM
from kernel.log.positions import MAX_SEQ, Kind, partition_of
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

#: All were made before the first event of the topics.
BORN = 1


class Made(NamedTuple):
    """A room: its id, and who is in it."""

    room: str
    members: Sequence[str]
    #: From where on its last members may read it; 0: everything.
    joined: int = 0
    #: How many of them came then.
    late: int = 0


def town(rooms: int, users: int, memberships: int, *, seed: int = 1) -> list[Made]:
    """Rooms of 10 to 100 of so many people, small ones more often, with about so many memberships in all."""
    rng = random.Random(seed)
    mean = memberships / rooms
    found = []
    for number in range(rooms):
        size = min(100, 9 + int(rng.expovariate(1 / (mean - 9.5))) + 1)
        found.append(Made(f"r{number}", [f"u{n}" for n in rng.sample(range(users), size)]))
    return found


class World:
    """Writes it."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.names = settings, topic_names(settings)
        self._room, self._users, self._tally = (
            room_type(settings), user_rooms_type(settings), tally_type(settings),
        )  # fmt: skip
        self._ingest, self._signer = codec_for(settings, "ingest-chat"), Signer(settings.auth)
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "compression.type": "lz4",
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        #: Posts wait less long for others.
        self._poster = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "enable.idempotence": True,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def make(self, rooms: Iterable[Made]) -> dict[str, list[str]]:
        """Write the rooms' records, and their users'; user -> the rooms that they are in."""
        of_users: defaultdict[str, list[UserRoom]] = defaultdict(list)
        for one in rooms:
            late = len(one.members) - one.late
            members = tuple(
                Member(user, "owner" if n == 0 else "member", BORN, one.joined if n >= late else BORN)
                for n, user in enumerate(one.members)
            )
            room = Room(room=one.room, name=one.room, born=BORN, members=members, changed=BORN, revision=1)
            self._write(self.names.rooms, ROOM + one.room, self._room.encode(room))
            for member in members:
                of_users[member.user].append(
                    UserRoom(
                        room=one.room, at=BORN, since=BORN, ranges=(member.first, MAX_SEQ),
                        whole=member.first == BORN,
                    )
                )  # fmt: skip
        partitions = self.settings.topics.partitions
        for user, mine in of_users.items():
            for number in range(-(-len(mine) // MOST)):
                chunk = UserRooms(rooms=tuple(mine[number * MOST : (number + 1) * MOST]), revision=1)
                key = rooms_key(user, number)
                place = partition_of(key_of(user), partitions)
                self._write(self.names.user_rooms, key, self._users.encode(chunk), place)
        assert self._producer.flush(120) == 0
        return {user: [one.room for one in mine] for user, mine in of_users.items()}

    def tallies(self, rooms: Iterable[Made], seq: int) -> None:
        """Each room has had one message, at this place."""
        for one in rooms:
            tally = Tally(
                channel=ROOM + one.room, seq=seq, at=1_790_000_000_000, n=1,
                posts=(LastPost(one.members[0], seq, 1),), recent=(Recent(seq, 1),), last=b'{"text":"hello"}',
            )  # fmt: skip
            self._write(self.names.tallies, tally.channel, self._tally.encode(tally))
        assert self._producer.flush(120) == 0

    def post(self, room: str, sender: str, text: str) -> None:
        """A message, as an edge posts it."""
        value = self._ingest.encode(
            {"type": "message", "key": None, "sender": sender, "client_ts": None,
             "data": {"text": text, "target": None, "extra": None}}
        )  # fmt: skip
        channel = ROOM + room
        headers: Any = self._signer.headers(Kind.CHAT, channel, value)
        self._poster.produce(self.names.ingest[Kind.CHAT], value, channel, headers=headers)
        self._poster.poll(0)

    def flush(self) -> None:
        assert self._poster.flush(60) == 0

    def _write(self, topic: str, key: str | bytes, value: bytes, partition: int = -1) -> None:
        self._producer.produce(topic, value, key, partition)
        self._producer.poll(0)
