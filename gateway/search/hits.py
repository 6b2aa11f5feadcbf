"""Hits as somebody may see them: rooms by their own records, as new as the hits; numbers of replies."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from control.rooms.membership import ALL, Spans
from control.rooms.state import is_room
from gateway.context import Context
from history.replies import with_counts
from kernel.access.tokens import Grants
from kernel.access.users import ROOM
from kernel.log.positions import Kind, Stream, split_lane
from search_indexer.searching.scope import Seen
from search_indexer.searching.search import Found
from search_indexer.searching.showing import Hit

#: An event that is larger is read in a turn of its own.
_LARGE: Final = 64 * 1024
#: Every event of a room has this in it, others seldom: those are not even read.
_IN_ROOM: Final = f":{ROOM}".encode()


async def count_replies(context: Context, found: Found, seen: Seen) -> None:
    """Each hit with the number of its replies; in rooms only where somebody may read all of them."""
    whole = set(seen.rooms)
    by_channel: dict[Stream, list[Hit]] = {}
    for hit in found.hits:
        await _others_first(bytes(hit.event))
        stream = Stream.parse(_placed(bytes(hit.event)).stream)
        told = not is_room(stream) or seen.own is None or stream.channel in whole
        if stream.kind is Kind.CHAT and told:
            base = split_lane(stream.channel)[0]
            by_channel.setdefault(Stream(stream.kind, base), []).append(hit)
    if not by_channel:
        return
    numbers = await context.history.replies_in(
        [(stream, [bytes(hit.event) for hit in hits], ALL) for stream, hits in by_channel.items()]
    )
    for hit in (hit for hits in by_channel.values() for hit in hits) if numbers else ():
        body = bytes(hit.event)
        await _others_first(body)
        [counted] = with_counts([body], numbers)
        hit.event = msgspec.Raw(counted)


async def _others_first(event: bytes) -> None:
    """A page may be of large events: to read all of them at once holds the loop."""
    if len(event) > _LARGE:
        await asyncio.sleep(0)


class _Placed(msgspec.Struct):
    stream: str
    seq: int = 0
    members_at: int = 0


_placed: Final = msgspec.json.Decoder(_Placed).decode


async def as_of_hits(context: Context, grants: Grants, events: Sequence[bytes], seen: Seen) -> Seen | None:
    """What somebody may see by the rooms' own records, as new as the hits; None: the hits keep to it.

    What is kept of a user's rooms lags behind the rooms: who was taken out may still be in it.
    """
    rooms, wrong = context.control_state.rooms, dict[str, Spans]()
    for event in events:
        if _IN_ROOM not in event:
            continue
        await _others_first(event)
        placed = _placed(event)
        stream = Stream.parse(placed.stream)
        if is_room(stream):
            if seen.own is not None:  # an operator sees all of a room, or nothing where it is no more
                await rooms.as_of(stream.channel, placed.members_at)
            spans = rooms.readable(grants, stream.channel)
            if placed.seq not in spans:
                wrong[stream.channel] = spans
    if not wrong:
        return None
    if seen.own is None:
        return seen._replace(deleted=[*seen.deleted, *wrong])
    ranges = [one for one in seen.ranges if one[0] not in wrong]
    ranges += [(channel, *pair) for channel, spans in wrong.items() for pair in spans.ranges]
    return seen._replace(rooms=[one for one in seen.rooms if one not in wrong], ranges=ranges)
