"""Times are RFC 3339 in UTC with milliseconds, everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import ManualClock, from_rfc3339, to_rfc3339


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_reads_back_to_the_millisecond(ms: int) -> None:
    assert from_rfc3339(to_rfc3339(ms)) == ms


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    assert to_rfc3339(1_781_204_400_007) == "2026-06-11T19:00:00.007Z"


def test_other_offsets_are_read() -> None:
    assert from_rfc3339("2026-06-11T21:00:00+02:00") == from_rfc3339("2026-06-11T19:00:00Z")


@pytest.mark.parametrize("text", ["2026-06-11T19:00:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_rfc3339(text)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(now_ms=1000)
    clock.advance(1.5)
    assert (clock.now_ms(), clock.monotonic()) == (2500, 1.5)
