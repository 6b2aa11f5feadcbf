"""What a crowd does in one place, as the fold holds it: applause, an event's reactions, a poll. Pure."""

from collections.abc import Mapping
from typing import Final

from control.crowd.polls import counts_of
from control.crowd.reactions import MAX_OPTIONS
from control.crowd.totals import ENTRY, MOST_NAMES, VOTES, PollState, Total
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from streams.crowd.voters import VoiceBook

#: Keys of applause that are remembered in a stream, and for how long.
_MOST_KEYS: Final = 4096
_KEYS_S: Final = 600


class Slot:
    """One total and what is behind it."""

    __slots__ = (
        *("at", "counts", "ended", "key", "keys", "names", "places", "poll", "retracted", "slot", "stream"),
        *("total_changed", "voices", "voices_changed", "voters"),
    )

    def __init__(self, stream: Stream, slot: str, key: bytes, total: Total | None, voices: VoiceBook) -> None:
        known = total or Total(stream=str(stream))
        self.stream, self.slot, self.key, self.voices = stream, slot, key, voices
        self.names, self.counts = list(known.names), list(known.counts)
        self.voters, self.at = known.voters, known.at
        self.poll, self.ended, self.retracted = known.poll, known.ended, known.retracted
        self.places, self.keys = dict(known.places), _read_keys(known.keys)
        self.total_changed = self.voices_changed = False
        if voices.of or voices.places:
            self._count_voices(known)

    def _count_voices(self, known: Total) -> None:
        """What the voices come to holds: a worker that has died may have written only one of the two."""
        votes = self.slot.startswith(VOTES)
        said = [one for one in self.voices.of.values() if one and not (votes and one > MAX_OPTIONS)]
        self.voters = len(said)
        if votes:
            # The poll may still have to come again.
            self.counts = [0] * max(len(self.names), *said, 0)
            for one in said:
                self.counts[one - 1] += 1
        else:
            self.names = list(self.voices.names)
            self.counts = [sum(one >> bit & 1 for one in said) for bit in range(len(self.names))]
        self.total_changed = (tuple(self.counts), self.voters) != (known.counts, known.voters)

    @property
    def target(self) -> str:
        """The event or poll; empty: the stream itself."""
        return self.slot.removeprefix(VOTES)

    def covers(self, source: str, offset: int) -> bool:
        """Whether this input is in the total: of applause, and what roles say. Of voices their book knows."""
        return offset < self.places.get(source, 0)

    def is_before_end(self, source: str, offset: int) -> bool:
        """Whether an input lies before the one that ended it; true while nothing has."""
        if not self.ended:
            return True
        where, _, at = self.ended.rpartition(":")
        return where == source and offset < int(at)

    # ── what inputs do ───────────────────────────────────────────────────────────────────────────────

    def applaud(self, with_: str, n: int, source: str, offset: int, append_ms: int) -> None:
        """So many applauses."""
        self.counts[self._bit(with_)] += n
        self._moved(append_ms)
        self.places[source] = offset + 1

    def react(self, voice: int, with_: str, source: str, offset: int, append_ms: int, *, off: bool) -> bool:
        """A user's reaction to an event, or its end; whether that is news."""
        said = self.voices.of.get(voice, 0)
        if off and with_ not in self.names:
            return False
        bit = self._bit(with_)
        now = said & ~(1 << bit) if off else said | 1 << bit
        if now == said:
            return False
        self.voices.names = self.names
        self.voices.put(voice, now, source, offset)
        self.counts[bit] += -1 if off else 1
        self.voters += bool(now) - bool(said)
        self.voices_changed = True
        self._moved(append_ms)
        return True

    def vote(self, voice: int, option: int, source: str, offset: int, append_ms: int) -> None:
        """A user's vote, instead of the one that they gave before."""
        before, now = self.voices.of.get(voice, 0), option + 1
        if now == before:
            return
        self.voices.put(voice, now, source, offset)
        if before:
            self.counts[before - 1] -= 1
        else:
            self.voters += 1
        self.counts[option] += 1
        self.voices_changed = True
        self._moved(append_ms)

    def begin(
        self, options: tuple[str, ...], poll: PollState, source: str, offset: int, append_ms: int
    ) -> None:
        """A poll begins."""
        self.names, self.poll = list(options), poll
        self.counts = counts_of(options, self.counts)
        self._moved(append_ms)
        self.places[source] = offset + 1

    def end(self, source: str, offset: int, append_ms: int, *, poll: PollState | None = None) -> None:
        """A poll is closed with what is left of it, or the event is taken back."""
        self.ended = f"{source}:{offset}"
        self.poll, self.retracted = poll or self.poll, poll is None
        self._moved(append_ms)
        self.places[source] = offset + 1

    def remember(self, key: int, append_ms: int) -> bool:
        """Note a key of applause; False: it was counted within ten minutes."""
        now_s = append_ms // 1000
        if now_s - self.keys.get(key, -_KEYS_S) < _KEYS_S:
            return False
        self.keys.pop(key, None)
        self.keys[key] = now_s
        while len(self.keys) > _MOST_KEYS or now_s - next(iter(self.keys.values())) >= _KEYS_S:
            del self.keys[next(iter(self.keys))]
        return True

    def _moved(self, append_ms: int) -> None:
        self.at, self.total_changed = append_ms, True

    def _bit(self, with_: str) -> int:
        if with_ in self.names:
            return self.names.index(with_)
        if len(self.names) >= MOST_NAMES:
            raise TouchlineError(
                "too_many", f"There are {MOST_NAMES} different reactions here already, which is the most."
            )
        self.names.append(with_)
        self.counts.append(0)
        return len(self.names) - 1

    # ── what is written ──────────────────────────────────────────────────────────────────────────────

    @property
    def total(self) -> Total:
        """As it is to be written."""
        return Total(
            stream=str(self.stream),
            target=self.target,
            names=tuple(self.names),
            counts=tuple(self.counts),
            voters=self.voters,
            at=self.at,
            poll=self.poll,
            ended=self.ended,
            retracted=self.retracted,
            keys=_written_keys(self.keys),
            places={
                source: max(self.places.get(source, 0), self.voices.places.get(source, 0))
                for source in {**self.places, **self.voices.places}
            },
        )


def _read_keys(value: bytes) -> dict[int, int]:
    return dict(ENTRY.iter_unpack(value))


def _written_keys(keys: Mapping[int, int]) -> bytes:
    return b"".join(ENTRY.pack(key, at) for key, at in keys.items())
