"""Who follows and unfollows while things break, and a receiver of webhooks that fails at random; and what a
recount of the log says of both: followers, feeds, and each event of each stream, in order."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from chaos.parts.changing import read_whole
from control.commands.signed import read_sealed
from control.feeds.follows import FOLLOW, UNFOLLOW
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import codec_for

_TRY_S: Final = 10.0
_AGAIN_S: Final = 0.25
_EVERY_S: Final = 1.0
_USERS: Final = tuple(f"follower-{number}" for number in range(6))
#: What of a match belongs into feeds here.
TYPES: Final = (
    "kick_off",
    "goal",
    "yellow_card",
    "red_card",
    "shot",
    "substitution",
    "half_time",
    "full_time",
)
_WEBHOOK: Final = "chaos"
_PAGE: Final = 200


class Follower:
    """Users who follow channels and end it, each time until the gateway says that it is in force."""

    name = "who follows"

    def __init__(self, gateway: str, channels: Iterable[str], chance: random.Random) -> None:
        self._gateway, self._channels, self._chance = gateway, list(channels), chance
        self.confirmed = 0

    async def prepare(self) -> None:
        """Say what feeds show."""
        async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
            for channel in self._channels:
                body = {"feed": list(TYPES)}
                await _until_taken(http, "PUT", f"{self._gateway}/v1/channels/{channel}", None, body)

    async def run(self, until: asyncio.Event) -> None:
        """Until told to end."""
        async with (
            ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http,
            asyncio.TaskGroup() as group,
        ):
            for user in _USERS:
                group.create_task(self._change(http, user, until))

    async def _change(self, http: ClientSession, user: str, until: asyncio.Event) -> None:
        while not until.is_set():
            method = self._chance.choice(("PUT", "PUT", "DELETE"))
            channel = self._chance.choice(self._channels)
            await _until_taken(http, method, f"{self._gateway}/v1/follows/{channel}", user)
            self.confirmed += 1
            await asyncio.sleep(self._chance.uniform(0, 2 * _EVERY_S))


class Receiver:
    """A receiver of webhooks that fails at random; what it took, it took for good."""

    def __init__(self, gateway: str, patterns: Iterable[str], chance: random.Random) -> None:
        self._gateway, self._patterns, self._chance = gateway, list(patterns), chance
        self._runner: web.AppRunner | None = None
        #: Ids by stream, in the order in which they first came.
        self.took: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.failed = 0

    async def start(self) -> None:
        """Listen, and have everything posted here."""
        app = web.Application()
        app.router.add_post("/", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        body = {"url": url, "streams": self._patterns}
        async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
            await _until_taken(http, "PUT", f"{self._gateway}/v1/webhooks/{_WEBHOOK}", None, body)

    async def close(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        event = (await request.json())["data"]
        if self._chance.random() < 0.1:
            self.failed += 1
            return web.Response(status=self._chance.choice((500, 503, 404)))
        self.took[event["stream"]].setdefault(request.headers["webhook-id"])
        return web.Response(status=204)


async def _until_taken(
    http: ClientSession, method: str, url: str, user: str | None, body: Mapping[str, Any] | None = None
) -> None:
    headers = {} if user is None else {"Touchline-User": user}
    while True:
        try:
            async with http.request(method, url, json=body or {}, headers=headers) as response:
                if response.status < 300:
                    return
                said, status = await response.text(), response.status
        except (ClientError, OSError, TimeoutError):
            said, status = "", 500
        if status < 500 and status != 429:
            raise TouchlineError("bad_request", f"{method} {url} was answered with {status}: {said}")
        await asyncio.sleep(_AGAIN_S)


# ── what the log says ────────────────────────────────────────────────────────────────────────────────────


class Told(NamedTuple):
    """By the log alone."""

    #: User -> the channels that they follow.
    follows: Mapping[str, set[str]]
    #: Stream -> ids, in order.
    ids: Mapping[str, list[str]]
    #: Channel -> ids of what its feed shows.
    feed: Mapping[str, list[str]]


class _Said(msgspec.Struct):
    user: str
    channel: str


def recount(settings: Settings) -> Told:
    """Read commands and events whole."""
    names, codec = topic_names(settings), codec_for(settings, "control")
    follows: defaultdict[str, set[str]] = defaultdict(set)
    for message in read_whole(settings, names.changes):
        command = codec.decode(message.value() or b"")
        if command["command"] in (FOLLOW, UNFOLLOW):
            said = msgspec.json.decode(read_sealed(command["arguments"]).said, type=_Said)
            (set.add if command["command"] == FOLLOW else set.discard)(follows[said.user], said.channel)
    ids: defaultdict[str, dict[str, None]] = defaultdict(dict)
    feed: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for kind in (Kind.CHAT, Kind.BROADCAST):
        events = Codec(f"event-{kind}")
        for message in read_whole(settings, names.events[kind]):
            event = events.decode(message.value() or b"")
            ids[f"{kind}:{event['channel']}"].setdefault(event["id"])
            if kind is Kind.BROADCAST and event["type"] in TYPES:
                feed[event["channel"]].setdefault(event["id"])
    return Told(follows, {s: list(found) for s, found in ids.items()}, {c: list(f) for c, f in feed.items()})


async def wrong(gateway: str, told: Told, receiver: Receiver, streams: Iterable[str]) -> list[str]:
    """What differs from the recount: followers, feeds, what the receiver took."""
    found: list[str] = []
    counts = Counter(channel for channels in told.follows.values() for channel in channels)
    async with ClientSession(timeout=ClientTimeout(total=30)) as http:
        for stream in streams:
            channel = stream.partition(":")[2]
            said = await _get(http, f"{gateway}/v1/channels/{channel}/followers", None)
            if said["followers"] != counts[channel]:
                found.append(f"{channel} has {said['followers']} followers, the recount {counts[channel]}")
            took, right = list(receiver.took[stream]), told.ids.get(stream, [])
            if took != right:
                found.append(f"of {stream} the receiver took {len(took)} events, the log has {len(right)}")
        for user in _USERS:
            right = sorted((i for c in told.follows[user] for i in told.feed.get(c, ())), key=int)[::-1]
            shown = await _feed(http, gateway, user)
            if shown != right:
                found.append(f"the feed of {user} has {len(shown)} events, the recount {len(right)}")
    return found


async def _feed(http: ClientSession, gateway: str, user: str) -> list[str]:
    found: list[str] = []
    more = True
    while more:
        before = f"&before={found[-1]}" if found else ""
        page = await _get(http, f"{gateway}/v1/feed?limit={_PAGE}{before}", user)
        found += [event["id"] for event in page["events"]]
        more = page["more"]
    return found


async def _get(http: ClientSession, url: str, user: str | None) -> Any:
    async with http.get(url, headers={} if user is None else {"Touchline-User": user}) as response:
        body = await response.json(content_type=None)
        if response.status != 200:
            raise TouchlineError("unavailable", f"{url} answered {response.status}: {body}")
        return body
