"""Sanctions, reports and retractions as entities: their topics, codecs and stamps."""

from control.entity.structs import plain_type, written_type
from control.entity.types import EntityType, Stamp, entity_of_pair
from control.moderation.reports import Report
from control.moderation.retractions import Retraction
from control.moderation.sanctions import Sanction, channel_of_key
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings


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
    return written_type(
        *(settings, "retractions", topic_names(settings).retractions, "retraction", Retraction),
        stamp_of=lambda _: Stamp(1),
        entity_of=entity_of_pair,
    )
