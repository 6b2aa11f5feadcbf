"""Which parts of a run there are with a version before, and what of its data has to be kept: no server."""

import sys
from pathlib import Path
from typing import Any

import pytest

from chaos.cluster import Cluster
from chaos.run import Plan
from chaos.upgrades.data import STREAMS, posts
from chaos.upgrades.earlier import NEEDS, Earlier, ask, choose
from chaos.upgrades.kept import Event, goes_on, history_is_kept, search_is_kept
from kernel.errors import TouchlineError
from kernel.log.topics import topics
from kernel.settings.reading import load_settings

ROOT = Path(__file__).parents[2]
#: As a version had them that knew neither rooms nor reactions, nor whatever else came with them.
FIRST = Earlier(
    Path("/earlier"),
    settings=frozenset({"TOUCHLINE_EDGE_PORT"}),
    commands=frozenset({"stream", "edge", "index", "gateway", "topics"}),
    topics=frozenset({"ingest.chat", "events.chat", "control", "channels", "presence", "cursors", "ops"}),
)
OURS = frozenset(topic.name.partition(".")[2] for topic in topics(load_settings({})))


def test_of_a_version_without_rooms_and_all_that_came_with_them_channels_alone_take_part() -> None:
    chosen = choose(FIRST)
    assert chosen.parts == ("channels",)
    assert set(chosen.left_out) == {"crowd", "following", "rooms", "walkers"}
    assert chosen.left_out["rooms"] == (
        "the version before has no topic for rooms, user-rooms, places, tallies"
    )


def test_a_part_is_left_out_where_one_of_its_topics_is_missing() -> None:
    chosen = choose(FIRST._replace(topics=OURS - {"inside"}))
    assert chosen.parts == ("channels", "crowd", "following", "rooms")
    assert chosen.left_out == {"walkers": "the version before has no topic for inside"}


def test_without_a_version_before_and_with_one_that_has_all_every_part_takes_part() -> None:
    assert choose(None).parts == choose(FIRST._replace(topics=OURS)).parts == tuple(NEEDS)
    assert not choose(FIRST._replace(topics=OURS)).left_out
    assert tuple(Plan(1, 1.0, ()).parts) == tuple(NEEDS)


def test_what_parts_need_there_is() -> None:
    assert {name for names in NEEDS.values() for name in names} <= OURS


def test_a_role_that_the_version_before_lacks_begins_with_the_upgrade(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, tmp_path / "servers", direct=True, before=FIRST)
    assert FIRST.lacks == {"outbox"}
    assert not cluster.has_begun("outbox")
    assert cluster.has_begun("gateway")
    cluster.revive("outbox")
    assert not cluster.is_running("outbox")
    assert Cluster(tmp_path, tmp_path / "servers", direct=True).has_begun("outbox")


def test_it_is_given_those_settings_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_EDGE_HOST", "::")
    given = FIRST.environment({"TOUCHLINE_EDGE_PORT": "1", "TOUCHLINE_OUTBOX_PORT": "2"})
    ours = {name: value for name, value in given.items() if name.startswith("TOUCHLINE_")}
    assert ours == {"TOUCHLINE_EDGE_PORT": "1"}
    assert given["PYTHONPATH"] == "/earlier"
    assert FIRST.python == sys.executable


def test_a_checkout_says_what_it_has_and_what_is_none_is_refused(tmp_path: Path) -> None:
    asked = ask(ROOT)
    assert asked.topics == OURS
    assert not asked.lacks
    assert "TOUCHLINE_OUTBOX_PORT" in asked.settings
    with pytest.raises(TouchlineError, match="is no checkout"):
        ask(tmp_path)


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────


def event(seq: int, **more: Any) -> Event:
    return {"seq": seq, "id": str(100 + seq), "type": "message", "data": {"text": "Goal!"}, **more}


BEFORE = {"chat:a": [event(1), event(2), event(3)]}


def test_history_is_kept_with_more_behind_it_and_without_the_words_that_were_taken_back() -> None:
    after = {"chat:a": [event(1, n=1), event(2, data={}, retracted=True), event(3), event(4)]}
    assert history_is_kept(BEFORE, after) == []
    assert goes_on(BEFORE, after) == []


@pytest.mark.parametrize(
    "now",
    [
        [event(1), event(2)],
        [event(1), event(3), event(4)],
        [event(1), event(2, id="7"), event(3)],
        [event(1), event(2, data={}), event(3)],
        [],
    ],
)
def test_an_event_that_is_lost_or_another_one_is_told(now: list[Event]) -> None:
    assert history_is_kept(BEFORE, {"chat:a": now})


@pytest.mark.parametrize("new", [[], [event(3)], [event(2)]])
def test_what_does_not_go_on_is_told(new: list[Event]) -> None:
    assert goes_on(BEFORE, {"chat:a": [*BEFORE["chat:a"], *new]})


def test_what_search_lost_and_what_it_should_not_find_is_told() -> None:
    before = {"chat:a": {"1", "2"}}
    assert search_is_kept(before, {"chat:a": {"1", "2", "3"}}, "9") == []
    assert search_is_kept(before, {"chat:a": {"1"}}, "9")
    assert search_is_kept(before, {}, "9")
    assert search_is_kept(before, {"chat:a": {"1", "2", "9"}}, "9")


def test_posts_are_of_all_kinds_and_each_has_a_key_of_its_own() -> None:
    made = [post for kind in {stream.kind for stream in STREAMS} for post in posts(kind, range(9))]
    assert len({post["key"] for post in made}) == 27
