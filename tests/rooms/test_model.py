"""A model of rooms on real servers: devices come and go, members change, messages are changed and taken back,
places move, and workers, edges and gateways are killed. Then each device has seen exactly the messages of the
times of its user's membership, once, in order, and every unread count is what a recount of the log gives.

A few runs, the same ones each time; TOUCHLINE_TEST_EXAMPLES=50 makes so many others.
"""

import asyncio
import contextlib
import itertools
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import ClientError
from hypothesis import HealthCheck, Phase, settings, stateful
from hypothesis import strategies as st

from chaos.parts.rooms.invariants import (
    Held,
    Shown,
    counts_are_recounts,
    devices_have_what_is_theirs,
    members_are_as_the_stream_says,
    reading_is_everywhere,
    what_was_taken_back_is_gone,
)
from chaos.parts.rooms.recount import Rooms, recounted
from chaos.parts.rooms.work import read_rooms
from tests.pipeline import Pipeline, running
from tests.rooms.conftest import NO_ELASTICSEARCH
from tests.rooms.people import Person, http, person, shown, stream_of

T = TypeVar("T")
EXAMPLES = int(os.environ.get("TOUCHLINE_TEST_EXAMPLES", "0"))
ROLES = ("stream", "edge", "gateway")
HISTORIES = ("joined", "all")
DEVICES = (("bob", "phone"), ("bob", "laptop"), ("cat", "phone"))
WORLDS = itertools.count(1)
#: A role that was killed has so long to be back.
WITHIN_S = 90
users = st.sampled_from(["ana", "bob", "cat"])
histories = st.sampled_from(HISTORIES)
devices = st.sampled_from(DEVICES)


@pytest.fixture(scope="module")
def mortal(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("mortal")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, *ROLES) as pipeline:
        yield pipeline


class Device:
    """A device: its connection, what it was shown over all of them, what it has acknowledged for good."""

    def __init__(self) -> None:
        self.who: Person | None = None
        self.stack = contextlib.AsyncExitStack()
        self.looked = 0
        self.shown: defaultdict[str, list[Shown]] = defaultdict(list)
        #: Of this connection: the latest of each stream.
        self.latest: dict[str, int] = {}
        self.acked: dict[str, int] = {}
        #: The same, as of when this connection began: what was on its way to it before may come.
        self.acked_before: dict[str, int] = {}

    def at(self, stream: str) -> int:
        return self.shown[stream][-1].seq if self.shown[stream] else 0

    def look(self) -> None:
        """Take down what has come: on one connection in order and once, and nothing that is acknowledged."""
        assert self.who is not None
        for message, at_ms in zip(
            self.who.heard[self.looked :], self.who.heard_at[self.looked :], strict=True
        ):
            self.looked += 1
            if message["op"] != "event":
                assert message["op"] != "gap", message
                continue
            stream, seq = message["stream"], message["seq"]
            assert seq > self.latest.get(stream, 0), f"{seq} after {self.latest[stream]} on one connection"
            assert seq > self.acked_before.get(stream, 0), f"{seq} came again, which was acknowledged"
            self.latest[stream] = seq
            if seq > self.at(stream):
                self.shown[stream].append(Shown(seq, at_ms))


