"""Who is behind a total, as the fold holds them: all voices of an event or poll.

They are kept in parts: new entries go into the last one, and of a user's entries the one in the later part
holds. So what changes is written again, and not all that there is. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from control.crowd.totals import ENTRY, PART, Voices

#: With so many times as many entries as voices they are written anew: somebody has changed their mind often.
_SPARSE: Final = 3


class PartWrite(NamedTuple):
    """A part as it is to be written; None: it goes."""

    number: int
    voices: Voices | None


class VoiceBook:
    """The voices of one slot: the hash of a user -> what they have said, 0 where they took it back."""

    __slots__ = ("_due", "_entries", "_first", "_last", "_number", "names", "of", "places")

    def __init__(self, parts: Sequence[tuple[int, Voices]] = ()) -> None:
        """The parts that there are, with their numbers, in order."""
        self.of: dict[int, int] = {}
        self.names: list[str] = []
        #: Of inputs: what is in here already.
        self.places: dict[str, int] = {}
        self._first = parts[0][0] if parts else 0
        self._number, self._last = 0, dict[int, int]()
        self._entries = 0
        #: Full parts that are not written yet.
        self._due: list[PartWrite] = []
        for number, part in parts:
            entries = dict(ENTRY.iter_unpack(part.entries))
            self._entries += len(entries)
            self.of |= entries
            self.names, self.places = list(part.names), dict(part.places)
            self._number, self._last = number, entries

    def __len__(self) -> int:
        return self._entries

    def covers(self, source: str, offset: int) -> bool:
        """Whether this input, or a later one of its partition, is in it."""
        return offset < self.places.get(source, 0)

    def put(self, voice: int, said: int, source: str, offset: int) -> None:
        """From this input on the user has said this."""
        last = self._last
        if voice not in last:
            if len(last) >= PART:
                self._due.append(self._part())
                self._number += 1
                last = self._last = {}
            self._entries += 1
        self.of[voice] = last[voice] = said
        self.places[source] = offset + 1

    def take(self) -> list[PartWrite]:
        """What is to be written since the last time, in this order."""
        due, self._due = self._due, []
        if self._entries > PART and self._entries > _SPARSE * len(self.of):
            return due + self._anew()
        return [*due, self._part()]

    def _anew(self) -> list[PartWrite]:
        """All that holds into new parts; then the old ones go, the eldest first: a crash in between leaves
        nobody's word undone."""
        old = range(self._first, self._number + 1)
        self.of = {voice: said for voice, said in self.of.items() if said}
        entries, written = list(self.of.items()), list[PartWrite]()
        self._entries, self._first = len(entries), self._number + 1
        for start in range(0, max(1, len(entries)), PART):
            self._number, self._last = self._number + 1, dict(entries[start : start + PART])
            written.append(self._part())
        return [*written, *(PartWrite(number, None) for number in old)]

    def _part(self) -> PartWrite:
        entries = b"".join(ENTRY.pack(voice, said) for voice, said in self._last.items())
        voices = Voices(names=tuple(self.names), entries=entries, places=dict(self.places))
        return PartWrite(self._number, voices)
