"""Orders about a user in a channel (mute, ban …), or everywhere (erase): what each may say. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from kernel.access.users import check_user
from kernel.errors import TouchlineError
from kernel.log.positions import is_channel, split_lane
from kernel.times import span_ms

MODERATE: Final = "moderate"
ERASE: Final = "erase_user"
#: The key of what is said of a user everywhere: no channel's name has a `$`.
EVERYWHERE: Final = "$all"
T = TypeVar("T")
Do = Literal["mute", "unmute", "ban", "unban"]
#: Ten years: what is longer is without an end, and says so by saying nothing.
_LONGEST_MS: Final = 3653 * 24 * 3600 * 1000


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Arguments of `moderate`."""

    do: Do
    user: str
    #: For how long, in milliseconds; None: until it is taken back.
    for_ms: int | None = None


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `erase_user`."""

    user: str


def read_span(text: str) -> int:
    """`10m` in milliseconds. Raises `bad_request`."""
    length = span_ms(text) or 0
    if not 0 < length <= _LONGEST_MS:
        raise bad(f"for is {text[:40]!r}: write a time with its unit, like 30s, 10m, 12h or 7d.")
    return length


def check_about(channel: str) -> None:
    """Raise `bad_request` where nothing can be decided about this channel by itself."""
    if not is_channel(channel):
        raise bad(
            f"{channel[:150]!r} is not a channel's name: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -"
        )
    base, lane = split_lane(channel)
    if lane is not None:
        raise bad(f"{channel} is a lane: what is decided for {base} binds its lanes.")


def read_order(about: str, arguments: str | bytes | Mapping[str, Any]) -> Order:
    """The arguments of a command about a channel. Raises `bad_request`."""
    order = read_arguments(arguments, Order, MODERATE)
    check_about(about)
    check_user(order.user)
    if order.for_ms is not None and not 0 < order.for_ms <= _LONGEST_MS:
        raise bad(f"for_ms is {order.for_ms}: it is from 1 to {_LONGEST_MS:,}.")
    return order


def read_erase(about: str, arguments: str | bytes | Mapping[str, Any]) -> Erase:
    """The arguments of a command about a user everywhere. Raises `bad_request`."""
    erase = read_arguments(arguments, Erase, ERASE)
    if about != EVERYWHERE:
        raise bad(f"{ERASE} has the key {EVERYWHERE}, so that all of them have one order.")
    check_user(erase.user)
    return erase


def read_arguments(arguments: str | bytes | Mapping[str, Any], type_: type[T], command: str) -> T:
    """A command's arguments, as JSON or read already. Raises `bad_request`."""
    try:
        if isinstance(arguments, Mapping):
            return msgspec.convert(arguments, type_)
        return msgspec.json.decode(arguments, type=type_)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise bad(f"The arguments of {command} are wrong: {error}.") from None


def bad(sentence: str) -> TouchlineError:
    """What is wrong with a command, as a refusal."""
    return TouchlineError("bad_request", sentence)
