"""The demo match: a story in order, told to every kind of stream, and only one of it in a channel."""

import random
from collections import Counter

import pytest

from gateway.pages.demo import cues, read_story
from kernel.log.positions import Kind
from producers.posts import Broadcast
from schemas.checks import check_ingest


def test_it_is_in_order_and_of_every_kind_and_valid() -> None:
    script = cues(read_story(), "demo", random.Random(1))
    assert [cue.at_s for cue in script] == sorted(cue.at_s for cue in script)
    kinds = Counter(cue.post.kind for cue in script)
    assert min(kinds[kind] for kind in Kind) > 15
    assert sum(kinds.values()) < 1000
    assert script[-1].at_s < 120
    for _, post in script:
        event = {"key": None, "sender": post.sender, "client_ts": None}
        check_ingest(post.kind, {**event, "type": post.type, "data": post.written()})


def test_a_shorter_match_is_the_same_match_and_its_clock_runs_faster() -> None:
    usual, short = (cues(read_story(), "demo", random.Random(1), seconds) for seconds in (90, 9))
    assert [cue.post.type for cue in short] == [cue.post.type for cue in usual]
    assert short[-1].at_s == pytest.approx(usual[-1].at_s / 10)
    speeds = {cue.post.data["speed"] for cue in short if isinstance(cue.post, Broadcast)}
    assert speeds == {600}


def test_the_score_never_goes_down_and_the_end_is_the_end() -> None:
    ticker = read_story().ticker
    scores = [sum(told.data["score"]) for told in ticker if "score" in told.data]
    assert scores == sorted(scores)
    assert (ticker[0].type, ticker[-1].type) == ("kick_off", "full_time")
    assert [told.minute for told in ticker] == sorted(told.minute for told in ticker)
