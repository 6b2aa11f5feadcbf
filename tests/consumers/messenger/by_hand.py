"""An edge without Kafka, with rooms: what workers would write is folded here, and told by hand."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.rig.edge_alone import bare_service
from bench.rig.known import TablesByHand
from consumers.cluster.acknowledgements import PlaceBook
from consumers.delivery.hub import Raw
from control.channels.table import ChannelTable, channel_type
from control.entity.fold import EntityFold, Input, fold_input
from control.entity.known import Known
from control.inbox.places import Ack, fold_places
from control.inbox.tables import places_type, tally_type
from control.inbox.tally import Recent, Tally
from control.rooms.membership import ALL, Spans
from control.rooms.rooms import Rooms
from control.rooms.table import room_type, user_rooms_type
from control.rooms.users import MOST, UserRoom, UserRooms, key_of, memberships, rooms_key
from control.state import LISTS, ControlState
from history.pages import Page
from kernel.access.tokens import Verifier
from kernel.clock import Clock, SystemClock
from kernel.log.positions import MAX_SEQ, Kind, Stream
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.rendering import render
from tests.consumers.heard import close_code, messages
from tests.consumers.protocol.test_one_frame import opened
from tests.control.inbox.test_counts import World
from tests.security.test_wire import frame
from tests.security.wire import HANDSHAKE, Transport
from tests.streams.test_rooms_fold import changes, says


class _Served:
    """All partitions are served here, until another edge has them; what was before is in history alone."""

    other: str | None = None

    def serves(self, kind: object, key: str) -> bool:
        return self.other is None

    def whole(self, kind: object, key: str) -> bool:
        return False

    def elsewhere(self, key: str) -> str | None:
        return self.other


class ByHand:
    """One room, `study`, and whoever comes."""

    def __init__(
        self, clock: Clock | None = None, verifier: Verifier | None = None, *, many: int | None = None
    ) -> None:
        """`many`: who is in so many rooms is kept when they leave."""
        self._many = many
        clock, settings = clock or SystemClock(), Settings()
        self.directory = Path(tempfile.mkdtemp(prefix="touchline-inbox-"))
        self.world, rooms, self._verifier = World(), Rooms(settings), verifier
        channels = channel_type(settings, listing=LISTS)
        self.tables = TablesByHand([channels, *rooms.types], self.directory)
        rooms.open(self.tables)  # type: ignore[arg-type]
        self._settings, self._clock, self._channels = settings, clock, channels
        self._room, self._tally = room_type(settings), tally_type(settings)
        self._users, self._places = user_rooms_type(settings), places_type(settings)
        self.sent: list[bytes] = []
        self.partitions = _Served()
        self.erased: dict[str, int] = {}
        self.rooms, self._offset, self._told = rooms, 0, 0
        self._begin()

    def _begin(self) -> None:
        """An edge, over the tables that there are."""
        channels, rooms = ChannelTable(self.tables.view(self._channels)), self.rooms
        state = ControlState(self._settings, self._clock, channels, rooms)
        state.caught_up("channels")
        self.book = PlaceBook(
            self._clock,
            Codec("ack"),
            lambda _, value: self.sent.append(value),
            rooms.inboxes,
            lambda user: self.erased.get(user, 0),
        )
        past: Any = self
        self.service = bare_service(
            self._settings,
            self._clock,
            verifier=self._verifier,
            registry=state,
            history=past,
            book=self.book,
            partitions=self.partitions,
        )
        self.service.subscriptions.hub.whole.clear()
        if self._many is not None:
            self.service.messenger.here.many = self._many

    async def die(self, *, sent: bool) -> None:
        """The edge dies, and another begins; what it had not sent of places is gone."""
        if sent:
            self.book.flush(all_of_it=True)
        self.sent[:] = self.sent if sent else []
        self.fold()
        await self.service.close()
        self.rooms.of_users.on_change.clear()
        self.rooms.inboxes.of_users.on_change.clear()
        self._begin()

    async def __aenter__(self) -> "ByHand":
        self.post(changes("ana", "created", name="Study", users=["bob"]))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.close()
        shutil.rmtree(self.directory)

    # ── what workers do ──────────────────────────────────────────────────────────────────────────────

    def post(self, event: dict[str, Any], about: dict[str, Any] | None = None) -> int:
        """An event is accepted: its seq."""
        self.world.post(event, about)
        room = self.world.rooms.written[b"room-study"]
        self.tables.put(self._room, b"room-study", room)
        known = self.world.rooms.known(b"room-study").state
        assert known is not None
        for one in memberships(known, [m.user for m in known.members] + [f.user for f in known.former]):
            self._tell_user(one)
        for said in self.world.log[self._told :]:
            said.setdefault("partition", 0)
            body = render(Kind.CHAT, said)
            said["body"] = body
            record = {
                "stream": "chat:room-study", "seq": said["seq"], "server_ts": 0, "type": said["type"],
                "sender": said["sender"], "n": said["n"], "target": None, "body": body,
            }  # fmt: skip
            hub = self.service.subscriptions.hub
            hub.take("live", [Raw(0, b"room-study#1#0", Codec("fanout").encode(record))])
        self._told = len(self.world.log)
        self.tables.put(self._tally, b"room-study", self.world.tallies.written[b"room-study"])
        return int(self.world.log[-1]["seq"])

    def say(self, user: str, text: str) -> int:
        return self.post(says(user, text))

    def lose_partitions(self, to: str) -> None:
        """They go to the edge at this address, as a rebalance takes them."""
        subscriptions, self.partitions.other = self.service.subscriptions, to
        subscriptions.suspend(lambda *_: False)
        subscriptions.move(lambda *_: False, lambda _: to)

    def _tell_user(self, one: Any) -> None:
        key = rooms_key(one.user, 0)
        before = self.tables.view(self._users).get(key)
        rooms = tuple(room for room in before.rooms if room.room != one.room) if before else ()
        if one.since is not None:
            now = UserRoom(room=one.room, at=one.at, since=one.since, ranges=one.ranges, whole=one.whole)
            rooms = (now, *rooms)
        if before is None or before.rooms != rooms:
            revision = 1 if before is None else before.revision + 1
            self.tables.put(self._users, key, self._users.encode(UserRooms(rooms=rooms, revision=revision)))

    def let_in(self, user: str, rooms: int) -> None:
        """A user is in so many other rooms, in each of which something was said once."""
        mine = [UserRoom(room=f"quiet{n}", at=1, since=1, ranges=(1, MAX_SEQ)) for n in range(rooms)]
        known = [one for one in self.rooms.of_user(user) if one.room == "study"]
        for number, at in enumerate(range(0, len(mine) + 1, MOST)):
            some = (*known, *mine)[at : at + MOST]
            key, value = rooms_key(user, number), UserRooms(rooms=tuple(some), revision=100)
            self.tables.put(self._users, key, self._users.encode(value))
        for one in mine:
            tally = Tally(channel=f"room-{one.room}", seq=9, at=1, n=1, recent=(Recent(9, 1),))
            self.tables.put(self._tally, tally.channel.encode(), self._tally.encode(tally))

    def fold(self) -> None:
        """What the edge has sent of places is folded."""
        how = EntityFold(type=self._places, fold=fold_places)
        sent, self.sent[:] = list(self.sent), []
        for value in sent:
            said = Codec("ack").decode(value)
            self._offset += 1
            given = Input(key_of(said["user"]).encode(), said, 60_000, "id-0", self._offset)

            def known(key: bytes) -> Known[Any]:
                return self.tables.view(self._places).known(key)

            for written in fold_input(how, given, known):
                self.tables.put(self._places, written.key, written.value or b"")

    def sign_out(self, user: str, device: str) -> None:
        """As a gateway asks for it."""
        self.sent.append(Codec("ack").encode(msgspec.to_builtins(Ack(user=user, forget=(device,)))))
        self.fold()

    def erase(self, user: str) -> None:
        """Their data were erased."""
        self.sent.append(Codec("ack").encode(msgspec.to_builtins(Ack(user=user, forget_places=True))))
        self.fold()
        self.erased[user] = self.erased.get(user, 0) + 1

    # ── history ──────────────────────────────────────────────────────────────────────────────────────

    async def read(
        self,
        stream: Stream,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        replies_to: str = "",
    ) -> Page:
        if str(stream) != "chat:room-study":  # nobody is told anything
            return Page([], more=False, seqs=[])
        found = [e for e in self.world.log if "body" in e]
        if after is not None:
            some = [e for e in found if e["seq"] > after][:limit]
            more = len([e for e in found if e["seq"] > after]) > limit
        else:
            below = [e for e in found if before is None or e["seq"] < before]
            some, more = below[-limit:], len(below) > limit
        return Page([e["body"] for e in some], more=more, seqs=[e["seq"] for e in some])

    async def replies(self, stream: Stream, events: Sequence[bytes], spans: Spans = ALL) -> dict[str, int]:
        return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        raise NotImplementedError


class Someone:
    """A connection to it."""

    def __init__(self, edge: ByHand, user: str, device: str = "phone", *, token: str = "") -> None:
        self.edge, self._last = edge, 0
        path = f"/v1/ws?user={user}&device={device}&token={token}".encode()
        self.wire: Transport = opened(edge.service, HANDSHAKE.replace(b"/v1/ws", path, 1))

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self._last += 1
        assert self.wire.protocol is not None
        request = json.dumps({"id": self._last, "op": op, **fields})
        self.wire.protocol.data_received(frame(request.encode()))
        return await self.until(lambda message: message.get("id") == self._last)

    async def until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                for message in self.heard:
                    if wanted(message):
                        return message
                await asyncio.sleep(0.005)

    @property
    def heard(self) -> list[dict[str, Any]]:
        ops = "event ok error inbox synced receipt typing join leave presence subscribed redirect pong"
        return messages(self.wire, *ops.split())

    @property
    def texts(self) -> list[str]:
        return [m["data"].get("text", "") for m in self.heard if m["op"] == "event"]

    @property
    def closed(self) -> int | None:
        return close_code(self.wire)

    def leave(self) -> None:
        assert self.wire.protocol is not None
        self.wire.protocol.connection_lost(None)
