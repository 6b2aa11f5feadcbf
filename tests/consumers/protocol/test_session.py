"""docs/protocol.md §2 and §3: the protocol's states, without sockets."""

import ast
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from consumers.protocol import effects as e
from consumers.protocol import messages as m
from consumers.protocol import session as s
from kernel.access.tokens import Grants, everything
from kernel.close_codes import Close

RULES = s.Rules(heartbeat_s=25, auth_timeout_s=10, max_messages_per_s=20, max_subscriptions=2)
ONLY_FINAL = Grants(user="ana", can={"subscribe": ("chat:final",), "publish": ("chat:final",)})


def guest() -> s.Guest:
    return s.Guest(RULES, 0.0)


def member(grants: Grants | None = None) -> s.Member:
    return s.Member(RULES, 0.0, grants or everything("ana"))


def text(**fields: Any) -> str:
    return json.dumps(fields)


def replies(effects: Sequence[e.MemberEffect | e.Effect]) -> list[dict[str, Any]]:
    return [json.loads(effect.payload) for effect in effects if isinstance(effect, e.Send)]


def codes(effects: Sequence[e.MemberEffect | e.Effect]) -> list[str]:
    return [reply["code"] for reply in replies(effects) if reply["op"] == "error"]


def test_the_core_does_no_io() -> None:
    """§1: sans-I/O. What it may import says what it can do."""
    core = ("ring", "records", "subscription", "hub")
    for name in (
        *("protocol/session", "protocol/messages", "transport/frames"),
        *(f"delivery/{part}" for part in core),
    ):
        tree = ast.parse((Path(s.__file__).parents[1] / f"{name}.py").read_text())
        modules = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        modules |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not {"asyncio", "socket", "threading", "time", "random", "confluent_kafka"} & modules


def test_a_guest_has_no_way_to_subscribe() -> None:
    """§2.1: by type, not by a flag."""
    assert not hasattr(s.Guest, "streams")
    for op in ("subscribe", "unsubscribe", "presence"):
        effects = list(guest().receive(text(op=op, id=7, stream="chat:final"), 0.0))
        assert codes(effects) == ["unauthorized"]
        assert replies(effects)[0]["id"] == 7


def test_a_guest_authenticates_and_is_a_member() -> None:
    someone = guest()
    assert list(someone.receive(text(op="auth", id=1, token="t"), 0.0)) == [e.Verify(1, "t")]
    assert someone.admit(ONLY_FINAL, 0.0).user == "ana"


def test_a_guest_who_does_not_authenticate_is_sent_away() -> None:
    assert guest().tick(9.9) == []
    assert guest().tick(10.0) == [e.End(Close.BAD_TOKEN)]


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ({"op": "subscribe", "stream": "chat:other"}, "forbidden"),
        ({"op": "publish", "stream": "chat:other", "data": {}}, "forbidden"),
        ({"op": "history", "stream": "chat:final", "before": 3}, "forbidden"),
        ({"op": "subscribe", "stream": "tv:final"}, "bad_request"),
        ({"op": "subscribe", "stream": "chat:fi nal"}, "bad_channel"),
        ({"op": "subscribe", "stream": "chat:final", "after": 1, "last": 1}, "bad_request"),
        ({"op": "subscribe", "stream": "chat:final", "last": 1001}, "bad_request"),
        ({"op": "subscribe", "stream": "chat:final", "after": -1}, "bad_request"),
        ({"op": "subscribe", "stream": "chat:final", "after": 2**53}, "bad_request"),
        ({"op": "unsubscribe", "stream": "chat:final"}, "not_found"),
        ({"op": "fly"}, "unknown_op"),
        ({"stream": "chat:final"}, "bad_request"),
        ({"op": "publish", "stream": "chat:final", "data": []}, "invalid_event"),
        ({"op": "publish", "stream": "chat:final", "data": {}, "key": "k" * 129}, "invalid_event"),
    ],
)
def test_what_may_not_or_cannot_be_done_is_refused_by_code(request_fields: dict[str, Any], code: str) -> None:
    """§3.9"""
    effects = list(member(ONLY_FINAL).receive(text(id=3, **request_fields), 0.0))
    assert codes(effects) == [code]
    (reply,) = replies(effects)
    assert reply["id"] == 3
    assert reply["retry"] is False
    assert reply["message"].endswith(".")


def test_a_grant_on_a_channel_holds_for_its_lanes() -> None:
    (effect,) = list(member(ONLY_FINAL).receive(text(op="subscribe", stream="chat:final~3"), 0.0))
    assert isinstance(effect, e.Watch)


def test_several_requests_may_come_in_one_frame() -> None:
    """§1.2"""
    effects = list(member().receive(f"{text(op='ping', id=1)}\n\n{text(op='ping', id=2)}\n", 0.0))
    assert [reply["id"] for reply in replies(effects)] == [1, 2]


def test_a_bad_request_costs_an_error_and_ten_in_a_row_the_connection() -> None:
    """§3.9"""
    someone = member()
    for _ in range(9):
        assert codes(list(someone.receive("nonsense", 0.0))) == ["bad_request"]
    list(someone.receive(text(op="ping"), 0.0))
    for _ in range(9):
        assert codes(list(someone.receive("nonsense", 0.0))) == ["bad_request"]
    assert list(someone.receive("nonsense", 0.0))[-1] == e.End(Close.ABUSE)


