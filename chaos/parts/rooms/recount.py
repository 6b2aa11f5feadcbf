"""Rooms by their streams alone: who was in them when, what each may have been shown, what is unread. Pure.

Written anew, by nothing but the events of the log: it shares no code with the folds that it judges.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kernel.log.positions import Kind
from schemas.rendering import data_of

STREAM: Final = "chat:room-"
_EVER: Final = 1 << 62


class Said(NamedTuple):
    """An event of a room's stream."""

    seq: int
    at_ms: int
    type: str
    id: str = ""
    sender: str = ""
    key: str = ""
    #: Its number among the messages; 0: it is none.
    n: int = 0
    text: str = ""
    data: Mapping[str, Any] = {}


def said_of(event: Mapping[str, Any]) -> Said:
    """A decoded record of the log."""
    data = data_of(Kind.CHAT, event["data"])
    return Said(
        event["seq"],
        event["server_ts"],
        event["type"],
        event["id"],
        event["sender"] or "",
        event["key"] or "",
        event["n"] or 0,
        str(data.get("text") or ""),
        data,
    )


class Time(NamedTuple):
    """A time of somebody's in a room: both ends are in it."""

    since: int
    until: int
    #: When the events were that began and ended it.
    since_ms: int
    until_ms: int
    #: The first event that they may read.
    first: int


class Count(NamedTuple):
    """What is unread."""

    unread: int
    mentions: int


class Recounted:
    """One room."""

    def __init__(self, events: Sequence[Said]) -> None:
        self.events = events
        self._times: defaultdict[str, list[Time]] = defaultdict(list)
        joined, born = False, events[0].seq if events else 0
        for event in events:
            if event.type != "room":
                continue
            what = event.data["what"]
            if "history" in event.data:
                joined = event.data["history"] == "joined"
            for user in event.data["users"]:
                times = self._times[user]
                if what in ("created", "added"):
                    first = event.seq if joined else born
                    times.append(Time(event.seq, _EVER, event.at_ms, _EVER, first))
                elif what in ("removed", "left", "deleted"):
                    times.append(times.pop()._replace(until=event.seq, until_ms=event.at_ms))

    @property
    def head(self) -> int:
        return self.events[-1].seq if self.events else 0

    @property
    def members(self) -> set[str]:
        """Who is in it at the end."""
        return {user for user, times in self._times.items() if times[-1].until == _EVER}

    @property
    def everybody(self) -> list[str]:
        """Who ever was."""
        return list(self._times)

    def times(self, user: str) -> Sequence[Time]:
        return self._times.get(user, ())

    def theirs(self, user: str) -> list[int]:
        """What a device of theirs may have been shown, of one that was there from the beginning: from the
        event that first let them in, all that their times let them read."""
        times = self.times(user)
        if not times:
            return []
        return [
            event.seq
            for event in self.events
            if event.seq >= times[0].since and any(one.first <= event.seq <= one.until for one in times)
        ]

    def was_theirs(self, user: str, seq: int, at_ms: float) -> bool:
        """Whether an event was theirs to read when they were shown it: who is out is shown nothing new."""
        return any(
            one.first <= seq <= one.until and (seq >= one.since or at_ms >= one.since_ms)
            for one in self.times(user)
        )

    @property
    def retracted(self) -> set[str]:
        """The ids of messages that were taken back."""
        return {str(event.data.get("target")) for event in self.events if event.type == "retract"}

    def unread(self, user: str, read: int) -> Count:
        """The messages of others behind a place, and those of them that mention somebody."""
        gone, texts = self.retracted, dict[str, str]()
        times = self.times(user)
        for event in self.events:
            if event.type == "edit":
                target = str(event.data.get("target"))
                if target in texts:
                    texts[target] = event.text
            elif (
                event.n
                and event.seq > read
                and event.sender != user
                and event.id not in gone
                and any(one.first <= event.seq <= one.until for one in times)
            ):
                texts[event.id] = event.text
        named = re.compile(rf"@{re.escape(user)}[.\-]*(?![\w.\-])")
        return Count(len(texts), sum(1 for text in texts.values() if named.search(text)))


Rooms = Mapping[str, Recounted]


def recounted(events: Mapping[str, Iterable[Said]]) -> Rooms:
    """Each room by its stream; of an event that lies there again the first one counts."""
    found = {}
    for stream, said in events.items():
        kept: list[Said] = []
        for event in said:
            if not kept or event.seq > kept[-1].seq:
                kept.append(event)
        found[stream] = Recounted(kept)
    return found
