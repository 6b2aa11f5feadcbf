"""How far each partition is written: batches are confirmed in any order, completeness goes in order. Pure."""

from collections import deque
from dataclasses import dataclass

from history.pages import Watermark
from kernel.log.positions import Kind

Partition = tuple[Kind, int]


@dataclass
class Mark:
    """The end of a batch in one partition."""

    watermark: Watermark
    done: bool = False


class Progress:
    """The marks of the partitions that this indexer has, from the positions where it took them up."""

    def __init__(self, generation: int, positions: dict[Partition, Watermark]) -> None:
        self.generation = generation
        self._waiting: dict[Partition, deque[Mark]] = {partition: deque() for partition in positions}
        self._confirmed = dict(positions)

    def begin(self, ends: dict[Partition, Watermark]) -> list[Mark]:
        """A batch is on its way that ends there."""
        marks = []
        for partition, end in ends.items():
            # Repeats of a killed worker go back: what was reached before stays reached.
            waiting = self._waiting[partition]
            before = waiting[-1].watermark if waiting else self._confirmed[partition]
            mark = Mark(Watermark(end.offset, max(end.seq, before.seq)))
            waiting.append(mark)
            marks.append(mark)
        return marks

    def confirm(self, marks: list[Mark]) -> None:
        """Every document of the batch is written (or refused for good)."""
        for mark in marks:
            mark.done = True
        for partition, waiting in self._waiting.items():
            while waiting and waiting[0].done:
                self._confirmed[partition] = waiting.popleft().watermark

    @property
    def confirmed(self) -> dict[Partition, Watermark]:
        """Up to where each partition is written without a gap."""
        return dict(self._confirmed)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not any(self._waiting.values())
