"""Rooms in a run: who talks and the devices, whether all of it is whole again, and what is compared then."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from aiohttp import ClientSession, ClientTimeout

from chaos import invariants as of_events
from chaos.invariants import Log, Seen, Watched
from chaos.parts.changing import read_whole
from chaos.parts.part import Part, Tasks, UntilRight
from chaos.parts.rooms import invariants
from chaos.parts.rooms.devices import Device
from chaos.parts.rooms.recount import STREAM, Rooms, Said, recounted, said_of
from chaos.parts.rooms.talking import Talking
from chaos.report import Report
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from producers.simulation.conversations import people, rooms
from schemas.codec import Codec

#: Of so many people each has a telephone, and every second one a laptop as well.
_PEOPLE_A_ROOM: Final = 2
_SYNCED_S: Final = 60.0
_ASK_S: Final = 20.0
_PAGE: Final = 200


class RoomsAtWork(Part):
    """So many rooms. Where there are none, nothing is done and nothing compared."""

    def __init__(
        self, settings: Settings, gateway: str, edges: Sequence[str], *, number: int, per_s: float, seed: int
    ) -> None:
        self._settings = settings
        self._door = f"http://127.0.0.1:{settings.gateway.port}"
        self._users = people(max(4, number * _PEOPLE_A_ROOM)) if number else []
        planned = rooms(number, self._users, seed=seed, prefix="chaos")
        self.talking = Talking(gateway, planned, self._users, per_s=per_s, seed=seed)
        self.devices = [
            Device(user, name, edges, seed * 1000 + n)
            for n, user in enumerate(self._users)
            for name in ("phone", "laptop")[: 1 + (n % 2 == 0)]
        ]
        self._number = number
        self._chance = random.Random(seed)  # noqa: S311 - to be had again

    async def begin(self, enough: asyncio.Event) -> Tasks:
        """Make the rooms, let the devices come, and then let people talk."""
        if not self._number:
            return Tasks({})
        await self.talking.make_rooms()
        loop = asyncio.get_running_loop()
        stays = [loop.create_task(device.run()) for device in self.devices]
        try:
            async with asyncio.timeout(_SYNCED_S):
                # A device that was never known begins with the latest messages: these are to have all.
                await asyncio.gather(*(device.synced.wait() for device in self.devices))
        except TimeoutError:
            for task in stays:
                task.cancel()
            raise TouchlineError("unavailable", "Not all devices could follow their rooms.") from None
        return Tasks({self.talking.name: loop.create_task(self.talking.run(enough))}, stays)

    def stay(self) -> None:
        """The devices go away no more."""
        for device in self.devices:
            device.stay()

    @property
    def shown(self) -> int:
        return sum(len(held.shown) for device in self.devices for held in device.held)

    def count(self, report: Report) -> None:
        report.devices, report.shown_in_rooms = len(self.devices), self.shown
        report.said = sum(map(len, self.talking.acknowledged.values()))
        report.members_changed = self.talking.changed

    def places(self) -> list[Watched]:
        """How far each device of a member is."""
        known = recounted(self.read_log())
        return [
            Watched(f"{device.name} of {device.user}", stream, device.at(stream))
            for stream, room in known.items()
            for device in self.devices
            if device.user in room.members
        ]

    def read_log(self) -> dict[str, list[Said]]:
        """The events of all rooms' streams."""
        return read_rooms(self._settings) if self._number else {}

    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        """What does not hold, by what should."""
        if not self._number:
            return {}
        events = await asyncio.to_thread(self.read_log)
        known = recounted(events)
        log: Log = {s: [Seen(e.seq, e.key, e.sender) for e in room.events] for s, room in known.items()}
        held = [one for device in self.devices for one in device.held]
        lost = of_events.acknowledged_is_not_lost(self.talking.acknowledged, log)
        disorder = of_events.order_is_that_of_the_producer(self.talking.posted, log)
        read = await self._read_something(known)
        async with ClientSession(timeout=ClientTimeout(total=_ASK_S)) as http:

            async def counts() -> list[str]:
                inboxes = await self._inboxes(http)
                wrong = invariants.counts_are_recounts(inboxes, known)
                return wrong or invariants.reading_is_everywhere(read, inboxes)

            async def members() -> list[str]:
                shown = {stream: await self._members(http, stream) for stream in known}
                return invariants.members_are_as_the_stream_says(shown, known)

            async def taken_back() -> list[str]:
                texts = {f"history of {stream}": await self._texts(http, stream, known) for stream in known}
                return invariants.what_was_taken_back_is_gone(texts, known)

            return {
                "rooms: nothing confirmed is lost, doubled or out of order": lost + disorder,
                "rooms: each device has what is its user's, once, in order": (
                    invariants.devices_have_what_is_theirs(held, known)
                ),
                "rooms: what is unread is what a recount gives, everywhere": await until_right(counts),
                "rooms: members are who the streams say": await until_right(members),
                "rooms: what was taken back is gone": await until_right(taken_back),
            }

    async def _read_something(self, known: Rooms) -> dict[tuple[str, str], int]:
        """Each telephone's user reads one of their rooms, up to somewhere: what every inbox has to know."""
        read: dict[tuple[str, str], int] = {}
        for device in self.devices:
            mine = [stream for stream, room in known.items() if device.user in room.members]
            if device.name != "phone" or not mine:
                continue
            stream = self._chance.choice(mine)
            seq = self._chance.choice(known[stream].theirs(device.user)[-10:])
            try:
                await device.read(stream, seq)
            except (TouchlineError, TimeoutError):
                continue  # it was said that it could not be done
            read[device.user, stream] = seq
        return read

    async def _inboxes(self, http: ClientSession) -> invariants.Inboxes:
        """Everybody's, by the gateway and as each of their devices was told."""
        found: dict[tuple[str, str], Mapping[str, Mapping[str, Any]]] = {}
        for user in self._users:
            page = await self._ask(http, f"/v1/rooms?limit={_PAGE}", user)
            found[user, "HTTP"] = {row["stream"]: row for row in page["rooms"]}
        for device in self.devices:
            await asyncio.wait_for(device.has_inbox.wait(), _ASK_S)
            found[device.user, device.name] = dict(device.rows)
        return found

    async def _members(self, http: ClientSession, stream: str) -> list[str]:
        shown = await self._ask(http, f"/v1/rooms/{stream.removeprefix(STREAM)}", None)
        return [one["user"] for one in shown["members"]]

    async def _texts(self, http: ClientSession, stream: str, known: Rooms) -> list[str]:
        """All texts that a member is given by history."""
        user = min(known[stream].members)
        texts: list[str] = []
        after, more = 0, True
        while more:
            path = f"/v1/streams/chat/{stream.removeprefix('chat:')}/events?after={after}&limit={_PAGE}"
            page = await self._ask(http, path, user)
            texts += [str(event["data"].get("text", "")) for event in page["events"]]
            more = page["more"] and bool(page["events"])
            after = page["events"][-1]["seq"] if page["events"] else after
        return texts

    async def _ask(self, http: ClientSession, path: str, user: str | None) -> Any:
        headers = {} if user is None else {"Touchline-User": quote(user, safe="")}
        async with http.get(f"{self._door}{path}", headers=headers) as response:
            body = await response.json(content_type=None)
            if response.status != 200:
                raise TouchlineError("unavailable", f"{path} answered {response.status}: {body}")
            return body


def read_rooms(settings: Settings) -> dict[str, list[Said]]:
    """The events of all rooms' streams."""
    found: defaultdict[str, list[Said]] = defaultdict(list)
    codec = Codec("event-chat")
    for message in read_whole(settings, topic_names(settings).events[Kind.CHAT]):
        event = codec.decode(message.value() or b"")
        stream = f"chat:{event['channel']}"
        if stream.startswith(STREAM):
            found[stream].append(said_of(event))
    return found