class World(stateful.RuleBasedStateMachine):
    """Two rooms of ana, bob and cat: one that shows who joins everything, and one that does not."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.loop = asyncio.new_event_loop()
        self.number = next(WORLDS)
        self.rooms = {history: f"model{self.number}-{history}" for history in HISTORIES}
        self.streams = [stream_of(room) for room in self.rooms.values()]
        self.messages: dict[str, list[tuple[str, str]]] = {history: [] for history in HISTORIES}
        self.inside = {history: {"ana", "bob"} for history in HISTORIES}
        self.devices = {which: Device() for which in DEVICES}
        self.keys = itertools.count(1)
        self.kills = 0
        self.read: dict[tuple[str, str], int] = {}

    def name(self, user: str) -> str:
        """Nobody is known from the run before."""
        return f"{user}{self.number}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def told(self, method: str, path: str, user: str | None, body: Any = None) -> tuple[int, Any]:
        """The answer, asked for until there is one that is none of a door that is away."""
        name = None if user is None else self.name(user)

        async def ask() -> tuple[int, Any] | None:
            with contextlib.suppress(ClientError, OSError, TimeoutError):
                status, answer = await http(self.pipeline, method, path, name, body)
                if status < 500 and answer.get("code") != "rate_limited":
                    return status, answer
            return None

        return await until(f"{method} {path} is answered", ask)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────

    @stateful.initialize()
    def begin(self) -> None:
        async def go() -> None:
            for history, room in self.rooms.items():
                body = {"room": room, "name": "Model", "members": [self.name("bob")], "history": history}
                status, answer = await self.told("POST", "/v1/rooms", "ana", body)
                assert status in (201, 409), answer
            for which in DEVICES:
                await self.come(which)
            for user in ("bob", "cat"):  # the devices are known from now on: they begin with no last messages

                async def known(user: str = user) -> bool:
                    _, answer = await self.told("GET", "/v1/devices", user)
                    wanted = {device for owner, device in DEVICES if owner == user}
                    return {one["device"] for one in answer["devices"]} == wanted

                await until(f"{user}'s devices are known", known)

        self.run(go())

    @stateful.rule(user=users, history=histories, times=st.integers(1, 3))
    def say(self, user: str, history: str, times: int) -> None:
        async def go() -> None:
            for _ in range(times):
                key = f"k{next(self.keys)}"
                text = f"@{self.name('bob')} {key} of {self.number}"
                answer = await self.post(history, user, {"key": key, "data": {"text": text}})
                if answer is not None:
                    self.messages[history].append((answer["id"], user))

        self.run(go())

    @stateful.rule(history=histories, number=st.integers(0, 30), type_=st.sampled_from(["edit", "retract"]))
    def change(self, history: str, number: int, type_: str) -> None:
        messages = self.messages[history]
        if not messages:
            return
        target, author = messages[number % len(messages)]
        key = f"k{next(self.keys)}"
        text = {"text": f"changed {key} of {self.number}"} if type_ == "edit" else {}
        self.run(self.post(history, author, {"type": type_, "key": key, "data": {"target": target, **text}}))

    @stateful.rule(history=histories, user=st.sampled_from(["bob", "cat"]))
    def in_or_out(self, history: str, user: str) -> None:
        async def go() -> None:
            inside = self.inside[history]
            what = "remove" if user in inside else "add"
            path = f"/v1/rooms/{self.rooms[history]}/members"
            status, answer = await self.told("POST", path, "ana", {what: [self.name(user)]})
            assert status == 200, answer
            inside ^= {user}

        self.run(go())

    @stateful.rule(which=devices)
    def come_or_go(self, which: tuple[str, str]) -> None:
        device = self.devices[which]
        self.run(self.come(which) if device.who is None else self.go_away(which))

    @stateful.rule(which=devices, history=histories)
    def acknowledge(self, which: tuple[str, str], history: str) -> None:
        """For good: until the gateway knows it. What was only said may come again."""
        device, stream = self.devices[which], stream_of(self.rooms[history])

        async def go() -> None:
            if device.who is None:
                return
            device.look()
            seq = device.at(stream)
            if not seq or which[0] not in self.inside[history]:
                return
            with contextlib.suppress(Exception):  # an edge that is away takes no word
                async with asyncio.timeout(20):
                    if (await device.who.ask("ack", stream=stream, seq=seq))["op"] != "ok":
                        return

                    async def folded() -> bool:
                        _, page = await self.told("GET", "/v1/rooms", which[0])
                        return any(r["stream"] == stream and r["delivered"] >= seq for r in page["rooms"])

                    await until("it is folded", folded)
                    # The user's other device may have said it.
                    if which[0] == "cat":
                        device.acked[stream] = seq

        self.run(go())

    @stateful.rule(which=devices, history=histories, back=st.integers(1, 6))
    def reads(self, which: tuple[str, str], history: str, back: int) -> None:
        device, stream = self.devices[which], stream_of(self.rooms[history])

        async def go() -> None:
            if device.who is None:
                return
            device.look()
            seen = device.shown[stream]
            if seen and which[0] in self.inside[history]:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(20):
                        await device.who.ask("read", stream=stream, seq=seen[-min(back, len(seen))].seq)

        self.run(go())

    @stateful.precondition(lambda self: self.kills < 3)
    @stateful.rule(role=st.sampled_from(ROLES))
    def kill(self, role: str) -> None:
        """kill -9; what comes next meets a role that is away."""
        self.kills += 1
        self.pipeline.kill(role)
        self.pipeline.launch(role)

    # ── what has to hold ─────────────────────────────────────────────────────────────────────────────

    def teardown(self) -> None:
        try:
            self.run(self.compare())
        finally:
            for which in DEVICES:
                self.run(self.go_away(which))
            self.loop.close()

    async def compare(self) -> None:
        for role in ROLES:
            await until(f"{role} is ready", partial(ready, self.pipeline, role))
        for which in DEVICES:
            await self.go_away(which)
            await self.come(which)
        known = await self.log()
        for (user, _), device in self.devices.items():
            for stream, room in known.items():
                if self.name(user) in room.members:
                    await until("the device is at the head", partial(at, device, stream, room.head))
            device.look()
        held = [
            Held(self.name(user), name, stream, device.shown[stream])
            for (user, name), device in self.devices.items()
            for stream in self.streams
        ]
        assert devices_have_what_is_theirs(held, known) == []
        for (user, _), device in self.devices.items():
            for stream, room in known.items():
                if self.name(user) in room.members and device.who is not None:
                    mine = room.theirs(self.name(user))
                    seq = mine[-1 - self.number % min(2, len(mine))]
                    reply = await device.who.ask("read", stream=stream, seq=seq)
                    assert reply["op"] == "ok", reply
                    self.read[self.name(user), stream] = seq
        await until("counts are recounts", lambda: self.counted(known), tell=True)
        members, texts = {}, {}
        for stream, name in zip(self.streams, self.rooms.values(), strict=True):
            answer = (await self.told("GET", f"/v1/rooms/{name}", "ana"))[1]
            members[stream] = [one["user"] for one in answer["members"]]
            path = f"/v1/streams/{stream.replace(':', '/')}/events?limit=500"
            page = (await self.told("GET", path, "ana"))[1]
            texts[stream] = [shown(event) for event in page["events"]]
        assert members_are_as_the_stream_says(members, known) == []
        assert what_was_taken_back_is_gone(texts, known) == []

    async def log(self) -> Rooms:
        """The rooms by their streams."""
        all_ = recounted(await asyncio.to_thread(read_rooms, self.pipeline.settings))
        return {stream: room for stream, room in all_.items() if stream in self.streams}

    async def counted(self, known: Rooms) -> list[str] | None:
        """What is wrong with the inboxes; None: nothing."""
        inboxes: dict[tuple[str, str], Mapping[str, Mapping[str, Any]]] = {}
        for user in ("ana", "bob", "cat"):
            page = (await self.told("GET", "/v1/rooms?limit=200", user))[1]
            inboxes[self.name(user), "HTTP"] = {row["stream"]: row for row in page["rooms"]}
        for (user, name), device in self.devices.items():
            assert device.who is not None
            page = await device.who.ask("inbox", limit=50)
            inboxes[self.name(user), name] = {row["stream"]: row for row in page["rooms"]}
        return counts_are_recounts(inboxes, known) + reading_is_everywhere(self.read, inboxes)

    # ── how it is done ───────────────────────────────────────────────────────────────────────────────

    async def post(self, history: str, user: str, event: dict[str, Any]) -> Any:
        """The result once it is known; None: refused, to whoever is out."""
        path = f"/v1/streams/chat/room-{self.rooms[history]}/events?wait=accepted"
        status, answer = await self.told("POST", path, user, event)
        if user in self.inside[history]:
            assert status == 202, answer
            return answer["results"][0]
        assert status == 404, answer
        return None

    async def come(self, which: tuple[str, str]) -> None:
        device, user = self.devices[which], self.name(which[0])

        async def connected() -> Person | None:
            device.acked_before = dict(device.acked)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(40):
                    stack = contextlib.AsyncExitStack()
                    who = await stack.enter_async_context(person(self.pipeline, user, which[1]))
                    if (await who.ask("sync"))["op"] == "synced":
                        device.stack = stack
                        return who
            return None

        device.who = await until(f"{which} is there", connected)
        device.looked, device.latest = 0, {}

    async def go_away(self, which: tuple[str, str]) -> None:
        device = self.devices[which]
        if device.who is not None:
            device.look()
            device.who = None
            await device.stack.aclose()


async def ready(pipeline: Pipeline, role: str) -> bool:
    return await asyncio.to_thread(pipeline.is_ready, role)


async def at(device: Device, stream: str, head: int) -> bool:
    device.look()
    return device.at(stream) >= head


async def until(what: str, ask: Callable[[], Awaitable[T | None]], *, tell: bool = False) -> T:
    """Ask until there is an answer; with `tell` until there is nothing to tell, which is what is wrong."""
    found: T | None = None
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        found = await ask()
        if bool(found) is not tell:
            return found  # type: ignore[return-value]
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {WITHIN_S} s: {what}: {found}")


def test_devices_and_counts_whoever_dies(mortal: Pipeline) -> None:
    stateful.run_state_machine_as_test(
        lambda: World(mortal),  # type: ignore[arg-type] # whatever makes one will do
        settings=settings(
            max_examples=EXAMPLES or 4,
            stateful_step_count=20,
            deadline=None,
            derandomize=not EXAMPLES,
            # Runs on servers are not had again by their steps alone: the first one that fails is told.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
