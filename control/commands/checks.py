"""Commands (touchline.changes): whether each can be done. Pure.

Whoever gives a command asks `check_command` first, by whatever way it comes; the worker that carries it out
asks again, because Kafka takes records from anybody.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from control.channels.bounds import Number
from control.channels.channel import ChannelRecord
from control.channels.commands import COMMANDS, carry_out, check_about_channel, read_arguments
from control.feeds import commands as feeds
from control.moderation.orders import ERASE, MODERATE, read_erase, read_order
from control.moderation.reports import REPORT, SETTLE, read_settle
from control.moderation.reports import read_about as read_report
from control.nearby import commands as nearby
from control.outlets import commands as outlets
from control.revocations import COMMAND as REVOKE
from control.revocations import PREFIX
from control.rooms.users import GIVEN_BY_USERS, read_about
from control.schedule import scheduled
from kernel.access.users import MAX_USER
from kernel.errors import TouchlineError

_SECONDS: Final = Number(0, 1 << 40)


def check_command(about: str, command: str, arguments: Mapping[str, Any]) -> bytes:
    """The arguments as text, where the command could be carried out. Raises `bad_request`."""
    try:
        text = msgspec.json.encode(arguments)
    except (TypeError, ValueError, RecursionError) as error:
        raise _bad(f"The command's arguments cannot be written: {error}.") from None
    given = read_arguments(text)
    if command == REVOKE:
        _check_revoke(about, given)
    elif command in GIVEN_BY_USERS:
        read_about(about, command, given)
    elif command in _OF_MODERATORS:
        _OF_MODERATORS[command](about, given)
    elif command in _SEALED:
        nearby.check(given)
    elif command in COMMANDS:
        check_about_channel(about, command, given)
    else:
        raise _bad(f"There is no command {command[:40]!r}.")
    return text


def check_change(record: ChannelRecord, command: str, arguments: Mapping[str, Any], at_ms: int) -> None:
    """Raise what the workers would, where the record that is known here forbids the command."""
    text = check_command(record.channel, command, arguments)
    carry_out(record, {"command": command, "arguments": text}, at_ms)


def _check_revoke(about: str, arguments: Mapping[str, Any]) -> None:
    user = about.removeprefix(PREFIX)
    if user == about or not 0 < len(user) <= MAX_USER:
        raise _bad(f"Tokens are revoked of a user with a name of 1 to {MAX_USER} characters.")
    if fault := _SECONDS.fault(arguments.get("before")):
        raise _bad(f"before is not seconds since 1970: {fault}.")


def _bad(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)


#: Commands about users in channels, and everywhere (control/moderation): how each is read.
_OF_MODERATORS: Final[Mapping[str, Callable[[str, dict[str, Any]], object]]] = MappingProxyType(
    {MODERATE: read_order, ERASE: read_erase, REPORT: read_report, SETTLE: read_settle}
)
#: What only doors and roles say.
_SEALED: Final = nearby.COMMANDS | feeds.COMMANDS | outlets.COMMANDS | scheduled.COMMANDS
