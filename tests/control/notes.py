"""A small sort of entity for the contract: a user's note with a sum, and a record for each tag of it."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from control.entity.fold import Change, EntityFold, Input
from control.entity.types import EntityType, Stamp, entity_of_pair, pair_key
from kernel.errors import TouchlineError

LISTED = 1


class Note(msgspec.Struct, frozen=True, kw_only=True):
    user: str
    text: str = ""
    total: int = 0
    tags: int = 0
    listed: bool = False
    revision: int = 0
    places: dict[str, int] = {}


class Command(msgspec.Struct, frozen=True):
    do: str
    text: str = ""
    #: Added to the note's total: shows whether an input was folded twice.
    add: int = 0


_COMMAND = msgspec.json.Decoder(Command)
_NOTE = msgspec.json.Decoder(Note)


def decode_command(value: bytes) -> Command:
    try:
        return _COMMAND.decode(value)
    except msgspec.DecodeError as error:
        raise TouchlineError("undecodable", f"This is no command: {error}.") from None


def decode_note(value: bytes) -> Note:
    try:
        return _NOTE.decode(value)
    except msgspec.DecodeError as error:
        raise TouchlineError("undecodable", f"This is no note: {error}.") from None


def note_type(prefix: str, *, listing: bool = False) -> EntityType[Note]:
    return EntityType(
        name="tags" if prefix.endswith("tags") else "notes",
        topic=prefix,
        encode=msgspec.json.encode,
        decode=decode_note,
        stamp_of=lambda note: Stamp(note.revision, note.places),
        with_stamp=lambda note, stamp: msgspec.structs.replace(
            note, revision=stamp.revision, places=dict(stamp.places)
        ),
        entity_of=entity_of_pair,
        flags=(lambda _, note: LISTED if note.listed else 0) if listing else None,
    )


def fold_note(given: Input, state: Callable[[bytes], Note | None]) -> Sequence[Change[Note]]:
    command: Command = given.value
    user = given.key.decode()
    note = state(given.key) or Note(user=user)
    if command.do == "remove":
        return [Change(given.key, None)]
    if command.do == "tag":
        pair = pair_key(user, command.text)
        new = state(pair) is None
        counted = msgspec.structs.replace(note, tags=note.tags + new)
        # What decides comes last: the pair says whether it was counted.
        return [Change(given.key, counted), Change(pair, Note(user=user, text=command.text))]
    if command.do == "untag":
        pair = pair_key(user, command.text)
        counted = msgspec.structs.replace(note, tags=note.tags - (state(pair) is not None))
        return [Change(given.key, counted), Change(pair, None)]
    if command.do != "set":
        raise TouchlineError("bad_request", f"There is no {command.do!r}.")
    changed = {"text": command.text, "total": note.total + command.add, "listed": command.text == "listed"}
    return [Change(given.key, msgspec.structs.replace(note, **changed))]


def decides(given: Input) -> bytes:
    command: Command = given.value
    tag = command.do in ("tag", "untag")
    return pair_key(given.key.decode(), command.text) if tag else given.key


def note_fold(type_: EntityType[Note]) -> EntityFold[Note]:
    return EntityFold(type=type_, fold=fold_note, decides=decides)


def command(do: str, text: str = "", add: int = 0) -> bytes:
    return msgspec.json.encode({"do": do, "text": text, "add": add})


def route_to(fold: EntityFold[Note]) -> Callable[[Any], EntityFold[Note]]:
    return lambda _: fold
