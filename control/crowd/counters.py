"""What a channel is about now: messages a minute, who says most, which words and emoji, lately. Pure.

Counted by the workers of its partitions, each for itself, in records of ten minutes; whoever is asked adds
them up. Only channels count whose setting `counters` says so.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from control.entity.structs import plain_type
from control.entity.types import EntityType, entity_of_pair, pair_key
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings

MINUTES: Final = 10
#: What the rates and tops are of, and the minutes before, with which words are compared.
LATELY: Final = 5
TOP: Final = 10
#: Of one minute so many different senders, words and emoji are kept in memory, and in a record.
_MOST: Final = 2000
_WRITTEN: Final = 50
_WORD: Final = re.compile(r"[^\W\d_][\w'’-]{2,31}")
_WORDS_OF_A_MESSAGE: Final = 50
MINUTE_MS: Final = 60_000
#: Parts of one channel: of 64 lanes, and its reactions.
MOST_PARTS: Final = 200


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """One minute."""

    minute: int
    messages: int = 0
    senders: dict[str, int] = {}
    words: dict[str, int] = {}
    emoji: dict[str, int] = {}


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.counters."""

    channel: str
    minutes: tuple[Minute, ...] = ()
    revision: int = 0
    places: dict[str, int] = {}


def counters_type(settings: Settings) -> EntityType[Counters]:
    """Records by channel and partition."""
    return plain_type(
        *(settings, "counters", topic_names(settings).counters, "counters", Counters),
        entity_of=entity_of_pair,
    )


def counters_key(channel: str, part: str) -> bytes:
    """The key of what one partition has heard of a channel: `c` and its number, of reactions `r` and it."""
    return pair_key(channel, part)


class _Counting:
    """A minute that may still go on."""

    __slots__ = ("emoji", "messages", "senders", "words")

    def __init__(self, known: Minute | None = None) -> None:
        self.messages = 0 if known is None else known.messages
        self.senders = Counter[str]({} if known is None else known.senders)
        self.words = Counter[str]({} if known is None else known.words)
        self.emoji = Counter[str]({} if known is None else known.emoji)


class Windows:
    """What one partition hears of one channel."""

    def __init__(self, known: Counters | None = None) -> None:
        self._minutes = {} if known is None else {one.minute: _Counting(one) for one in known.minutes}
        self.places = {} if known is None else dict(known.places)

    def said(self, sender: str | None, text: str, append_ms: int) -> None:
        """A message."""
        minute = self._at(append_ms)
        minute.messages += 1
        if sender is not None:
            _add(minute.senders, (sender,))
        _add(minute.words, words_in(text))

    def reacted(self, emoji: str, n: int, append_ms: int) -> None:
        """Reactions, so many alike."""
        minute = self._at(append_ms)
        if emoji in minute.emoji or len(minute.emoji) < _MOST:
            minute.emoji[emoji] += n

    def _at(self, append_ms: int) -> _Counting:
        minute = append_ms // MINUTE_MS
        found = self._minutes.get(minute)
        if found is None:
            found = self._minutes[minute] = _Counting()
            for old in [one for one in self._minutes if one <= max(self._minutes) - MINUTES]:
                del self._minutes[old]
        return found

    def record(self, channel: str) -> Counters:
        """As it is to be written."""
        minutes = (
            Minute(
                minute=number,
                messages=one.messages,
                senders=dict(one.senders.most_common(_WRITTEN)),
                words=dict(one.words.most_common(_WRITTEN)),
                emoji=dict(one.emoji.most_common(_WRITTEN)),
            )
            for number, one in sorted(self._minutes.items())
        )
        return Counters(channel=channel, minutes=tuple(minutes), places=dict(self.places))


def words_in(text: str) -> set[str]:
    """The words of a message, each once: of a long one the first."""
    found: set[str] = set()
    for match in _WORD.finditer(text[:4000]):
        found.add(match[0].lower())
        if len(found) >= _WORDS_OF_A_MESSAGE:
            break
    return found


def _add(to: Counter[str], names: Iterable[str]) -> None:
    for name in names:
        if name in to or len(to) < _MOST:
            to[name] += 1


def shown(parts: Sequence[Counters], now_ms: int) -> dict[str, Any]:
    """What it comes to now, over all partitions: as `counters` events and the gateway say it."""
    now = now_ms // MINUTE_MS
    lately, before = _Counting(), _Counting()
    for part in parts:
        for one in part.minutes:
            if now - LATELY < one.minute <= now:
                _sum(lately, one)
            elif now - MINUTES < one.minute:
                _sum(before, one)
    # The minute that goes on counts by what of it is over.
    span = LATELY - 1 + (now_ms % MINUTE_MS) / MINUTE_MS
    return {
        "messages_per_min": round(lately.messages / span, 1),
        "emoji": _top(lately.emoji),
        "senders": _top(lately.senders),
        "words": _trending(lately.words, before.words),
    }


def _sum(to: _Counting, one: Minute) -> None:
    to.messages += one.messages
    to.senders.update(one.senders)
    to.words.update(one.words)
    to.emoji.update(one.emoji)


def _top(counted: Mapping[str, int]) -> list[list[Any]]:
    ranked = sorted(counted.items(), key=lambda row: (-row[1], row[0]))
    return [[name, count] for name, count in ranked[:TOP]]


def _trending(lately: Mapping[str, int], before: Mapping[str, int]) -> list[list[Any]]:
    """Words that are said more than before, the most said of them first."""
    risen = {word: count for word, count in lately.items() if count > 1 and count > before.get(word, 0)}
    ranked = sorted(risen.items(), key=lambda row: (-(row[1] - before.get(row[0], 0)), row[0]))
    return [[word, count] for word, count in ranked[:TOP]]
