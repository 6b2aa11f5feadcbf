"""The simulated match: the same from the same seed, in order, valid throughout, told as the page reads it."""

from itertools import pairwise

from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from producers.posts import Broadcast
from producers.sending.preparing import Preparing
from producers.simulation.match import Beat, match


def played(seed: int = 1, speed: float = 60.0) -> list[Beat]:
    return list(match("demo", seed=seed, speed=speed, chat_per_s=5, fans=30))


def test_a_seed_plays_the_same_match_and_another_seed_another() -> None:
    assert played() == played()
    assert played() != played(seed=2)


def test_beats_come_in_order_and_take_the_time_of_the_match() -> None:
    beats = played(speed=90)
    assert all(before.at_s <= after.at_s for before, after in pairwise(beats))
    assert beats[0].post.type == "kick_off"
    assert (beats[-1].post.type, beats[-1].at_s) == ("full_time", 60.0)


def test_every_event_is_valid_and_there_are_all_kinds() -> None:
    prepare = Preparing(topic_names(Settings()))
    for beat in played():
        prepare(beat.post)
    assert {beat.post.kind for beat in played()} == set(Kind)


def test_the_score_only_rises_and_goals_are_what_raises_it() -> None:
    for seed in range(10):
        told = [beat.post for beat in played(seed) if isinstance(beat.post, Broadcast)]
        for before, after in pairwise(told):
            rise = sum(after.data["score"]) - sum(before.data["score"])
            assert rise == (1 if after.type == "goal" else 0), (seed, after)
        assert all(before.data["minute"] <= after.data["minute"] for before, after in pairwise(told))


def test_the_crowd_reacts_to_a_goal() -> None:
    beats = played(seed=3, speed=30)
    goals = [beat.at_s for beat in beats if beat.post.type == "goal"]
    assert goals
    chat = [beat.at_s for beat in beats if beat.post.kind is Kind.CHAT]
    after = sum(1 for at in chat if any(0 < at - goal < 6 for goal in goals))
    assert after / (6 * len(goals)) > 2 * 5
