"""Who talks in rooms over HTTP: one thing after the other in each, the same again until it is known."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout

from kernel.errors import TouchlineError
from producers.simulation.conversations import Doing, Planned, talk

_TRY_S: Final = 10.0
_AGAIN_S: Final = 0.25
#: What one room may have to do; who is behind makes the others wait.
_WAITING: Final = 20
#: Refused for now, or by a door that did not know yet whether it was done.
_FOR_NOW: Final = frozenset({"unavailable", "queue_full", "rate_limited", "not_delivered", "closed"})
#: What a room refuses to whoever was taken out by a change whose answer was lost.
_REFUSED: Final = frozenset({"not_found", "forbidden", "exists", "too_many", "muted", "moderated"})
#: And a reply, of whoever came after what it answers: in a room that shows what was said since they joined.
_REFUSED_REPLY: Final = _REFUSED | {"bad_request"}


class Talking:
    """What was done in rooms, by stream, and what of it was confirmed."""

    name = "who talks in rooms"

    def __init__(
        self, gateway: str, planned: Sequence[Planned], users: Sequence[str], *, per_s: float, seed: int
    ) -> None:
        self._gateway, self._planned = gateway, planned
        self._doings: Iterator[Doing] = talk(planned, users, per_s=per_s, seed=seed)
        self.posted: defaultdict[str, list[str]] = defaultdict(list)
        self.acknowledged: defaultdict[str, list[str]] = defaultdict(list)
        self.refused: Counter[str] = Counter()
        #: Changes of members that were confirmed.
        self.changed = 0
        #: The ids of confirmed messages, by room and number; the latest ones.
        self._ids: dict[tuple[str, int], str] = {}
        self._keys = itertools.count(1)

    async def make_rooms(self) -> None:
        """Make the rooms; nothing is broken yet."""
        async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
            for one in self._planned:
                body = {
                    "room": one.room, "name": one.name, "members": list(one.members),
                    "history": one.history, "receipts": one.receipts,
                }  # fmt: skip
                await self._until_known(http, "/v1/rooms", one.maker, body)

    async def run(self, until: asyncio.Event) -> None:
        """Talk until told to end; what is under way then is brought to its end."""
        queues: dict[str, asyncio.Queue[Doing | None]] = {
            one.room: asyncio.Queue(_WAITING) for one in self._planned
        }
        async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http, asyncio.TaskGroup() as group:
            for queue in queues.values():
                group.create_task(self._work(http, queue))
            loop = asyncio.get_running_loop()
            late = loop.time()
            for doing in self._doings:
                # What could not be done in time is not made up for.
                late = max(late, loop.time() - doing.at_s)
                wait = asyncio.ensure_future(until.wait())
                await asyncio.wait([wait], timeout=max(0.0, late + doing.at_s - loop.time()))
                wait.cancel()
                if until.is_set():
                    break
                await queues[doing.room].put(doing)
            for queue in queues.values():
                await queue.put(None)

    async def _work(self, http: ClientSession, queue: "asyncio.Queue[Doing | None]") -> None:
        while (doing := await queue.get()) is not None:
            if doing.what in ("add", "remove"):
                path = f"/v1/rooms/{doing.room}/members"
                body = {str(doing.what): list(doing.users)}
                if await self._until_known(http, path, doing.by, body) is not None:
                    self.changed += 1
            else:
                await self._post(http, doing)

    async def _post(self, http: ClientSession, doing: Doing) -> None:
        stream, key = f"chat:room-{doing.room}", f"r{next(self._keys)}"
        about = self._ids.get((doing.room, doing.about), "")
        if doing.about and not about:
            return  # it was refused, or nobody knows its id
        # Each text is another one, so that what was taken back can be looked for.
        text = f"{doing.text} [{key}]"
        data: dict[str, Any] = {"target": about} if doing.what != "say" else {"text": text}
        if doing.what == "say" and about:
            data["reply_to"] = about
        if doing.what == "edit":
            data["text"] = text
        type_ = {"say": "message", "edit": "edit", "retract": "retract"}[doing.what]
        self.posted[stream].append(key)
        path = f"/v1/streams/chat/room-{doing.room}/events?wait=accepted"
        body = {"type": type_, "key": key, "data": data}
        refused = _REFUSED_REPLY if "reply_to" in data else _REFUSED
        told = await self._until_known(http, path, doing.by, body, refused)
        if told is None:
            return
        self.acknowledged[stream].append(key)
        if doing.what == "say":
            self._ids[doing.room, doing.number] = told["results"][0]["id"]
            while len(self._ids) > 10_000:
                del self._ids[next(iter(self._ids))]

    async def _until_known(
        self,
        http: ClientSession,
        path: str,
        user: str,
        body: Mapping[str, Any],
        refused: frozenset[str] = _REFUSED,
    ) -> Mapping[str, Any] | None:
        """The answer; None: it is refused. Raises where that is a mistake of this harness."""
        headers = {"Touchline-User": quote(user, safe="")}
        while True:
            try:
                async with http.post(f"{self._gateway}{path}", json=body, headers=headers) as response:
                    answer, status = await response.json(content_type=None), response.status
            except (ClientError, OSError, TimeoutError, ValueError):
                answer, status = {}, 503
            if status < 300:
                return dict(answer)
            code = str(answer.get("code", "unavailable")) if isinstance(answer, dict) else "unavailable"
            if code in refused:
                self.refused[code] += 1
                return None
            if status < 500 and code not in _FOR_NOW:
                raise TouchlineError("bad_request", f"{path} answered {status}: {answer}")
            await asyncio.sleep(_AGAIN_S)
