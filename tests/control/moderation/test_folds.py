"""What orders and reports make of what is known of users and messages: by append time alone."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.entity.fold import Change, Input
from control.moderation import reports, sanctions
from control.moderation.orders import EVERYWHERE, read_span
from control.moderation.sanctions import Sanction, ban_key, channel_of_key, head_key, sanction_key
from kernel.errors import TouchlineError

Records = dict[bytes, msgspec.Struct]


def order(do: str, user: str, at: int, for_ms: int | None = None, channel: str = "talk") -> Input:
    arguments = msgspec.json.encode({"do": do, "user": user, "for_ms": for_ms}).decode()
    return Input(
        channel.encode(), {"command": "moderate", "arguments": arguments, "actor": "mo"}, at, "s", at
    )


def apply(records: Records, changes: list[Change]) -> Records:  # type: ignore[type-arg]
    for key, state in changes:
        if state is None:
            records.pop(key)
        else:
            before = getattr(records.get(key), "revision", 0)
            records[key] = msgspec.structs.replace(state, revision=before + 1)
    return records


def folded(*inputs: Input) -> Records:
    records: Records = {}
    for one in inputs:
        apply(records, list(sanctions.fold(one, records.get)))  # type: ignore[arg-type]
    return records


def test_a_mute_holds_for_its_time_and_a_message_is_judged_by_its_own() -> None:
    one = folded(order("mute", "eve", 100, 50))[sanction_key("talk", "eve")]
    assert isinstance(one, Sanction)
    assert [one.muted_at(at) for at in (99, 100, 149, 150)] == [False, True, True, False]
    assert not one.banned_at(120)


def test_who_is_banned_is_muted_and_found_by_their_name_until_it_is_over() -> None:
    first, last = order("ban", "eve", 100), order("unban", "eve", 200)
    records = folded(first)
    one = records[sanction_key("talk", "eve")]
    assert isinstance(one, Sanction)
    assert one.muted_at(150)
    assert one.banned_at(150)
    assert ban_key("eve", "talk") in records
    records = folded(first, last)
    one = records[sanction_key("talk", "eve")]
    assert isinstance(one, Sanction)
    assert one.banned_at(199)
    assert not one.banned_at(200)
    assert ban_key("eve", "talk") not in records


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["mute", "unmute", "ban", "unban"]),
            st.sampled_from(["eve", "bob"]),
            st.integers(0, 50),
            st.one_of(st.none(), st.integers(1, 100)),
        ),
        max_size=12,
    )
)
def test_the_latest_order_counts(given_: list[tuple[str, str, int, int | None]]) -> None:
    at, inputs = 1000, []
    ends: dict[tuple[str, str], int] = {}
    for do, user, later, span in given_:
        at += later
        inputs.append(order(do, user, at, span))
        what = "mute" if "mute" in do else "ban"
        if do.startswith("un"):
            ends[user, what] = min(at, ends.get((user, what), at))
        else:
            ends[user, what] = sanctions.FOREVER if span is None else at + span
    records = folded(*inputs)
    for user in ("eve", "bob"):
        one = records.get(sanction_key("talk", user), Sanction(channel="talk"))
        assert isinstance(one, Sanction)
        banned = ends.get((user, "ban"), 0) > at
        assert one.banned_at(at) == banned
        assert one.muted_at(at) == (banned or ends.get((user, "mute"), 0) > at)
        assert not banned or ban_key(user, "talk") in records
    head = records.get(head_key("talk"))
    pairs = [key for key in records if key.startswith(b"talk\0") and key != head_key("talk")]
    assert (head.count if isinstance(head, Sanction) else 0) == len(pairs)
    if isinstance(head, Sanction):  # who reads it at each revision misses nobody
        assert head.revision == len(head.latest) or len(head.latest) == sanctions.LATEST


def test_all_records_of_a_channel_lie_together() -> None:
    for key in (head_key("talk"), sanction_key("talk", "eve"), ban_key("eve", "talk")):
        assert channel_of_key(key) == b"talk"


def test_an_erasure_is_for_what_was_until_then() -> None:
    arguments = '{"user":"eve"}'
    given_ = Input(EVERYWHERE.encode(), {"command": "erase_user", "arguments": arguments}, 500, "s", 1)
    records = apply({}, list(sanctions.fold(given_, {}.get)))  # type: ignore[arg-type]
    one = records[sanction_key(EVERYWHERE, "eve")]
    assert isinstance(one, Sanction)
    assert one.erased == 500
    assert not one.muted_at(600)


@pytest.mark.parametrize(
    ("text", "ms"), [("30s", 30_000), ("10m", 600_000), ("1.5h", 5_400_000), ("7d", 604_800_000)]
)
def test_times_are_read(text: str, ms: int) -> None:
    assert read_span(text) == ms


@pytest.mark.parametrize("text", ["", "10", "m", "-1s", "0s", "1y", "9999999d", "1e9s", "١0m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TouchlineError, match="for is"):
        read_span(text)


def report(user: str, target: int, at: int) -> Input:
    about = {"user": user, "target": str(target), "stream": "chat:talk", "seq": 1, "reason": "r"}
    value = {"command": reports.REPORT, "arguments": msgspec.json.encode(about).decode()}
    return Input(b"talk", value, at, "s", at)


def test_reports_are_bounded_the_oldest_gives_way() -> None:
    records: Records = {}
    for n in range(reports.MOST + 5):
        apply(records, list(reports.fold(report(f"u{n}", n, n), records.get)))  # type: ignore[arg-type]
    kept = [one for key, one in records.items() if isinstance(one, reports.Report) and one.target]
    assert sorted(one.number for one in kept) == list(range(5, reports.MOST + 5))
    head = records[reports.head_key("talk")]
    assert len(msgspec.json.encode(head)) < 40_000


def test_the_same_report_changes_nothing_and_one_user_has_a_bound_a_day() -> None:
    records: Records = {}
    for n in range(reports.MOST_OF_A_USER):
        apply(records, list(reports.fold(report("bob", n, n), records.get)))  # type: ignore[arg-type]
        assert reports.fold(report("bob", n, n), records.get) == []  # type: ignore[arg-type]
    with pytest.raises(TouchlineError, match="in a day"):
        reports.fold(report("bob", 99, 100), records.get)  # type: ignore[arg-type]
    assert reports.fold(report("cat", 99, 100), records.get)  # type: ignore[arg-type]
    assert reports.fold(report("bob", 99, 24 * 3600 * 1000 + 50), records.get)  # type: ignore[arg-type]
