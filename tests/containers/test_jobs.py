"""Jobs side by side: each after those that it rests on, and nothing more once one has failed."""

import threading

import pytest

from tests.containers.jobs import Job, do


def _quiet(_: str) -> None:
    """Nothing."""


def test_each_comes_after_those_that_it_rests_on() -> None:
    order: list[str] = []
    jobs = [
        Job("debian", (), lambda: order.append("debian")),
        Job("python", ("debian",), lambda: order.append("python")),
        Job("ours", ("python", "pulled long ago"), lambda: order.append("ours")),
    ]
    do(jobs, _quiet)
    assert order == ["debian", "python", "ours"]


def test_what_rests_on_nothing_is_done_at_once() -> None:
    """They meet: one alone would wait for the other until its time is up."""
    both = threading.Barrier(2, timeout=60)
    do([Job("one", (), both.wait), Job("other", (), both.wait)], _quiet)


def test_what_fails_is_told_and_what_rests_on_it_is_not_begun() -> None:
    order: list[str] = []

    def fail() -> None:
        raise RuntimeError("no registry is in reach")

    jobs = [Job("debian", (), fail), Job("python", ("debian",), lambda: order.append("python"))]
    with pytest.raises(RuntimeError, match="no registry"):
        do(jobs, _quiet)
    assert not order
