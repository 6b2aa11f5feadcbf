"""A model of devices beside an edge: each has what was said in its times, in order, whoever comes and goes.

Devices come, acknowledge, are lost; members change; messages are edited and taken back; places move; an edge
dies with what it had not sent. Workers' part is folded by hand (tests/rooms has it with real servers).
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings, stateful
from hypothesis import strategies as st

from control.inbox.rows import row_of
from tests.consumers.messenger.by_hand import ByHand, Someone
from tests.streams.test_rooms_fold import changes

T = TypeVar("T")
STREAM = "chat:room-study"
DEVICES = st.sampled_from([("bob", "phone"), ("bob", "tv"), ("cat", "phone")])


class Device:
    """A device as it should be: what it has acknowledged, and what it has ever heard."""

    def __init__(self) -> None:
        self.wire: Someone | None = None
        self.acked = 0
        self.heard: dict[int, str] = {}


class Devices(stateful.RuleBasedStateMachine):
    """Each rule is a thing that happens."""

    #: Whom the edge keeps when they leave: nobody who is in one room.
    many = 2

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.edge = self.run(self._begin())
        self.devices: dict[tuple[str, str], Device] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def _begin(self) -> ByHand:
        edge = ByHand(many=self.many)
        await edge.__aenter__()
        return edge

    # ── what is said ─────────────────────────────────────────────────────────────────────────────────

    @stateful.rule(user=st.sampled_from(["ana", "bob"]), times=st.integers(1, 6))
    def say(self, user: str, times: int) -> None:
        async def go() -> None:
            for _ in range(times):
                self.edge.say(user, f"m{self.edge.world.offset} @bob")

        self.run(go())

    @stateful.precondition(lambda self: self.edge.world.messages)
    @stateful.rule(number=st.integers(0, 40), type_=st.sampled_from(["edit", "retract"]))
    def change(self, number: int, type_: str) -> None:
        messages = self.edge.world.messages
        target = messages[number % len(messages)]
        data = {"target": target["id"]} | ({"text": "else"} if type_ == "edit" else {})

        async def go() -> None:
            self.edge.post({"type": type_, "sender": "ana", "data": data}, target)

        self.run(go())

    @stateful.rule(what=st.sampled_from(["added", "removed"]), user=st.sampled_from(["bob", "cat"]))
    def members(self, what: str, user: str) -> None:
        async def go() -> None:
            self.edge.post(changes("ana", what, users=[user]))

        self.run(go())

    # ── devices ──────────────────────────────────────────────────────────────────────────────────────

    @stateful.rule(which=DEVICES)
    def come(self, which: tuple[str, str]) -> None:
        device = self.devices.setdefault(which, Device())

        async def go() -> None:
            if device.wire is None:
                device.wire = Someone(self.edge, *which)
                assert (await device.wire.ask("sync"))["op"] == "synced"

        self.run(go())

    @stateful.rule(which=DEVICES)
    def go_away(self, which: tuple[str, str]) -> None:
        async def go() -> None:
            self._lose(which)

        self.run(go())

    @stateful.rule(which=DEVICES)
    def acknowledge(self, which: tuple[str, str]) -> None:
        async def go() -> None:
            device = self.devices.get(which)
            if device is None or device.wire is None:
                return
            await self._catch_up(which)
            if device.heard and self._in(which[0]):
                last = max(device.heard)
                reply = await device.wire.ask("ack", stream=STREAM, seq=last)
                if reply["op"] == "ok":
                    device.acked = last

        self.run(go())

    @stateful.rule(user=st.sampled_from(["ana", "bob"]), number=st.integers(0, 60))
    def read(self, user: str, number: int) -> None:
        async def go() -> None:
            if self._in(user):
                log = self.edge.world.log
                reader = Someone(self.edge, user, "reader")
                await reader.ask("read", stream=STREAM, seq=log[number % len(log)]["seq"])
                reader.leave()

        self.run(go())

    @stateful.rule(sent=st.booleans())
    def the_edge_dies(self, sent: bool) -> None:
        async def go() -> None:
            for which in list(self.devices):
                self._lose(which)
            for device in self.devices.values():
                device.acked = device.acked if sent else 0  # it may get once more what it has
            await self.edge.die(sent=sent)

        self.run(go())

    # ── what has to hold ─────────────────────────────────────────────────────────────────────────────

    @stateful.invariant()
    def counts_equal_a_recount(self) -> None:
        """By what the edge knows of places now."""
        world, rooms = self.edge.world, self.edge.rooms
        for user in ("ana", "bob", "cat"):
            one = rooms.of_user_in(user, "study")
            assert (one is not None) == self._in(user)
            if one is None:
                continue
            upto = self.edge.book.read_upto(user, STREAM)
            row = row_of(rooms, user, one, upto, 0)
            world.read[user] = upto.seq
            recounted = world.recounted(user)
            assert row is not None
            assert recounted is not None
            shown = (row.shown["unread"], row.shown["mentions"], row.shown["read"])
            assert shown == (recounted.unread, recounted.mentions, recounted.read)

    def teardown(self) -> None:
        async def go() -> None:
            for which, device in self.devices.items():
                if device.wire is not None:
                    await self._catch_up(which)
                    self._lose(which)
            await self.edge.__aexit__()

        self.run(go())
        self.loop.close()

    def _lose(self, which: tuple[str, str]) -> None:
        device = self.devices.get(which)
        if device is None or device.wire is None:
            return
        self._look(device)
        device.wire.leave()
        device.wire = None

    def _look(self, device: Device) -> None:
        """What has come on this connection: in order, once, and nothing that was acknowledged before it."""
        assert device.wire is not None
        seqs = [message["seq"] for message in device.wire.heard if message["op"] == "event"]
        assert seqs == sorted(set(seqs))
        device.heard |= {m["seq"]: m["type"] for m in device.wire.heard if m["op"] == "event"}

    async def _catch_up(self, which: tuple[str, str]) -> None:
        """Wait until the device has all that is its own; it has it, and nothing else."""
        device, user = self.devices[which], which[0]
        assert device.wire is not None
        room = self.edge.world.rooms.known(b"room-study").state
        assert room is not None
        if room.member(user) is None:
            return
        spans = room.readable(user)
        mine = [event["seq"] for event in self.edge.world.log if event["seq"] in spans]
        async with asyncio.timeout(60):
            while True:
                self._look(device)
                now = [message["seq"] for message in device.wire.heard if message["op"] == "event"]
                begun = min(now, default=mine[-1])
                wanted = {seq for seq in mine if seq >= begun and seq > device.acked}
                if wanted <= device.heard.keys():
                    break
                await asyncio.sleep(0.005)
        assert device.heard.keys() <= {event["seq"] for event in self.edge.world.log}

    def _in(self, user: str) -> bool:
        room = self.edge.world.rooms.known(b"room-study").state
        return room is not None and room.member(user) is not None


class KeptDevices(Devices):
    """The same where everybody is kept who leaves."""

    many = 1


TestKeptDevices = KeptDevices.TestCase
TestKeptDevices.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestDevices = Devices.TestCase
TestDevices.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
