"""Progress goes through a pipe as lines of JSON."""

import os
import signal

import pytest

from embedded.supervision import progress
from embedded.supervision.progress import Changed, Download, Event, Failed, Up


@pytest.mark.parametrize(
    "event",
    [
        Download("Kafka 4", 1, 2),
        Changed("edge", "ready"),
        Up(),
        Failed("port_taken", "It is taken.", "Free it."),
    ],
)
def test_what_is_written_is_read(event: Event) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as lines, os.fdopen(writer, "wb") as pipe:
        progress.write_to(pipe)(event)
        pipe.close()
        assert [progress.read(line) for line in lines] == [event]


def test_after_the_end_of_the_start_nothing_is_written() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as lines, os.fdopen(writer, "wb") as pipe:
        report = progress.write_to(pipe)
        report(Up())
        report(Changed("edge", "restarting"))
        assert len(list(lines)) == 1


def test_a_reader_that_goes_away_before_the_end_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    reader, writer = os.pipe()
    os.close(reader)
    report = progress.write_to(os.fdopen(writer, "wb"))
    report(Changed("edge", "starting"))
    report(Changed("edge", "ready"))
    assert sent == [(os.getpid(), signal.SIGTERM)]
