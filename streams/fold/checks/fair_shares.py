"""Fair shares: what one user, and one channel, may bring through the doors in a time. Pure, by append time.

Doors slow down who sends too much, each for itself; here is the bound that holds whatever they let through,
for the partition that all of it meets in. It binds what came by a door, as a header of the record says: who
writes to Kafka directly is trusted with the pipeline's time as with its topics, and a league's feed or a
benchmark is one of them (decision 0081).
"""

from typing import Final, NamedTuple

from kernel.errors import TouchlineError
from kernel.fairness.paces import Paces
from kernel.log.positions import Kind
from kernel.settings.reading import Stream

#: So many seconds' worth may come at once.
BURST_S: Final = 10.0
#: Broadcasts are feeds, of few senders who are given the right to: they may bring so many times as many.
_FEED: Final = 10


class Rates(NamedTuple):
    """A second's worth; the settings of [stream] say what each is."""

    user_events: float
    user_bytes: float
    channel_events: float
    channel_bytes: float


def rates_of(stream: Stream) -> Rates:
    """As the settings have them."""
    return Rates(
        stream.user_events_per_s,
        stream.user_bytes_per_s,
        stream.channel_events_per_s,
        stream.channel_bytes_per_s,
    )


class Shares:
    """The shares of one ingest partition's users and channels. `Paces` bounds what is remembered."""

    def __init__(self, rates: Rates | None = None) -> None:
        self._rates = rates or rates_of(Stream())
        self._paces = Paces()

    def check(self, kind: Kind, channel: str, sender: str | None, size: int, append_ms: int) -> None:
        """Raise `rate_limited` where one of them has had its share.

        Whoever is in no debt may go into it once: a large event passes, and the next one waits for it."""
        for who, what, _, times in self._shares(kind, channel, sender, size):
            wait = self._paces.wait(who, append_ms, BURST_S * 1000 - times)
            if wait > 0:
                raise TouchlineError("rate_limited", f"{what}: post again in {wait / 1000:.1f} s.")

    def count(self, kind: Kind, channel: str, sender: str | None, size: int, append_ms: int) -> None:
        """An event was accepted."""
        for who, _, cost, _ in self._shares(kind, channel, sender, size):
            self._paces.count(who, append_ms, cost)

    def _shares(
        self, kind: Kind, channel: str, sender: str | None, size: int
    ) -> tuple[tuple[str, str, float, float], ...]:
        """(whose, what to say, milliseconds of the share that it takes, of which it must have as much)."""
        rates, more = self._rates, _FEED if kind is Kind.BROADCAST else 1
        event, byte = 1000 / rates.channel_events, 1000 / rates.channel_bytes
        of_channel = (
            (f"e\0{channel}", "Too many events in this channel", event / more, event / more),
            (f"b\0{channel}", "Too many bytes in this channel", size * byte / more, 0.0),
        )
        if sender is None:
            return of_channel
        event, byte = 1000 / rates.user_events, 1000 / rates.user_bytes
        return (
            (f"e\0\0{sender}", "You have sent too many events", event / more, event / more),
            (f"b\0\0{sender}", "You have sent too many bytes", size * byte / more, 0.0),
            *of_channel,
        )
