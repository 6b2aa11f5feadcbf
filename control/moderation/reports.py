"""Messages that users have reported, for moderators: a bounded number a channel, and a user. Pure.

Each report has a number, and takes the place of the one that is so many before it. The channel's own record
says the next number, and who has reported what in the last day.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.entity.fold import Change, Input
from control.entity.types import pair_key, prefix_of
from control.moderation.orders import bad, check_about, read_arguments
from kernel.access.users import check_user
from kernel.errors import TouchlineError

REPORT: Final = "report"
SETTLE: Final = "settle_reports"
#: Reports that are settled by one command.
MOST_SETTLED: Final = 200
#: Reports that are kept of a channel: the latest.
MOST: Final = 1000
#: Of one user in a channel in a day.
MOST_OF_A_USER: Final = 20
MAX_REASON: Final = 1000
#: Of so many it is remembered who has reported what.
_REMEMBERED: Final = 500
_DAY_MS: Final = 24 * 3600 * 1000


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.reports; without a target: what a channel has of them."""

    channel: str
    number: int = 0
    target: str = ""
    #: The target's place in its stream.
    stream: str = ""
    seq: int = 0
    user: str = ""
    reason: str = ""
    at: int = 0
    #: Who says that it needs nothing more (None: an operator without a name), and since when; 0: it is open.
    settled_by: str | None = None
    settled_at: int = 0
    #: Of a channel: hashes of who has reported what in the last day, and when; `number` is the next one's.
    recent: tuple[str, ...] = ()
    times: tuple[int, ...] = ()
    revision: int = 0
    places: dict[str, int] = {}


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `settle_reports`."""

    reports: tuple[int, ...]
    done: bool = True


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `report`."""

    user: str
    target: str
    stream: str
    seq: int
    reason: str


def head_key(channel: str) -> bytes:
    """Of the channel's own record."""
    return pair_key(channel, "")


def report_key(channel: str, number: int) -> bytes:
    """Where a report lies."""
    return pair_key(channel, f"{number % MOST:04d}")


def reports_of(channel: str) -> bytes:
    """What their keys begin with."""
    return prefix_of(channel)


def decides(given: Input) -> bytes:
    """The record by which it is told whether a report was folded before: the channel's, written last."""
    return bytes(given.key) + b"\0"


def read_about(channel: str, arguments: str | bytes | Mapping[str, Any]) -> About:
    """The arguments of a report. Raises `bad_request`."""
    about = read_arguments(arguments, About, REPORT)
    check_about(channel)
    check_user(about.user)
    if not (about.target.isascii() and about.target.isdigit() and len(about.target) <= 40):
        raise bad("target is not an event's id, a string of digits.")
    if not 1 <= len(about.reason) <= MAX_REASON:
        raise bad(f"reason has 1 to {MAX_REASON:,} characters; this one has {len(about.reason):,}.")
    return about


def read_settle(channel: str, arguments: str | bytes | Mapping[str, Any]) -> Settle:
    """Which reports are settled. Raises `bad_request`."""
    settle = read_arguments(arguments, Settle, SETTLE)
    check_about(channel)
    if not 1 <= len(settle.reports) <= MOST_SETTLED:
        raise bad(f"reports has 1 to {MOST_SETTLED} numbers; this one has {len(settle.reports):,}.")
    return settle


def fold(given: Input, state: Callable[[bytes], Report | None]) -> Sequence[Change[Report]]:
    """What `report` and `settle_reports` do: the same one again changes nothing."""
    channel = given.key.decode("utf-8", "replace")
    if given.value["command"] == SETTLE:
        return _settled(channel, given, state)
    about = read_about(channel, given.value["arguments"])
    head = state(head_key(channel)) or Report(channel=channel)
    if not is_new(head, about, given.append_ms):
        return []
    made = Report(
        channel=channel,
        number=head.number,
        target=about.target,
        stream=about.stream,
        seq=about.seq,
        user=about.user,
        reason=about.reason,
        at=given.append_ms,
    )
    recent, times = _recent(head, given.append_ms)
    after = replace(
        head,
        number=head.number + 1,
        recent=(*recent, _who(about) + _what(about))[-_REMEMBERED:],
        times=(*times, given.append_ms)[-_REMEMBERED:],
    )
    return [Change(report_key(channel, head.number), made), Change(head_key(channel), after)]


def _settled(channel: str, given: Input, state: Callable[[bytes], Report | None]) -> Sequence[Change[Report]]:
    settle = read_settle(channel, given.value["arguments"])
    by, at = (given.value.get("actor"), given.append_ms) if settle.done else (None, 0)
    found = (state(report_key(channel, number)) for number in dict.fromkeys(settle.reports))
    known = [one for one in found if one is not None and one.number in settle.reports]
    changed = [one for one in known if (one.settled_at > 0) != settle.done]
    head = state(head_key(channel))
    if head is None or not changed:
        return []
    return [
        *(
            Change(report_key(channel, one.number), replace(one, settled_by=by, settled_at=at))
            for one in changed
        ),
        Change(head_key(channel), head),
    ]


def is_new(head: Report | None, about: About, at_ms: int) -> bool:
    """Whether this user has not reported that yet. Raises `limit_reached` where it is too much."""
    recent, _ = _recent(head, at_ms) if head is not None else ((), ())
    if _who(about) + _what(about) in recent:
        return False
    if sum(one.startswith(_who(about)) for one in recent) >= MOST_OF_A_USER:
        raise TouchlineError(
            "limit_reached", f"You have reported {MOST_OF_A_USER} messages here in a day: tell a moderator."
        )
    return True


def _recent(head: Report, at_ms: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    first = next((n for n, at in enumerate(head.times) if at_ms - at < _DAY_MS), len(head.times))
    return head.recent[first:], head.times[first:]


def _who(about: About) -> str:
    return hashlib.sha256(about.user.encode()).hexdigest()[:16]


def _what(about: About) -> str:
    return hashlib.sha256(about.target.encode()).hexdigest()[:16]
