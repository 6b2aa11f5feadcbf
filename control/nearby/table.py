"""Friendships, consent and fences as entities: their topics, codecs and stamps."""

from typing import Final

from control.entity.structs import plain_type
from control.entity.types import EntityType
from control.nearby.fences import Fence, check_fence, fence_of_key
from control.nearby.friends import Friend, pair_of_key
from control.nearby.sharing import Sharing
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings

#: Whom anybody may see: listed, for who is asked about strangers.
PUBLIC: Final = 1


def friend_type(settings: Settings) -> EntityType[Friend]:
    """What each friend is to a user, a record a side; both sides in the pair's partition."""
    return plain_type(
        settings, "friends", topic_names(settings).friends, "friend", Friend, entity_of=pair_of_key
    )


def sharing_type(settings: Settings, *, listing: bool = False) -> EntityType[Sharing]:
    """Who may see whom; `listing` whom anybody may, which costs a look into each record at the start."""
    return plain_type(
        *(settings, "sharing", topic_names(settings).sharing, "sharing", Sharing),
        flags=(lambda _, sharing: PUBLIC if sharing.seen_by_all else 0) if listing else None,
    )


def fence_type(settings: Settings) -> EntityType[Fence]:
    """Places that watch, by their id, and once more by their maker."""
    return plain_type(
        *(settings, "fences", topic_names(settings).fences, "fence", Fence),
        entity_of=fence_of_key,
        check=check_fence,
    )
