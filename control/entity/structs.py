"""Entities whose states are structs with a stamp, written field by field: what many tables share."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec

from control.entity.types import EntityType, Stamp, whole_key
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings
from schemas.registry import codec_for

T = TypeVar("T")


class Stamped(Protocol):
    """A struct that says how new it is, and which inputs are in it."""

    @property
    def revision(self) -> int: ...

    @property
    def places(self) -> dict[str, int]: ...


P = TypeVar("P", bound=Stamped)


def plain_type(
    settings: Settings,
    name: str,
    topic: str,
    schema: str,
    kind: type[P],
    *,
    entity_of: Callable[[bytes], bytes] = whole_key,
    flags: Callable[[bytes, P], int] | None = None,
    check: Callable[[P], P] = lambda state: state,
) -> EntityType[P]:
    """The type of such an entity; `check` raises for what is in no state."""
    replace: Callable[..., P] = msgspec.structs.replace
    return written_type(
        *(settings, name, topic, schema, kind),
        stamp_of=lambda state: Stamp(state.revision, state.places),
        with_stamp=lambda state, stamp: replace(state, revision=stamp.revision, places=dict(stamp.places)),
        entity_of=entity_of,
        flags=flags,
        check=check,
    )


def written_type(
    settings: Settings,
    name: str,
    topic: str,
    schema: str,
    kind: type[T],
    *,
    stamp_of: Callable[[T], Stamp],
    with_stamp: Callable[[T, Stamp], T] = lambda state, _: state,
    entity_of: Callable[[bytes], bytes] = whole_key,
    flags: Callable[[bytes, T], int] | None = None,
    check: Callable[[T], T] = lambda state: state,
) -> EntityType[T]:
    """The type of an entity that is a struct, written field by field, and says by itself how new it is."""
    codec = codec_for(settings, schema)

    def make(read: dict[str, Any]) -> T:
        return check(msgspec.convert(read, kind))

    return EntityType(
        name=name,
        topic=topic,
        encode=lambda state: codec.encode(msgspec.to_builtins(state, builtin_types=(bytes,))),
        decode=lambda value: read_state(make, codec.decode(value)),
        stamp_of=stamp_of,
        with_stamp=with_stamp,
        entity_of=entity_of,
        flags=flags,
    )


def read_state(make: Callable[[dict[str, Any]], T], read: dict[str, Any]) -> T:
    """The state of a decoded record. Raises `undecodable`."""
    try:
        return make(read)
    except msgspec.ValidationError as error:
        raise TouchlineError("undecodable", f"The record says what no worker has written: {error}.") from None
