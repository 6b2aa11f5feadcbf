"""Friendships, consent and fences as entities: their topics, codecs and stamps."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from control.entity.types import EntityType, Stamp, whole_key
from control.nearby.fences import Fence, check_fence
from control.nearby.friends import Friend, pair_of_key
from control.nearby.sharing import Sharing
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

S = TypeVar("S", Friend, Sharing, Fence)
#: Whom anybody may see: listed, for who is asked about strangers.
PUBLIC: Final = 1


def friend_type(settings: Settings) -> EntityType[Friend]:
    """What each friend is to a user, a record a side; both sides in the pair's partition."""
    return _type(settings, "friends", topic_names(settings).friends, "friend", Friend, entity_of=pair_of_key)


def sharing_type(settings: Settings, *, listing: bool = False) -> EntityType[Sharing]:
    """Who may see whom; `listing` whom anybody may, which costs a look into each record at the start."""
    return _type(
        *(settings, "sharing", topic_names(settings).sharing, "sharing", Sharing),
        flags=(lambda _, sharing: PUBLIC if sharing.seen_by_all else 0) if listing else None,
    )


def fence_type(settings: Settings) -> EntityType[Fence]:
    """Places that watch, by their id."""
    return _type(settings, "fences", topic_names(settings).fences, "fence", Fence, check=check_fence)


def _type(
    settings: Settings,
    name: str,
    topic: str,
    schema: str,
    kind: type[S],
    *,
    entity_of: Any = whole_key,
    flags: Any = None,
    check: Callable[[S], S] = lambda state: state,
) -> EntityType[S]:
    codec = codec_for(settings, schema)

    def read(value: bytes) -> S:
        try:
            return check(msgspec.convert(codec.decode(value), kind))
        except msgspec.ValidationError as error:
            raise TouchlineError(
                "undecodable", f"The record says what no worker has written: {error}."
            ) from None

    return EntityType(
        name=name,
        topic=topic,
        encode=lambda state: codec.encode(msgspec.to_builtins(state)),
        decode=read,
        stamp_of=lambda state: Stamp(state.revision, state.places),
        with_stamp=lambda state, stamp: msgspec.structs.replace(
            state, revision=stamp.revision, places=dict(stamp.places)
        ),
        entity_of=entity_of,
        flags=flags,
    )
