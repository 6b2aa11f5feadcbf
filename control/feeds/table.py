"""Follows, and what users want to be told, as entities: their topics, codecs and stamps."""

from control.entity.structs import plain_type
from control.entity.types import EntityType
from control.feeds.follows import Follow, share_of_key
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings


def follow_type(settings: Settings) -> EntityType[Follow]:
    """Who follows what, and how many do; all of a share's users in one partition."""
    return plain_type(
        settings, "follows", topic_names(settings).follows, "follow", Follow, entity_of=share_of_key
    )
