"""Codes that a client closes with become labels of a metric: of the thousands that it may say, a few."""

from kernel.close_codes import CLOSES, close_label


def test_of_all_codes_that_there_are_a_few_are_told_apart() -> None:
    labels = {close_label(code) for code in range(5000)}
    assert {str(int(code)) for code in CLOSES} <= labels
    assert "other" in labels
    assert len(labels) < 40
