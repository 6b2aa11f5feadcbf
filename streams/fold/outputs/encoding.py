"""The bytes of an accepted event: as an event, of which most is what was posted; and as what fans out."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.codec import Codec
from schemas.compiled import UNUSUAL

_FANOUT: Final = ("stream", "seq", "server_ts", "type", "sender", "n", "target", "body")


def event_encoder(codec: Codec, posted: Codec) -> Callable[[Mapping[str, Any], bytes | None], bytes]:
    """An event to its bytes. What was posted may be given as it came, if it came as `posted` writes it and
    nothing in it was changed: it stands at the end of an event, and need not be written anew."""
    joining, encode, start = codec.joining(posted), codec.encode, len(posted.prefix)

    def encode_event(event: Mapping[str, Any], as_posted: bytes | None) -> bytes:
        if joining is not None and as_posted is not None:
            try:
                return joining(
                    event["channel"],
                    event["seq"],
                    event["id"],
                    event["server_ts"],
                    event["partition"],
                    as_posted[start:],
                )
            except UNUSUAL:
                pass
        return encode(event)

    return encode_event


def fanout_encoder(codec: Codec) -> Callable[..., bytes]:
    """The fields of a fan-out record to its bytes, by way of a dict only where straight code gives way."""
    flat, encode = codec.encode_flat, codec.encode

    def encode_fanout(*values: Any) -> bytes:
        if flat is not None:
            try:
                return flat(*values)
            except UNUSUAL:
                pass
        return encode(dict(zip(_FANOUT, values, strict=True)))

    return encode_fanout
