"""Sanctions, reports and retractions as entities: their topics, codecs and stamps."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from control.entity.types import EntityType, Stamp, entity_of_pair
from control.moderation.reports import Report
from control.moderation.retractions import Retraction
from control.moderation.sanctions import Sanction, channel_of_key
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import codec_for

S = TypeVar("S", bound=msgspec.Struct)


def sanction_type(settings: Settings) -> EntityType[Sanction]:
    """Sanctions, by channel and user, and by user and channel."""
    codec = codec_for(settings, "sanction")
    return EntityType(
        name="sanctions",
        topic=topic_names(settings).sanctions,
        encode=lambda one: encoded(one, codec),
        decode=_decoder(codec, Sanction),
        stamp_of=lambda one: Stamp(one.revision, one.places),
        with_stamp=lambda one, stamp: msgspec.structs.replace(
            one, revision=stamp.revision, places=dict(stamp.places)
        ),
        entity_of=channel_of_key,
    )


def report_type(settings: Settings) -> EntityType[Report]:
    """Reports, by channel and number."""
    codec = codec_for(settings, "report")
    return EntityType(
        name="reports",
        topic=topic_names(settings).reports,
        encode=lambda one: encoded(one, codec),
        decode=_decoder(codec, Report),
        stamp_of=lambda one: Stamp(one.revision, one.places),
        with_stamp=lambda one, stamp: msgspec.structs.replace(
            one, revision=stamp.revision, places=dict(stamp.places)
        ),
        entity_of=entity_of_pair,
    )


def retraction_type(settings: Settings) -> EntityType[Retraction]:
    """What was taken back, by channel and message."""
    codec = codec_for(settings, "retraction")
    return EntityType(
        name="retractions",
        topic=topic_names(settings).retractions,
        encode=lambda one: encoded(one, codec),
        decode=_decoder(codec, Retraction),
        stamp_of=lambda _: Stamp(1),
        with_stamp=lambda one, _: one,
        entity_of=entity_of_pair,
    )


def encoded(one: msgspec.Struct, codec: Codec) -> bytes:
    """A state as a record's value."""
    return codec.encode(msgspec.to_builtins(one))


def _decoder(codec: Codec, type_: type[S]) -> Callable[[bytes], S]:
    def decode(value: bytes) -> S:
        read: dict[str, Any] = codec.decode(value)
        try:
            return msgspec.convert(read, type_)
        except msgspec.ValidationError as error:
            raise TouchlineError(
                "undecodable", f"The record says what no worker has written: {error}."
            ) from None

    return decode
