"""A crowd that applauds, reacts and votes while things break, and what it comes to: a recount of the log of
reactions, and what the gateway says of it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from chaos.invariants import Place
from chaos.parts.changing import read_whole
from control.crowd.reactions import CLOSE, POLL, VOTE, read_reaction
from kernel.errors import TouchlineError
from kernel.log.positions import Stream, time_of_id
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

_TRY_S: Final = 10.0
_EVERY_S: Final = 0.1
_EMOJI: Final = ("👏", "🎉", "⚽")
_OPTIONS: Final = ("home", "draw", "away")
_USERS: Final = 50
_CHANNELS: Final = 2
#: For so long the same key of applause counts once.
_KEY_MS: Final = 600_000


Totals = Mapping[Place, Mapping[str, int]]


def stands(number: int = _CHANNELS) -> list[Stream]:
    """Where the crowd stands."""
    return [Stream.parse(f"chat:stand-{one}") for one in range(number)]


class Clapper:
    """Applauds, reacts and votes over HTTP, and takes down what was confirmed: so much there has to be."""

    name = "a crowd"

    def __init__(self, gateway: str, chance: random.Random) -> None:
        self._gateway, self._chance = gateway, chance
        #: Of each stream the applauses that the gateway has confirmed, and those that it may have taken.
        self.confirmed: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        #: The last vote of each user that was confirmed, with no other behind it of which nobody knows.
        self.voted: dict[tuple[Place, str], int] = {}
        #: What there is to react to, and to vote on.
        self.places: list[Place] = []

    async def run(self, until: asyncio.Event) -> None:
        """Until told to end."""
        async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http, asyncio.TaskGroup() as group:
            for stream in stands():
                group.create_task(self._stand(http, stream, until))

    async def _stand(self, http: ClientSession, stream: Stream, until: asyncio.Event) -> None:
        path = f"/v1/streams/{stream.kind}/{stream.channel}"
        message = await self._first(http, f"{path}/events?wait=accepted", {"data": {"text": "Goal!"}}, until)
        asked = {"question": "Who wins?", "options": _OPTIONS}
        poll = await self._first(http, f"{path}/polls", asked, until)
        if message is None or poll is None:
            return
        event = Place(str(stream), message["results"][0]["id"])
        votes = Place(str(stream), poll["poll"], poll=True)
        self.places += [Place(str(stream)), event, votes]
        while not until.is_set():
            await asyncio.gather(
                self._applaud(http, path, str(stream)),
                self._react(http, path, event.target),
                self._vote(http, path, votes),
            )
            await asyncio.sleep(self._chance.uniform(0, 2 * _EVERY_S))

    async def _first(
        self, http: ClientSession, path: str, body: Mapping[str, Any], until: asyncio.Event
    ) -> dict[str, Any] | None:
        while not until.is_set():
            try:
                status, answer = await self._ask(http, "POST", path, body)
            except TouchlineError:  # a gateway of an earlier version has none of it
                status, answer = None, {}
            if status is not None and status < 300:
                return answer
            await asyncio.sleep(_EVERY_S)
        return None

    async def _applaud(self, http: ClientSession, path: str, stream: str) -> None:
        n = self._chance.randint(1, 100)
        self.unknown[stream] += n  # also where this ends before the answer comes
        status, _ = await self._ask(
            http, "POST", f"{path}/reactions", {"with": self._chance.choice(_EMOJI), "n": n}
        )
        if status is not None and status < 500:
            self.unknown[stream] -= n
            self.confirmed[stream] += n

    async def _react(self, http: ClientSession, path: str, target: str) -> None:
        reaction = {"with": self._chance.choice(_EMOJI), "target": target, "user": self._somebody()}
        off = self._chance.random() < 0.3
        await self._ask(http, "POST", f"{path}/reactions", {**reaction, "off": off})

    async def _vote(self, http: ClientSession, path: str, poll: Place) -> None:
        user, option = self._somebody(), self._chance.randrange(len(_OPTIONS))
        self.voted.pop((poll, user), None)
        url = f"{path}/polls/{poll.target}/vote"
        status, _ = await self._ask(http, "PUT", url, {"option": option}, user)
        if status is not None and status < 300:
            self.voted[poll, user] = option

    def _somebody(self) -> str:
        return f"fan-{self._chance.randrange(_USERS)}"

    async def _ask(
        self, http: ClientSession, method: str, path: str, body: Mapping[str, Any], user: str | None = None
    ) -> tuple[int | None, dict[str, Any]]:
        """The status, None where nobody knows; raises what nobody should be answered."""
        headers = {} if user is None else {"Touchline-User": user}
        try:
            async with http.request(method, f"{self._gateway}{path}", json=body, headers=headers) as response:
                answer = await response.json(content_type=None)
                status = response.status
        except (ClientError, OSError, TimeoutError, ValueError):
            return None, {}
        if 400 <= status < 500 and status not in (409, 429):
            raise TouchlineError("bad_request", f"{path} was answered with {status}: {answer}")
        return status, answer


def recount(settings: Settings) -> Totals:
    """What the log of reactions comes to, for somebody who reads it from its beginning."""
    decode = codec_for(settings, "reaction").decode
    found: dict[Place, Counter[str]] = {}
    who: dict[Place, dict[str, Any]] = {}
    polls: dict[Place, tuple[Sequence[str], int | None]] = {}
    over: set[Place] = set()
    keys: dict[tuple[str, str | None, str], int] = {}
    for message in read_whole(settings, topic_names(settings).reactions):
        try:
            said = read_reaction(message.value() or b"", decode)
        except TouchlineError:
            continue
        at_ms = message.timestamp()[1]
        here = Place(said["stream"], said["target"] or "", poll=said["what"] in (VOTE, POLL, CLOSE))
        match said["what"]:
            case "react" if said["target"] is None:
                key = (said["stream"], said["user"], said["key"])
                if said["key"] is not None and at_ms - keys.get(key, -_KEY_MS) < _KEY_MS:
                    continue
                keys[key] = at_ms
                found.setdefault(here, Counter())[said["with"]] += said["n"]
            case "react" if here not in over:
                mine = who.setdefault(here, {}).setdefault(said["user"], set())
                (mine.discard if said["off"] else mine.add)(said["with"])
            case "poll" if here not in polls:
                extra = msgspec.json.decode(said["extra"])
                span = extra.get("closes_ms")
                ends = None if span is None else time_of_id(here.target) + span
                polls[here] = (extra["options"], ends)
            case "vote" if here in polls and here not in over:
                options, ends = polls[here]
                if said["option"] < len(options) and (ends is None or at_ms < ends):
                    who.setdefault(here, {})[said["user"]] = {options[said["option"]]}
            case "close":
                over.add(here)
            case "retract":
                over |= {here, here._replace(poll=True)}
    for place, voices in who.items():
        found[place] = Counter(name for said in voices.values() for name in said)
    return {place: dict(+counts) for place, counts in found.items()}


async def shown(gateway: str, places: Sequence[Place]) -> Totals:
    """The same as the gateway says it."""
    found: dict[Place, Mapping[str, int]] = {}
    async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
        for place in places:
            stream = Stream.parse(place.stream)
            path = f"{gateway}/v1/streams/{stream.kind}/{stream.channel}"
            if place.poll:
                poll = await _get(http, f"{path}/polls/{place.target}")
                counts = zip(poll["options"], poll["counts"], strict=True)
                found[place] = {option: count for option, count in counts if count}
            else:
                query = f"?target={place.target}" if place.target else ""
                found[place] = (await _get(http, f"{path}/reactions{query}"))["totals"]
    return found


async def _get(http: ClientSession, url: str) -> dict[str, Any]:
    async with http.get(url) as response:
        body: dict[str, Any] = await response.json(content_type=None)
        if response.status != 200:
            raise TouchlineError("unavailable", f"{url} answered {response.status}: {body}")
        return body
