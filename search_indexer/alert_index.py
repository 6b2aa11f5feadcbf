"""Which alerts an event may set off, without asking each: by words that they cannot do without. Pure.

An alert is found by a word of it, or by the sender, channel, type or kind that it is about; only one that has
none of them is asked about every event. What each costs is counted: one that takes more than its share rests
for a while, and so does the dearest one when all together take more than theirs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from kernel.clock import Clock
from kernel.fairness.budgets import Budget
from kernel.log.positions import Kind
from search_indexer.query.matching import About, Text, shortened
from search_indexer.query.syntax import AnyForm, Field, Near, Phrase, Prefix, Term

#: So much of an event's text is looked at by alerts; search looks at more.
LOOKED_AT: Final = 20_000
#: Steps a second (about half a microsecond each) of one alert, and of all; and at once.
_EACH, _EACH_AT_ONCE = 10_000.0, 500_000.0
_ALL, _ALL_AT_ONCE = 200_000.0, 4_000_000.0
#: So many are charged at once.
_SETTLED: Final = 1000
#: Steps to look whether an alert is about an event at all.
_LOOK: Final = 4
_RESTS_MS: Final = 60_000
_LONGEST_REST_MS: Final = 3_600_000
#: Words of which it is remembered which alerts they nearly are, or begin: people say the same ones.
_MOST_WORDS: Final = 50_000
_NONE: Final[frozenset[str]] = frozenset()


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
        self._alike: dict[str, frozenset[str]] = {}
        self._each = Budget("steps", rate=_EACH, at_once=_EACH_AT_ONCE, clock=clock)
        self._all = Budget("steps", rate=_ALL, at_once=_ALL_AT_ONCE, clock=clock)
        self._spent: dict[str, int] = defaultdict(int)
        #: Steps that are not charged yet: that takes longer than they do.
        self._owed: dict[str, int] = defaultdict(int)
        self._owed_by_all = 0
        self._resting: dict[str, Suspension] = {}
        self._rested: dict[str, int] = {}

    def put(self, alert_id: str, one: Any) -> None:
        """An alert with its query parsed (`alert`, `query`), new or changed."""
        self.remove(alert_id)
        self._alerts[alert_id] = one
        self._alike.clear()
        self._keys[alert_id] = keys = _keys_of(one)
        for kind, key in keys:
            self._by[kind].setdefault(key, set()).add(alert_id)

    def remove(self, alert_id: str) -> None:
        self._alerts.pop(alert_id, None)
        self._resting.pop(alert_id, None)
        self._rested.pop(alert_id, None)
        self._owed.pop(alert_id, None)
        self._alike.clear()
        for kind, key in self._keys.pop(alert_id, ()):
            found = self._by[kind][key]
            found.discard(alert_id)
            if not found:
                del self._by[kind][key]

    def may_match(self, about: About, text: Callable[[], Text]) -> Iterator[Any]:
        """The alerts that have to be asked; what asking each one took is counted when the next is taken."""
        for alert_id in sorted(self._found(about, text)):
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

    def _found(self, about: About, text: Callable[[], Text]) -> set[str]:
        by = self._by
        found: set[str] = set()
        for kind, keys in _keys_in(about):
            if there := by[kind]:
                for key in keys:
                    found |= there.get(key, _NONE)
        if stems := by["stem"]:
            for key in stems.keys() & text().distinct:
                found |= stems[key]
        if by["near"] or by["prefix"]:
            for word in text().words:
                found |= self._alike_of(word)
        return found

    def _alike_of(self, word: str) -> frozenset[str]:
        """The alerts of which a word may be a misspelt one, or begins as they say."""
        known = self._alike.get(word)
        if known is None:
            near, prefixes = self._by["near"], self._by["prefix"]
            found: set[str] = set()
            for part in shortened(word) if near else ():
                found |= near.get(part, _NONE)
            for length in range(1, len(word) + 1) if prefixes else ():
                found |= prefixes.get(word[:length], _NONE)
            if len(self._alike) >= _MOST_WORDS:
                self._alike.clear()
            known = self._alike[word] = frozenset(found)
        return known

    def _count(self, alert_id: str, steps: int) -> None:
        self._spent[alert_id] += steps
        self._owed[alert_id] += steps
        self._owed_by_all += steps
        if self._owed[alert_id] >= _SETTLED and self._each.charge(alert_id, self._owed.pop(alert_id)):
            self._lay_to_rest(alert_id, "It takes more of the indexer than one alert may.")
        if self._owed_by_all < _SETTLED:
            return
        owed, self._owed_by_all = self._owed_by_all, 0
        if self._all.charge("", owed):
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
#: Of these the later ones say more: an alert is found by the clause that says most.
_OF_EVENTS: Final = ("every", "kind", "marks", "type", "channel", "sender")
_SHORT: Final = 3


def _keys_in(about: About) -> Iterator[tuple[str, Sequence[str]]]:
    """What of an event alerts are found by, beside its words."""
    yield "every", ("",)
    yield "kind", (about.kind,)
    yield "marks", about.marks
    yield "type", (about.type,)
    yield "channel", about.channels
    if about.sender is not None:
        yield "sender", (about.sender,)


def _keys_of(one: Any) -> set[tuple[str, str]]:
    """By what an alert is found: it cannot match where none of these is there."""
    search = one.alert.search
    ways = [
        {("kind", str(kind)) for kind in search.kinds},
        {("type", value) for value in search.types},
        {("channel", value) for value in search.channels},
        {("sender", value) for value in search.senders},
        {("kind", Kind.LOCATION.value)} if search.near is not None else set(),
        *(
            {key for term in c.terms for key in _keys_of_term(term)}
            for c in one.query.clauses
            if not c.negated
        ),
    ]
    return max(filter(None, ways), key=_rareness, default={("every", "")})


def _rareness(keys: set[tuple[str, str]]) -> tuple[int, int]:
    """Of several ways the one with long words and few alternatives finds least that is not meant."""
    return min(_says(*key) for key in keys), -len(keys)


def _says(kind: str, key: str) -> int:
    if kind in _OF_WORDS:
        return len(_OF_EVENTS) + len(key) if kind != "prefix" or len(key) >= _SHORT else 1
    return _OF_EVENTS.index(kind)


def _keys_of_term(term: Term) -> Iterator[tuple[str, str]]:
    match term:
        case Prefix(start):
            yield "prefix", start
        case Phrase(stems):
            yield "stem", max(stems, key=len)
        case AnyForm(word, stem):
            yield "stem", stem
            if term.forgiving:
                yield from (("near", part) for part in shortened(word))
        case Near():
            yield "kind", Kind.LOCATION.value
        case Field("stream", value, begins):
            kind, _, channel = value.partition(":")
            yield ("kind", kind) if begins else ("channel", channel)
        case Field(name, value, False):
            yield name, value
        case _:
            yield "every", ""
