"""Rooms, users' rooms and blocks as entities: their topics, codecs and stamps."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from control.entity.types import EntityType, Stamp, entity_of_pair
from control.rooms.state import Room, from_avro, to_avro
from control.rooms.users import Block, UserRooms
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

S = TypeVar("S")


def room_type(settings: Settings) -> EntityType[Room]:
    """Rooms, by their channel. Their inputs are the records of their own streams: the places are in them."""
    codec = codec_for(settings, "room")
    return EntityType(
        name="rooms",
        topic=topic_names(settings).rooms,
        encode=lambda room: codec.encode(to_avro(room)),
        decode=lambda value: _read(from_avro, codec.decode(value)),
        stamp_of=lambda room: Stamp(room.revision),
        with_stamp=lambda room, stamp: msgspec.structs.replace(room, revision=stamp.revision),
    )


def user_rooms_type(settings: Settings) -> EntityType[UserRooms]:
    """The rooms of each user, some a record."""
    codec = codec_for(settings, "user-rooms")
    return EntityType(
        name="userrooms",
        topic=topic_names(settings).user_rooms,
        encode=lambda rooms: codec.encode(msgspec.to_builtins(rooms)),
        decode=lambda value: _read(lambda read: msgspec.convert(read, UserRooms), codec.decode(value)),
        stamp_of=lambda rooms: Stamp(rooms.revision, rooms.places),
        with_stamp=lambda rooms, stamp: msgspec.structs.replace(
            rooms, revision=stamp.revision, places=dict(stamp.places)
        ),
        entity_of=entity_of_pair,
    )


def block_type(settings: Settings) -> EntityType[Block]:
    """Who has blocked whom, a record a pair."""
    codec = codec_for(settings, "block")
    return EntityType(
        name="blocks",
        topic=topic_names(settings).blocks,
        encode=lambda block: codec.encode(msgspec.to_builtins(block)),
        decode=lambda value: _read(lambda read: msgspec.convert(read, Block), codec.decode(value)),
        stamp_of=lambda block: Stamp(block.revision, block.places),
        with_stamp=lambda block, stamp: msgspec.structs.replace(
            block, revision=stamp.revision, places=dict(stamp.places)
        ),
        entity_of=entity_of_pair,
    )


def _read(make: Callable[[dict[str, Any]], S], read: dict[str, Any]) -> S:
    """The state of a decoded record. Raises `undecodable`."""
    try:
        return make(read)
    except msgspec.ValidationError as error:
        raise TouchlineError("undecodable", f"The record says what no worker has written: {error}.") from None