def test_who_sends_too_much_is_told_then_closed_and_may_go_on_after_a_rest() -> None:
    """§6.2: 20 a second, with a burst of ten seconds'."""
    someone, ping = member(), text(op="ping")
    effects = [effect for _ in range(200) for effect in list(someone.receive(ping, 0.0))]
    assert codes(effects) == []
    assert codes(list(someone.receive(ping, 0.0))) == ["rate_limited"]
    assert codes(list(someone.receive(ping, 1.0))) == []
    effects = [effect for _ in range(400) for effect in list(someone.receive(ping, 1.0))]
    assert effects[-1] == e.End(Close.RATE_LIMIT)


def test_subscriptions_are_limited() -> None:
    someone = member()
    someone.streams.update({"chat:a": None, "chat:b": None})
    assert codes(list(someone.receive(text(op="subscribe", stream="chat:c"), 0.0))) == ["limit_reached"]


def test_who_is_silent_is_pinged_once_and_dropped_when_still_silent() -> None:
    """§2.4: a half-open connection is found within two heartbeats."""
    someone = member()
    assert someone.tick(24.9, 0) == []
    assert someone.tick(25.0, 0) == [e.SendPing()]
    assert someone.tick(30.0, 0) == []
    someone.alive(40.0)
    assert someone.tick(50.0, 0) == []
    assert someone.tick(65.0, 0) == [e.SendPing()]
    assert someone.tick(90.0, 0) == [e.End(Close.TOO_SLOW)]


def test_an_edge_that_was_stopped_for_minutes_asks_before_it_takes_anybody_for_dead() -> None:
    someone = member()
    assert someone.tick(300.0, 0) == [e.SendPing()]
    assert someone.tick(324.9, 0) == []
    someone.alive(325.0)
    assert someone.tick(326.0, 0) == []
    assert someone.tick(350.0, 0) == [e.SendPing()]
    assert someone.tick(375.0, 0) == [e.End(Close.TOO_SLOW)]


def test_a_token_that_runs_out_ends_the_connection_and_a_new_one_keeps_it() -> None:
    """§2.2"""
    someone = member(Grants(user="ana", can={}, expires_s=100.0))
    assert someone.tick(1.0, 99.9) == []
    assert someone.tick(1.0, 100.0) == [e.End(Close.RENEW_TOKEN)]
    assert someone.renew(Grants(user="ana", can={}, expires_s=200.0)) == []
    assert someone.tick(1.0, 100.0) == []


def test_a_new_token_takes_away_what_it_does_not_allow() -> None:
    someone = member(everything("ana"))
    someone.streams.update({"chat:final": None, "chat:other": None})
    assert someone.renew(ONLY_FINAL) == [e.Leave(None, "chat:other")]


def test_a_new_token_cannot_make_another_user_of_one() -> None:
    assert member().renew(everything("eve")) == [e.End(Close.FORBIDDEN)]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
requests = st.fixed_dictionaries(
    {"op": st.sampled_from([*sorted(map(str, m.KNOWN_OPS)), "x"])},
    optional={
        "id": st.integers(-1, 2**53) | junk,
        "stream": st.sampled_from(["chat:final", "location:u", "x", ""]) | junk,
        "after": st.integers(-1, 2**53) | junk,
        "last": st.integers(-1, 2000) | junk,
        "limit": junk,
        "token": st.text(max_size=5) | junk,
        "data": junk,
        "key": junk,
        "seq": st.integers() | junk,
    },
).map(lambda fields: json.dumps(fields, default=str))


@given(st.lists(requests | st.text(max_size=60) | junk.map(json.dumps), max_size=30), st.booleans())
def test_whatever_is_sent_each_line_has_one_answer_or_effect_and_nothing_breaks(
    lines: list[str], authenticated: bool
) -> None:
    someone = member() if authenticated else guest()
    for line in lines:
        effects = list(someone.receive(line, 0.0))
        assert len(effects) <= line.count("\n") + 2
        for reply in replies(effects):
            assert reply["op"] in {"error", "pong"}
        if effects and isinstance(effects[-1], e.End):
            return


@given(st.binary(max_size=200))
def test_bytes_that_are_no_request_are_a_bad_request(line: bytes) -> None:
    try:
        m.parse_request(line)
    except m.BadRequest as bad:
        assert bad.code in {"bad_request", "unknown_op"}  # noqa: PT017 - either it parses, or this


def test_depth_is_no_way_to_end_an_edge() -> None:
    deep = '{"op":"publish","stream":"chat:final","data":' + '{"a":' * 20_000 + "1" + "}" * 20_001
    assert codes(list(member().receive(deep, 0.0))) == ["bad_request"]


def test_the_operators_figures_want_admin_of_everything() -> None:
    """§10"""
    asked = text(op="subscribe", id=1, stream="ops:overview", last=5)
    for can in ({"subscribe": ("*",)}, {"admin": ("chat:*",)}, {"admin": ("ops:overview",)}):
        assert codes(list(member(Grants(user="ana", can=can)).receive(asked, 0.0))) == ["forbidden"]
    (effect,) = list(member(Grants(user="ana", can={"admin": ("*",)})).receive(asked, 0.0))
    assert isinstance(effect, e.Oversee)


def test_a_new_token_without_admin_leaves_the_operators_figures() -> None:
    someone = member()
    someone.streams["ops:overview"] = object()
    assert someone.renew(everything("ana")) == []
    assert someone.renew(Grants(user="ana", can={"subscribe": ("*",)})) == [e.Leave(None, "ops:overview")]
