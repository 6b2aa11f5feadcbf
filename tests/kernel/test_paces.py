"""One number for each who is counted: bounded, and cheap to keep."""

import time

from kernel.fairness.paces import Paces

APPEND = 1_767_225_600_000


def test_what_is_remembered_of_paces_has_a_bound_that_costs_little_to_keep() -> None:
    paces = Paces(remembered=100)
    for number in range(10_000):
        paces.count(f"user-{number}", APPEND, 1e12)
    assert len(paces) <= 100
    assert paces.wait("user-9999", APPEND, 0.0) > 0, "the newest are remembered"


def test_a_hundred_thousand_senders_in_debt_do_not_slow_the_fold_down() -> None:
    paces = Paces()
    for number in range(100_000):
        paces.count(f"user-{number}", APPEND, 1e12)
    began = time.process_time()
    for number in range(2000):
        paces.count(f"other-{number}", APPEND, 1e12)
    assert time.process_time() - began < 1.0


def test_what_is_given_back_was_not_taken() -> None:
    paces = Paces()
    paces.count("ana", APPEND, 500.0)
    paces.give_back("ana", 200.0)
    paces.give_back("ben", 200.0)
    assert paces.ahead("ana", APPEND) == 300.0
    assert paces.ahead("ben", APPEND) == 0.0
    assert paces.wait("ana", APPEND + 100, 150.0) == 50.0
