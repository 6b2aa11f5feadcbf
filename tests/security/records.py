"""Every type of record of every topic, as its readers read it: what a hostile writer may have put there.

`accepted` or refused with a sentence; what is taken goes on into the parts that rely on it.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final

import msgspec
import numpy as np

from consumers.delivery.records import FanoutRecord, UnreadableRecord, reader
from control.attachments.references import mark_type
from control.channels.channel import ChannelRecord, encoded, from_avro
from control.channels.commands import carry_out
from control.counts import count_type
from control.crowd import polls
from control.crowd.counters import Windows, counters_type
from control.crowd.counters import shown as shown_now
from control.crowd.reactions import read_reaction, stream_of
from control.crowd.totals import total_type, voices_type
from control.entity.fold import Input
from control.feeds.follows import follow_key, share_of_key
from control.feeds.table import follow_type
from control.inbox.places import ack_of, fold_places, of_old_cursor
from control.inbox.tables import head_of, places_type, put_together, tally_type
from control.inbox.tally import RoomEvent, after
from control.inbox.unread import ReadUpTo, counts
from control.nearby.fences import shown
from control.nearby.inside import inside_type
from control.nearby.table import fence_type, friend_type, sharing_type
from control.outlets.delivery import delivery_type
from control.outlets.notifying import shown as wishes_shown
from control.outlets.outlets import Outlets
from control.outlets.webhooks import shown as webhook_shown
from control.rooms import state as rooms
from control.rooms.changes import Change, apply
from control.rooms.membership import Spans
from control.rooms.users import UserRooms, key_of
from control.schedule.scheduled import event_of, scheduled_type
from control.schedule.scheduled import shown as scheduled_shown
from history.sources.log import readable
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.log.records import Record
from kernel.settings.reading import Settings
from schemas.codec import Codec
from search_indexer.alerts import Alert, ready
from search_indexer.indexing.source import document_of
from search_indexer.text.folding import Folding
from streams.crowd.targets import Slot
from streams.crowd.voters import VoiceBook
from streams.fences.index import FenceIndex
from streams.fold.channels import make_channel
from streams.recovery.restore import accepted_event
from tests.crowd.folding import new_fold
from tests.streams.judging import make_judge

APPEND_MS: Final = 1_767_225_600_000


@cache
def codec(name: str) -> Codec:
    return Codec(name)


@cache
def folding() -> Folding:
    return Folding()


class Message:
    """As the client hands a record out."""

    def __init__(self, key: bytes, value: bytes) -> None:
        self._key, self._value = key, value

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, APPEND_MS


def event(kind: Kind, data: bytes) -> None:
    """touchline.events.*: history shows it, the indexer makes a document of it, a worker recalls it."""
    readable(kind, codec(f"event-{kind}"), data)
    made = document_of(kind, codec(f"event-{kind}"), data, lambda *_: folding())
    msgspec.json.encode(made.document)
    accepted_event(make_judge(kind), Message(made.document.channel.encode(), data), 1 << 40)


def fanout(data: bytes) -> None:
    """touchline.fanout.*, touchline.ops: read by hand, and the slow way."""

    def slow(value: bytes) -> FanoutRecord:
        return FanoutRecord(**codec("fanout").decode(value))

    try:
        read = reader(codec("fanout").schema_id, slow)(data)
    except UnreadableRecord:
        codec("fanout").decode(data)
    else:
        assert isinstance(read.body, bytes)


def channel(data: bytes) -> None:
    """touchline.channels: what is read is ready for the fold, and can be written again."""
    record = from_avro(codec("channel").decode(data))
    for kind in Kind:
        made = make_any(kind, record)
        assert len(made.targets) <= 1024
    encoded(record, codec("channel"))


def make_any(kind: Kind, record: ChannelRecord) -> Any:
    named = msgspec.structs.replace(record, channel="final")
    return make_channel(kind, "final", named, APPEND_MS, ingest=8, fanout=8)


def command(data: bytes) -> None:
    """touchline.control: what is carried out gives a record that can be written."""
    said = codec("control").decode(data)
    after = carry_out(ChannelRecord(channel="final"), said, APPEND_MS)
    encoded(after, codec("channel"))


def room(data: bytes) -> None:
    """touchline.rooms: what is read answers who may do what, is shown, changed, and can be written again."""
    found = rooms.from_avro(codec("room").decode(data))
    msgspec.json.encode(rooms.shown(found))
    for user in {*(one.user for one in found.members), *(one.user for one in found.former)}:
        assert isinstance(found.may_write(user, found.changed), bool)
        assert isinstance(found.readable(user).first, int)
    with contextlib.suppress(TouchlineError):
        change = Change(what="added", users=("foe",), admin=True)
        made = apply(found, change, name="r", by="ana", seq=found.changed + 1, at_ms=APPEND_MS)
        if made is not None:
            codec("room").encode(rooms.to_avro(made.room))


def user_rooms(data: bytes) -> None:
    """touchline.user-rooms."""
    for one in msgspec.convert(codec("user-rooms").decode(data), UserRooms).rooms:
        assert one.spans.skip(0) >= 0


def friend(data: bytes) -> None:
    """touchline.friends."""
    type_ = friend_type(Settings())
    type_.encode(type_.decode(data))


def sharing(data: bytes) -> None:
    """touchline.sharing: what is read answers whether somebody is shown."""
    type_ = sharing_type(Settings())
    state = type_.decode(data)
    assert not state.shows(state.forgotten)


def fence(data: bytes) -> None:
    """touchline.fences: what is read can be looked at, and shown."""
    state = fence_type(Settings()).decode(data)
    index = FenceIndex(25.0)
    index.put(state)
    index.near(np.array([state.lat, 0.0]), np.array([state.lon, 0.0]))
    msgspec.json.encode(shown(state))


def inside(data: bytes) -> None:
    """touchline.inside."""
    type_ = inside_type(Settings())
    assert type_.stamp_of(type_.decode(data)).covers("", 0) is False


def alert(data: bytes) -> None:
    """touchline.alerts."""
    arguments = codec("control").decode(data)["arguments"]
    try:
        saved = msgspec.json.decode(arguments, type=Alert)
    except msgspec.DecodeError:
        return  # its follower passes it over
    ready(saved, folding())


def attachment(data: bytes) -> None:
    """touchline.attachments."""
    mark_type(Settings()).decode(data)


def count(data: bytes) -> None:
    """touchline.counts: what is read says how new it is."""
    type_ = count_type(Settings())
    assert type_.stamp_of(type_.decode(data)).covers("", 0) is False


def tally(data: bytes) -> None:
    """touchline.tallies: what is read off its head is what is in it, it is counted by, and moved on."""
    type_ = tally_type(Settings())
    found = type_.decode(data)
    head_of(data)
    assert counts(found, Spans(((0, 1 << 52),)), "ana", ReadUpTo()).mentions >= 0
    said = RoomEvent(found.seq + 1, APPEND_MS, "message", "ana", found.n + 1, "@bob", 0, b"{}")
    type_.encode(after(found, said, None))


def places(data: bytes) -> None:
    """touchline.places."""
    put_together([places_type(Settings()).decode(data)])


def ack(data: bytes) -> None:
    """touchline.acks: what is taken can be folded, and written."""
    taken = ack_of(codec("ack").decode(data))
    given = Input(key_of(taken.user).encode(), msgspec.to_builtins(taken), APPEND_MS, "id-0", 0)
    for change in fold_places(given, lambda _: None):
        if change.state is not None:
            places_type(Settings()).encode(change.state)


def cursor(data: bytes) -> None:
    """touchline.cursors: as workers take it over."""
    codec("ack").encode(msgspec.to_builtins(of_old_cursor(codec("cursor").decode(data))))


def reaction(data: bytes) -> None:
    """touchline.reactions: whatever it says, the fold takes or refuses it; what it makes of it is written."""
    fold = new_fold(codec("reaction").decode)
    record = Record(0, APPEND_MS, _channel_of(data), data)
    fold.fold([record], "id-0", lambda _: ("id-0", 0))
    for slot in fold.changed.values():
        total_type(Settings()).encode(slot.total)
        for part in slot.voices.take():
            if part.voices is not None:
                voices_type(Settings()).encode(part.voices)


def _channel_of(data: bytes) -> bytes:
    with contextlib.suppress(TouchlineError):
        return stream_of(read_reaction(data, codec("reaction").decode)["stream"]).channel.encode()
    return b"final"


def total(data: bytes) -> None:
    """touchline.totals: a worker goes on from it, edges and gateways show it."""
    found = total_type(Settings()).decode(data)
    slot = Slot(Stream(Kind.CHAT, "final"), found.target, b"key", found, VoiceBook())
    assert dict(slot.total.of) == dict(found.of)
    assert found.upto >= 0
    if found.poll is not None:
        polls.shown(found, found.poll, APPEND_MS)


def voices(data: bytes) -> None:
    """touchline.voices: a worker goes on from them."""
    book = VoiceBook([(0, voices_type(Settings()).decode(data))])
    book.put(1, 1, "id-0", 0)
    assert book.take()


def counters(data: bytes) -> None:
    """touchline.counters: a worker goes on from it, and whoever is asked adds it up."""
    found = counters_type(Settings()).decode(data)
    shown_now([found], APPEND_MS)
    windows = Windows(found)
    windows.said("ana", "hello", APPEND_MS)
    counters_type(Settings()).encode(windows.record("final"))


def plain(name: str, data: bytes) -> None:
    """Where all that is read is the record itself."""
    codec(name).decode(data)


def follow(data: bytes) -> None:
    """touchline.follows: what is read lies in some share, and can be written again."""
    type_ = follow_type(Settings())
    found = type_.decode(data)
    share_of_key(follow_key(found.user, found.channel))
    type_.encode(found)


def webhook(data: bytes) -> None:
    """touchline.webhooks: what is read says of each stream whether it is posted, and can be shown."""
    found = Outlets(Settings()).types[0].decode(data)
    found.covers("chat:final")
    webhook_shown(found)


def scheduled(data: bytes) -> None:
    """touchline.scheduled: what is read becomes an event, or says why not, and can be shown."""
    found = scheduled_type(Settings()).decode(data)
    try:
        event_of(found)
        scheduled_shown(found)
    except (TouchlineError, ValueError):
        return


def notifying(data: bytes) -> None:
    """touchline.notifying: the same of what a user wants."""
    found = Outlets(Settings()).types[1].decode(data)
    found.wants("mention")
    wishes_shown(found)


def delivery(data: bytes) -> None:
    """touchline.deliveries."""
    delivery_type(Settings()).decode(data)


PLAIN: Final = ("presence", "rejection", "answer", "signal")
#: Of control/moderation.
MODERATION: Final = ("sanction", "report", "retraction")
RECORDS: Final[Mapping[str, Callable[[bytes], object]]] = MappingProxyType(
    {
        **{f"record-event-{kind}": partial(event, kind) for kind in Kind},
        "record-fanout": fanout,
        "record-channel": channel,
        "record-control": command,
        "record-alert": alert,
        "record-room": room,
        "record-user-rooms": user_rooms,
        **{f"record-{name}": partial(plain, name) for name in (*PLAIN, "block", "share", *MODERATION)},
        "record-friend": friend,
        "record-sharing": sharing,
        "record-fence": fence,
        "record-inside": inside,
        "record-attachment": attachment,
        "record-count": count,
        "record-tally": tally,
        "record-places": places,
        "record-ack": ack,
        "record-cursor": cursor,
        "record-follow": follow,
        "record-webhook": webhook,
        "record-notifying": notifying,
        "record-scheduled": scheduled,
        "record-delivery": delivery,
        "record-reaction": reaction,
        "record-total": total,
        "record-voices": voices,
        "record-counters": counters,
    }
)
