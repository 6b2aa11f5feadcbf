"""Presence by name: who watches a stream, over all edges; and who comes and goes, told to those who asked.

Edges tell names only of streams of which somebody wants to know them, and only while they do.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from consumers.messenger.receipts import MOST_VIEWERS, Occupants
from consumers.messenger.signals import HERE, WHO, Signals
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from kernel.clock import Clock, to_rfc3339

#: How long somebody wants to know it once they have asked; and how long what an edge said holds.
_WANTED_S: Final = 15.0
_AGAIN_S: Final = 5.0
_SOON_S: Final = 0.05
#: How long an answer waits for other edges.
_ANSWER_S: Final = 0.5


class Attendance(NamedTuple):
    """How a user watches a stream."""

    devices: int
    since_ms: int


class _Elsewhere(NamedTuple):
    users: Mapping[str, Attendance]
    heard: float


class Names:
    """Who watches what, by name."""

    def __init__(
        self,
        *,
        together: Occupants,
        signals: Signals,
        clock: Clock,
        viewers: Callable[[str], int],
        here: Callable[[str], int],
    ) -> None:
        """`viewers` of a stream over all edges, and `here`."""
        self._together, self._signals, self._clock = together, signals, clock
        self._viewers, self._here = viewers, here
        #: Streams whose names others want, and until when; and what was wanted here last.
        self._wanted: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._elsewhere: dict[str, dict[str, _Elsewhere]] = {}
        #: Stream -> those who are told who comes and goes; and who was there as it was told last.
        self._told: dict[str, dict[Any, None]] = {}
        self._known: dict[str, frozenset[str]] = {}
        self._due: set[str] = set()
        signals.heard_by[WHO] = self._who
        signals.heard_by[HERE] = self._heard

    async def presence(self, stream: str, limit: int) -> m.PresenceReply:
        """Who watches it now; of the others' viewers what they tell within a moment."""
        self._want(stream)
        if self._viewers(stream) > self._here(stream):
            try:
                async with asyncio.timeout(_ANSWER_S):
                    while self._number(stream) < self._viewers(stream):  # noqa: ASYNC110
                        await asyncio.sleep(_SOON_S / 2)
            except TimeoutError:
                pass
        seen = self._seen(stream)
        rows = sorted(seen.items(), key=lambda row: (row[1].since_ms, row[0]))[:limit]
        members = [
            talk.Present(user=user, devices=one.devices, since=to_rfc3339(one.since_ms)) for user, one in rows
        ]
        return m.PresenceReply(stream=stream, viewers=self._viewers(stream), members=members)

    # ── who comes and goes ───────────────────────────────────────────────────────────────────────────

    def tell(self, stream: str, holder: Any) -> None:
        """This one is told who comes and goes, while they watch it."""
        if stream not in self._told:
            self._known[stream] = frozenset(self._seen(stream))
        self._told.setdefault(stream, {})[holder] = None
        self._want(stream)

    def forget(self, stream: str, holder: Any) -> None:
        """No more."""
        told = self._told.get(stream)
        if told is not None and told.pop(holder, holder) is not holder and not told:
            del self._told[stream]
            self._known.pop(stream, None)

    def changed(self, stream: str) -> None:
        """Somebody watches a stream here, or does no more."""
        if (stream in self._told or stream in self._wanted) and stream not in self._due:
            self._due.add(stream)
            asyncio.get_running_loop().call_later(_SOON_S, self._look, stream)

    def changed_of(self, concerns: Callable[[str], bool]) -> None:
        """The same of many: of those that concern who has come or left."""
        for stream in {*self._told, *self._wanted}:
            if concerns(stream):
                self.changed(stream)

    def tick(self) -> None:
        """Time passes: what is wanted is asked for again, and what nobody says any more is forgotten."""
        now = self._clock.monotonic()
        for stream in list(self._told):
            if now - self._asked.get(stream, 0.0) >= _AGAIN_S:
                self._want(stream)
        self._asked = {stream: at for stream, at in self._asked.items() if now - at < _WANTED_S}
        self._wanted = {stream: until for stream, until in self._wanted.items() if until > now}
        for stream, edges in list(self._elsewhere.items()):
            kept = {edge: one for edge, one in edges.items() if now - one.heard < _WANTED_S}
            if kept:
                self._elsewhere[stream] = kept
            else:
                del self._elsewhere[stream]
            if len(kept) < len(edges):
                self.changed(stream)

    def _look(self, stream: str) -> None:
        self._due.discard(stream)
        if stream in self._wanted:
            self._say(stream)
        told = self._told.get(stream)
        if told is None:
            return
        now = frozenset(self._seen(stream))
        before, self._known[stream] = self._known.get(stream, now), now
        if self._viewers(stream) > MOST_VIEWERS:
            return  # numbers alone
        news: list[m.AnyReply] = [talk.Join(stream=stream, user=user) for user in sorted(now - before)]
        news += [talk.Gone(stream=stream, user=user) for user in sorted(before - now)]
        for holder in list(told):
            # Whose subscription is refused, or over, is told nothing.
            for message in news if stream in holder.session.streams else ():
                holder.send(message)

    # ── with other edges ─────────────────────────────────────────────────────────────────────────────

    def _want(self, stream: str) -> None:
        now = self._clock.monotonic()
        if now - self._asked.get(stream, float("-inf")) >= 1.0:
            self._asked[stream] = now
            self._signals.give(WHO, stream, stream=stream)

    def _who(self, said: Mapping[str, Any]) -> None:
        stream = said["stream"]
        if stream:
            self._wanted[stream] = self._clock.monotonic() + _WANTED_S
            if self._local(stream):
                self._say(stream)

    def _say(self, stream: str) -> None:
        rows = [
            {"user": user, "devices": one.devices, "since": one.since_ms}
            for user, one in self._local(stream).items()
        ]
        self._signals.give(HERE, stream, stream=stream, rows=rows)

    def _heard(self, said: Mapping[str, Any]) -> None:
        stream, now = said["stream"], self._clock.monotonic()
        if stream not in self._told and stream not in self._asked:
            return
        users = {row["user"]: Attendance(row["devices"], row["since"]) for row in said["rows"]}
        self._elsewhere.setdefault(stream, {})[said["edge"]] = _Elsewhere(users, now)
        self.changed(stream)

    # ── who is there ─────────────────────────────────────────────────────────────────────────────────

    def _local(self, stream: str) -> dict[str, Attendance]:
        devices: dict[str, set[Any]] = {}
        since: dict[str, int] = {}
        for holder, user, device, since_ms in self._together.each(stream.partition(":")[2]):
            devices.setdefault(user, set()).add(device or holder)
            since[user] = min(since_ms, since.get(user, since_ms))
        return {user: Attendance(len(of_user), since[user]) for user, of_user in devices.items()}

    def _seen(self, stream: str) -> dict[str, Attendance]:
        found = self._local(stream)
        for one in self._elsewhere.get(stream, {}).values():
            for user, seen in one.users.items():
                here = found.get(user)
                found[user] = (
                    seen
                    if here is None
                    else Attendance(here.devices + seen.devices, min(here.since_ms, seen.since_ms))
                )
        return found

    def _number(self, stream: str) -> int:
        return sum(one.devices for one in self._seen(stream).values())
