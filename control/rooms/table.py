"""Rooms, users' rooms and blocks as entities: their topics, codecs and stamps."""

import msgspec

from control.entity.structs import plain_type, read_state
from control.entity.types import EntityType, Stamp, entity_of_pair
from control.rooms.state import Room, from_avro, to_avro
from control.rooms.users import Block, UserRooms
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for


def room_type(settings: Settings) -> EntityType[Room]:
    """Rooms, by their channel. Their inputs are the records of their own streams: the places are in them."""
    codec = codec_for(settings, "room")
    return EntityType(
        name="rooms",
        topic=topic_names(settings).rooms,
        encode=lambda room: codec.encode(to_avro(room)),
        decode=lambda value: read_state(from_avro, codec.decode(value)),
        stamp_of=lambda room: Stamp(room.revision),
        with_stamp=lambda room, stamp: msgspec.structs.replace(room, revision=stamp.revision),
    )


def user_rooms_type(settings: Settings) -> EntityType[UserRooms]:
    """The rooms of each user, some a record."""
    topic = topic_names(settings).user_rooms
    return plain_type(settings, "userrooms", topic, "user-rooms", UserRooms, entity_of=entity_of_pair)


def block_type(settings: Settings) -> EntityType[Block]:
    """Who has blocked whom, a record a pair."""
    topic = topic_names(settings).blocks
    return plain_type(settings, "blocks", topic, "block", Block, entity_of=entity_of_pair)
