"""Sanctions, reports and retractions as entities: their topics, codecs and stamps."""

from typing import Any

import msgspec

from control.entity.plain import plain_type, read_state
from control.entity.types import EntityType, Stamp, entity_of_pair
from control.moderation.reports import Report
from control.moderation.retractions import Retraction
from control.moderation.sanctions import Sanction, channel_of_key
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import codec_for


def sanction_type(settings: Settings) -> EntityType[Sanction]:
    """Sanctions, by channel and user, and by user and channel."""
    topic = topic_names(settings).sanctions
    return plain_type(settings, "sanctions", topic, "sanction", Sanction, entity_of=channel_of_key)


def report_type(settings: Settings) -> EntityType[Report]:
    """Reports, by channel and number."""
    topic = topic_names(settings).reports
    return plain_type(settings, "reports", topic, "report", Report, entity_of=entity_of_pair)


def retraction_type(settings: Settings) -> EntityType[Retraction]:
    """What was taken back, by channel and message."""
    codec = codec_for(settings, "retraction")

    def make(read: dict[str, Any]) -> Retraction:
        return msgspec.convert(read, Retraction)

    return EntityType(
        name="retractions",
        topic=topic_names(settings).retractions,
        encode=lambda one: encoded(one, codec),
        decode=lambda value: read_state(make, codec.decode(value)),
        stamp_of=lambda _: Stamp(1),
        with_stamp=lambda one, _: one,
        entity_of=entity_of_pair,
    )


def encoded(one: msgspec.Struct, codec: Codec) -> bytes:
    """A state as a record's value."""
    return codec.encode(msgspec.to_builtins(one))
