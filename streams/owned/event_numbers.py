"""What a worker keeps of numbered streams, in touchline.counts: looked up when it is needed, written behind.

A count is written once its event is on the log, and before the event's offset is committed: a worker that
takes the partition over finds the count of all that is committed, and of the rest the events themselves.
"""

from collections.abc import Callable, Iterable

from control.counts import Count
from control.entity.fold import Written
from control.entity.known import Known
from control.entity.tables import Tables
from control.entity.types import EntityType
from control.entity.writer import Writer
from kernel.log.positions import Kind, Stream
from kernel.log.records import Write
from streams.fold.states import States


class Counting:
    """The counts of the streams whose partitions this worker has."""

    def __init__(
        self,
        type_: EntityType[Count],
        tables: Tables,
        *,
        owns: Callable[[Stream], bool],
        write: Callable[[list[Write]], None],
    ) -> None:
        self._type, self._view = type_, tables.view(type_)
        self._owns, self._write = owns, write
        self._writer = Writer(tables)
        self._view.on_stale = self._keep_again

    def opening(self, partitions: int) -> None:
        """The topic of counts has so many partitions."""
        self._writer.partitions = {self._type.topic: partitions}

    def states(self, kind: Kind) -> States[Count]:
        """For one partition of a kind, from what is kept."""
        return States(lambda channel: self._view.get(str(Stream(kind, channel))))

    def keep(self, counts: Iterable[Count]) -> list[Write]:
        """These hold from now on; returns what has to be written."""
        writes: list[Write] = []
        for count in counts:
            key = count.stream.encode()
            known = self._view.known(key)._replace(state=count, stamp=self._type.stamp_of(count))
            writes += self._writer.write(self._type, Written(key, known, self._type.encode(count)))
        return writes

    def _keep_again(self, _: bytes, known: Known[Count]) -> None:
        """A worker that did not know that it had lost the stream has written something older behind it."""
        count = known.state
        if count is not None and self._owns(Stream.parse(count.stream)):
            self._write(self.keep([count]))
