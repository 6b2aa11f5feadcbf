"""An event as the document that Elasticsearch gets: pure, so that reading again gives the same again."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from history.replies import reply_of
from history.retractions import ALERTED
from kernel.access.users import ALERT, AUDIT, NOTIFY
from kernel.log.positions import Kind, split_lane
from schemas.checks import CHANGES, EDIT, PINS
from schemas.rendering import render
from search_indexer.query.syntax import ATTACHMENT, EDITED, REPLY
from search_indexer.text.embeddings import Meanings, as_hex
from search_indexer.text.features import marks_of
from search_indexer.text.folding import Folding

#: Text of one event that is searched; what lies behind it is shown, not found.
MAX_TEXT: Final = 100_000
#: Lucene refuses a term of more than 32,766 bytes; the mapping leaves longer values out (`ignore_above`).
MAX_DATA_DEPTH: Final = 10
_KIND_NUMBER: Final = {kind: number for number, kind in enumerate(Kind)}
#: An enum's `value` costs as much as writing a whole document.
_NAMES: Final = {kind: kind.value for kind in Kind}
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class Document(msgspec.Struct, omit_defaults=True):
    """The fields of the mapping in search_indexer/indexing/mappings.py."""

    stream: str
    kind: str
    channel: str
    type: str
    seq: int
    at: int
    place: int
    body: str
    sender: str | None = None
    #: Of a lane: its channel.
    base: str | None = None
    #: Its number in its stream, where the channel is numbered.
    n: int | None = None
    words: str = ""
    text: str = ""
    data: dict[str, Any] | None = None
    where: tuple[float, float] | None = None
    hidden: bool = False
    #: The id of the event that it answers.
    reply_to: str | None = None
    #: What its text has, and what became of it (search_indexer/query/syntax.py).
    marks: list[str] = []
    #: What the text is about, where that is set: signed bytes, as hex.
    meaning: str | None = None
    #: After an edit: the `seq` of the last one, and the text that counts.
    edit: int = 0
    edited: str | None = None
    #: After a retraction: its `seq`.
    retract: int = 0


class Change(NamedTuple):
    """What an edit or a retraction does to the event that it names."""

    stream: str
    seq: int
    target: str
    sender: str | None
    #: The new text; None retracts.
    text: str | None


class Indexable(NamedTuple):
    """An event with all that the index and the alerts need of it."""

    kind: Kind
    id: str
    document: Document
    #: The text that is searched, as its author wrote it.
    source: str
    change: Change | None = None


def indexable(kind: Kind, event: Mapping[str, Any], folding: Folding) -> Indexable:
    """What to index of an event of the schema `event-<kind>`."""
    name, channel = _NAMES[kind], event["channel"]
    document = Document(
        f"{name}:{channel}",
        name,
        channel,
        event["type"],
        event["seq"],
        event["server_ts"],
        event["partition"] << 2 | _KIND_NUMBER[kind],
        render(kind, event).decode(),
        event["sender"],
        base_of(channel),
        event.get("n"),
    )
    data, source, change = event["data"], "", None
    if kind is Kind.CHAT:
        source = data["text"]
        if event["type"] in CHANGES:  # they change what search shows, and are not found themselves
            document.hidden = True
            if event["type"] not in PINS:
                new = source if event["type"] == EDIT else None
                change = Change(document.stream, document.seq, data["target"] or "", document.sender, new)
            source = ""
        elif (extra := data["extra"]) is not None:
            if "reply_to" in extra and (reply_to := reply_of(document.body.encode())):
                document.reply_to = reply_to
                document.marks = [REPLY]
            if "attachments" in extra and _decode(extra).get("attachments"):
                document.marks = [*document.marks, ATTACHMENT]
    elif kind is Kind.LOCATION:
        document.where = (data["lon"], data["lat"])
    else:
        fields = _decode(data["json"])
        # An alert's copy is in its stream's history. Search finds the event itself, as long as that is there.
        document.hidden = channel.startswith((NOTIFY, AUDIT)) or (
            event["type"] == ALERTED and channel.startswith(ALERT)
        )
        if not document.hidden:
            source = broadcast_text(event["type"], fields)
            document.data = shallow(fields)
    if source:
        document.words, document.text = folding.fields(source[:MAX_TEXT])
        if marks := marks_of(source[:MAX_TEXT]):
            document.marks = [*document.marks, *marks]
    return Indexable(kind, event["id"], document, source, change)


def base_of(channel: str) -> str | None:
    """The channel that this one is a lane of; None where it is none."""
    base, lane = split_lane(channel)
    return None if lane is None else base


def broadcast_text(type_: str, fields: Any) -> str:
    """What a broadcast says, for people: its type, and every text in its data, in order."""
    texts = [type_]
    waiting = [fields]
    while waiting and len(texts) < 1000:
        value = waiting.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)
    return " · ".join(texts)


def shallow(value: Any, depth: int = MAX_DATA_DEPTH) -> Any:
    """Data without what lies too deep for a flattened field, and without names that it does not allow."""
    if isinstance(value, dict):
        if depth == 0:
            return None
        return {
            name: shallow(inner, depth - 1)
            for name, inner in value.items()
            if name.strip(". ") and "\0" not in name
        }
    if isinstance(value, list):
        return [shallow(inner, depth - 1) for inner in value] if depth else None
    return value


def with_meaning(document: Document, source: str, meanings: Meanings | None) -> Document:
    """The document with what its text is about, which is made anew with each text."""
    if meanings is not None:
        vector = meanings.of(source[:MAX_TEXT]) if source and not document.hidden else None
        document.meaning = None if vector is None else as_hex(vector)
    return document


def changed(target: Document, change: Change, folding: Folding) -> Document:
    """The document after a change. In whatever order changes are read (again), the result is the same.

    The latest edit counts, and a retraction is never undone. Whoever has not written a message cannot edit
    it; who may retract it, edges and gateway have decided (history/changes.py).
    """
    if not _of_one_channel(change.stream, target.stream) or (target.hidden and not target.retract):
        return target
    if change.text is None:
        retract = max(change.seq, target.retract)
        return msgspec.structs.replace(
            target,
            retract=retract,
            hidden=True,
            text="",
            words="",
            edit=0,
            edited=None,
            marks=[],
            meaning=None,
        )
    if target.retract or change.seq <= target.edit or change.sender != target.sender:
        return target
    read = change.text[:MAX_TEXT]
    words, text = folding.fields(read)
    kept = [mark for mark in target.marks if mark in (REPLY, ATTACHMENT)]
    return msgspec.structs.replace(
        target,
        edit=change.seq,
        edited=change.text,
        words=words,
        text=text,
        marks=[EDITED, *kept, *marks_of(read)],
    )


def _of_one_channel(one: str, other: str) -> bool:
    """An administrator's retraction may be on another lane than what it is about."""
    return one == other or split_lane(one)[0] == split_lane(other)[0]


def shown(document: Document) -> bytes:
    """The event's JSON object as search shows it: after an edit, with the text that counts."""
    return shown_as(document.body, document.edited)


def shown_as(body: str, edited: str | None) -> bytes:
    """An event's JSON object with the text that counts."""
    if edited is None:
        return body.encode()
    event = _decode(body)
    event["data"]["text"] = edited
    return _encode(event)


def source_of(index: str, id_: str, document: Document) -> bytes:
    """The two lines of a bulk request that write the document, unless it is there in this version or a later.

    The version is the `seq` of what shaped the document last: the event itself, or a change of it.
    """
    version = max(document.seq, document.edit, document.retract)
    return b'{"index":{"_index":"%b","_id":"%b","version":%d,"version_type":"external"}}\n%b\n' % (
        index.encode(),
        id_.encode(),
        version,
        _encode(document),
    )
