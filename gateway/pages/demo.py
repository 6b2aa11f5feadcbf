"""POST /v1/demo: a match in a channel, of ninety seconds or as asked, for who wants to see it all live."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from aiohttp import web

from gateway.context import Context
from gateway.http.bodies import json_object
from gateway.http.operations import CHANNEL_PATTERN, Operation, Reply
from kernel.errors import TouchlineError
from kernel.log.positions import is_channel
from kernel.process.logs import get_logger
from producers.posts import Broadcast, Chat, Location

_log = get_logger("touchline.gateway")
_STORY: Final = Path(__file__).with_name("demo_match.json")
#: A match of ninety minutes takes so long unless something else is asked for: a minute of play a second.
SECONDS: Final = 90
#: Matches that one gateway plays at a time.
_MOST_MATCHES: Final = 4
_STADIUM: Final = (12.5211, -70.0358)
_WANDER: Final = 0.0012
_MAX_BODY: Final = 1024


class TickerLine(msgspec.Struct, frozen=True):
    """A line of the ticker."""

    minute: int
    type: str
    data: dict[str, Any]


class Story(msgspec.Struct, frozen=True):
    """What happens, who is there, and what they say about it."""

    people: list[str]
    ticker: list[TickerLine]
    chat: dict[str, list[str]]


class Cue(NamedTuple):
    """An event and when it is posted, in seconds from the start."""

    at_s: float
    post: Broadcast | Chat | Location


class DemoRequest(msgspec.Struct, frozen=True):
    """The body of the request."""

    channel: str
    seconds: Annotated[int, msgspec.Meta(ge=5, le=3600)] = SECONDS


def read_story() -> Story:
    """The story that comes with the program."""
    return msgspec.json.decode(_STORY.read_bytes(), type=Story)


def cues(story: Story, channel: str, chance: random.Random, seconds: int = SECONDS) -> list[Cue]:
    """The match as events in order of time."""
    pace = SECONDS / seconds
    parts = (_ticker(story, channel, pace), _talk(story, channel, chance), _walks(story, channel, chance))
    told = (Cue(cue.at_s / pace, cue.post) for cue in chain.from_iterable(parts))
    return sorted(told, key=lambda cue: cue.at_s)


def _ticker(story: Story, channel: str, pace: float) -> Iterator[Cue]:
    for told in story.ticker:
        data = {**told.data, "minute": told.minute, "speed": 60 * pace}
        yield Cue(float(told.minute), Broadcast(channel, told.type, data))


def _talk(story: Story, channel: str, chance: random.Random) -> Iterator[Cue]:
    """Somebody says something every second or so, and many at once when something happens."""
    for minute in range(story.ticker[-1].minute + 6):
        yield Cue(minute + chance.random(), _line(story, channel, chance, "any"))
    for told in story.ticker:
        for _ in range(len(story.chat.get(told.type, ()))):
            at = told.minute + 0.4 + chance.expovariate(1.0)
            yield Cue(at, _line(story, channel, chance, told.type))


def _line(story: Story, channel: str, chance: random.Random, about: str) -> Chat:
    return Chat(channel, chance.choice(story.chat[about]), sender=chance.choice(story.people))


def _walks(story: Story, channel: str, chance: random.Random) -> Iterator[Cue]:
    """Everybody wanders around the stadium."""
    for person in story.people:
        lat, lon = (place + chance.uniform(-4 * _WANDER, 4 * _WANDER) for place in _STADIUM)
        for minute in range(0, story.ticker[-1].minute, 3):
            lat, lon = (place + chance.uniform(-_WANDER / 2, _WANDER / 2) for place in (lat, lon))
            yield Cue(minute + chance.random(), Location(channel, lat, lon, accuracy=15, sender=person))


class Matches:
    """The matches that are being played."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, channel: str, seconds: int) -> None:
        """Kick off. Raises `limit_reached` where there is one already, or too many elsewhere."""
        if channel in self._running:
            raise TouchlineError("limit_reached", f"A demo match is on in {channel} already.")
        if len(self._running) >= _MOST_MATCHES:
            raise TouchlineError("limit_reached", f"{_MOST_MATCHES} demo matches are on already.")
        chance = random.Random()  # noqa: S311 - who says what is no secret
        task = asyncio.create_task(self._play(cues(read_story(), channel, chance, seconds)))
        self._running[channel] = task
        task.add_done_callback(lambda _: self._running.pop(channel, None))

    async def _play(self, script: Sequence[Cue]) -> None:
        clock, begun = self._context.clock, self._context.clock.monotonic()
        try:
            for at_s, post in script:
                await asyncio.sleep(max(0.0, begun + at_s - clock.monotonic()))
                await self._context.producer.send(post)
        except TouchlineError as error:
            _log.warning("a demo match was called off", code=error.code, reason=str(error))

    async def stop(self) -> None:
        """Call them all off."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def routes(context: Context) -> Sequence[Operation]:
    """`POST /v1/demo`."""
    matches = Matches(context)
    context.stack.push_async_callback(matches.stop)

    async def start(request: web.Request) -> web.Response:
        wanted = await json_object(request, _MAX_BODY, DemoRequest)
        if not is_channel(wanted.channel):
            raise TouchlineError("bad_request", "That is not a channel's name.")
        for kind in ("broadcast", "chat", "location"):
            await context.access.require(request, "publish", f"{kind}:{wanted.channel}")
        matches.start(wanted.channel, wanted.seconds)
        return web.json_response({"channel": wanted.channel, "seconds": wanted.seconds}, status=202)

    return [
        Operation(
            method="POST",
            path="/v1/demo",
            handler=start,
            name="startDemo",
            summary="Play a demo match in a channel; it takes ninety seconds unless others are asked for.",
            tag="operations",
            body={"application/json": _BODY},
            replies={202: Reply("It has begun.", _BODY | {"required": ["channel", "seconds"]})},
            errors=(
                "bad_request",
                "unauthorized",
                "forbidden",
                "too_large",
                "unsupported_media_type",
                "limit_reached",
            ),
        )
    ]


_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["channel"],
    "properties": {
        "channel": {"type": "string", "pattern": CHANNEL_PATTERN},
        "seconds": {"type": "integer", "minimum": 5, "maximum": 3600, "default": SECONDS},
    },
}
