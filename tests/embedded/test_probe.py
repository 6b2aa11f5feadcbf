"""A role is asked over HTTP, and one that does not answer is no reason to wait."""

from embedded import ports
from embedded.supervision import probe
from kernel.process.probe import get


def test_lag_is_the_sum_over_all_topics() -> None:
    metrics = [
        "# HELP touchline_consumer_lag Records between …",
        "# TYPE touchline_consumer_lag gauge",
        'touchline_consumer_lag{topic="a"} 7.0',
        'touchline_consumer_lag{topic="b"} 1e+03',
        'touchline_consumer_lag_other{topic="b"} 5.0',
    ]
    assert probe.lag(metrics) == 1007


def test_a_role_that_says_nothing_of_lag_has_none() -> None:
    assert probe.lag(["up 1.0"]) is None


def test_nobody_there_is_no_answer() -> None:
    assert get(f"http://127.0.0.1:{ports.find_free()}/readyz") is None
    assert not probe.is_ready(f"http://127.0.0.1:{ports.find_free()}")


def test_tasks_are_told_apart_from_what_begins_like_them() -> None:
    assert probe.tasks(["touchline_tasks_more 9.0", "touchline_tasks 31.0"]) == 31
