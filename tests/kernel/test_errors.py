"""Error codes are a closed set."""

import pytest

from kernel.errors import CODES, TouchlineError


def test_an_error_reads_as_its_sentence_and_what_to_do() -> None:
    error = TouchlineError("port_taken", "Port 1 is taken.", hint="Take another.")
    assert str(error) == "Port 1 is taken. Take another."


def test_a_code_that_is_not_in_the_table_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="no_such_code"):
        TouchlineError("no_such_code", "…")


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained_in_a_sentence(code: str) -> None:
    assert CODES[code].endswith(".")
