"""Which alerts an event may set off, without asking each: by words that they cannot do without. Pure.

An alert is found by a word of it, by the channel or by the sender that it is about; only one that has none of
them is asked about every event. What each costs is counted: one that takes more than its share rests for a
while, and so does the dearest one when all together take more than theirs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from kernel.clock import Clock
from kernel.fairness.budgets import Budget
from search_indexer.query.matching import Text, shortened
from search_indexer.query.syntax import AnyForm, Clause, Phrase, Prefix

#: So much of an event's text is looked at by alerts; search looks at more.
LOOKED_AT: Final = 20_000
#: Steps a second (about half a microsecond each) of one alert, and of all; and at once.
_EACH, _EACH_AT_ONCE = 10_000.0, 500_000.0
_ALL, _ALL_AT_ONCE = 200_000.0, 4_000_000.0
#: Steps to look whether an alert is about an event at all.
_LOOK: Final = 4
_RESTS_MS: Final = 60_000
_LONGEST_REST_MS: Final = 3_600_000


class Suspension(NamedTuple):
    """An alert that was too dear."""

    id: str
    until_ms: int
    why: str


class AlertIndex:
    """Alerts by what sets them off. `on_rest` hears of each that is laid to rest."""

    def __init__(self, clock: Clock, on_rest: Callable[[Suspension], None] = lambda _: None) -> None:
        self._clock, self._on_rest = clock, on_rest
        self._alerts: dict[str, Any] = {}
        self._keys: dict[str, set[tuple[str, str]]] = {}
        #: Kind of key -> key -> alerts.
        self._by: dict[str, dict[str, set[str]]] = {name: {} for name in (*_OF_WORDS, *_OF_EVENTS)}
        self._each = Budget("steps", rate=_EACH, at_once=_EACH_AT_ONCE, clock=clock)
        self._all = Budget("steps", rate=_ALL, at_once=_ALL_AT_ONCE, clock=clock)
        self._spent: dict[str, int] = defaultdict(int)
        self._resting: dict[str, Suspension] = {}
        self._rested: dict[str, int] = {}

    def put(self, alert_id: str, one: Any) -> None:
        """An alert with its query parsed (`alert`, `query`), new or changed."""
        self.remove(alert_id)
        self._alerts[alert_id] = one
        self._keys[alert_id] = keys = _keys_of(one)
        for kind, key in keys:
            self._by[kind].setdefault(key, set()).add(alert_id)

    def remove(self, alert_id: str) -> None:
        self._alerts.pop(alert_id, None)
        self._resting.pop(alert_id, None)
        self._rested.pop(alert_id, None)
        for kind, key in self._keys.pop(alert_id, ()):
            found = self._by[kind][key]
            found.discard(alert_id)
            if not found:
                del self._by[kind][key]

    def may_match(self, channel: str, sender: str | None, text: Callable[[], Text]) -> Iterator[Any]:
        """The alerts that have to be asked; what asking each one took is counted when the next is taken."""
        for alert_id in sorted(self._found(channel, sender, text)):
            rest = self._resting.get(alert_id)
            if rest is not None:
                if rest.until_ms > self._clock.now_ms():
                    continue
                del self._resting[alert_id]
            before = text().steps
            yield self._alerts[alert_id]
            self._count(alert_id, _LOOK + text().steps - before)

    def rest(self, alert_id: str) -> Suspension | None:
        """Whether an alert rests."""
        rest = self._resting.get(alert_id)
        return rest if rest is not None and rest.until_ms > self._clock.now_ms() else None

    def _found(self, channel: str, sender: str | None, text: Callable[[], Text]) -> set[str]:
        by = self._by
        found: set[str] = set()
        for kind, key in (("every", ""), ("channel", channel), ("sender", sender or "")):
            found |= by[kind].get(key, set())
        for kind, keys in (("stem", by["stem"]), ("near", by["near"])):
            if keys:
                there = text().places if kind == "stem" else text().nearly
                for key in keys.keys() & there.keys():
                    found |= keys[key]
        if by["prefix"]:
            lengths = {len(start) for start in by["prefix"]}
            for word in text().words:
                for length in lengths:
                    found |= by["prefix"].get(word[:length], set())
        return found

    def _count(self, alert_id: str, steps: int) -> None:
        self._spent[alert_id] += steps
        if self._each.charge(alert_id, steps):
            self._lay_to_rest(alert_id, "It takes more of the indexer than one alert may.")
        if self._all.charge("", steps):
            dearest = max(self._spent, key=lambda one: self._spent[one])
            self._lay_to_rest(dearest, "All alerts together take more than they may, and this one most.")
            self._all.give_back("", _ALL_AT_ONCE / 4)
            self._spent.clear()
        elif len(self._spent) > 2 * len(self._alerts):
            self._spent.clear()

    def _lay_to_rest(self, alert_id: str, why: str) -> None:
        if alert_id in self._resting or alert_id not in self._alerts:
            return
        times = self._rested[alert_id] = self._rested.get(alert_id, 0) + 1
        lasts_ms = min(_LONGEST_REST_MS, _RESTS_MS << min(times - 1, 10))
        rest = self._resting[alert_id] = Suspension(alert_id, self._clock.now_ms() + lasts_ms, why)
        self._each.give_back(alert_id, _EACH_AT_ONCE)
        self._on_rest(rest)


_OF_WORDS: Final = ("stem", "near", "prefix")
_OF_EVENTS: Final = ("every", "channel", "sender")


def _keys_of(one: Any) -> set[tuple[str, str]]:
    """By what an alert is found: it cannot match where none of these is there."""
    wanted = [clause for clause in one.query.clauses if not clause.negated]
    if wanted:
        return set(_keys_of_clause(max(wanted, key=_rareness)))
    search = one.alert.search
    for kind, values in (("channel", search.channels), ("sender", search.senders)):
        if values:
            return {(kind, value) for value in values}
    return {("every", "")}


def _rareness(clause: Clause) -> tuple[int, int]:
    """Of several clauses one with long words and few alternatives finds least that is not meant."""
    return min(len(key) for _, key in _keys_of_clause(clause)), -len(clause.terms)


def _keys_of_clause(clause: Clause) -> Iterator[tuple[str, str]]:
    for term in clause.terms:
        match term:
            case Prefix(start):
                yield "prefix", start
            case Phrase(stems):
                yield "stem", max(stems, key=len)
            case AnyForm(word, stem):
                yield "stem", stem
                if term.forgiving:
                    yield from (("near", part) for part in shortened(word))
