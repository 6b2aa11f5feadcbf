"""The fences of a worker: what its users' moves set off, written with their positions; who is where, kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from control.entity.fold import Written
from control.entity.known import Known
from control.entity.tables import Tables
from control.entity.types import Stamp
from control.entity.writer import Writer
from control.nearby.consent import Consent
from control.nearby.fences import Fence, is_listing
from control.nearby.inside import Inside, inside_type
from control.nearby.sharing import Sharing
from control.places.cells import Grid
from kernel.access.signing import Signer
from kernel.access.users import USER
from kernel.clock import Clock, to_rfc3339
from kernel.log.positions import Kind, partition_of
from kernel.log.records import Partition, Write
from kernel.log.topics import TopicNames
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from streams.fences.crossings import Crossing, crossings, told, watches
from streams.fences.index import FenceIndex
from streams.fold.checks.moves import Moved
from streams.fold.states import States

_log = get_logger("touchline.fences")
_PAGE: Final = 1000


class Watching:
    """All fences, and who of this worker's users is in which."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        tables: Tables,
        *,
        consent: Consent,
        clock: Clock,
        write: Callable[[list[Write]], None],
    ) -> None:
        self._consent, self._clock, self._write = consent, clock, write
        self._ingest, self._location = names.ingest[Kind.BROADCAST], names.ingest[Kind.LOCATION]
        self._signer = Signer(settings.auth)
        self._index = FenceIndex(settings.nearby.fence_hysteresis_m)
        self._cells = Grid(settings.nearby.public_cell_m)
        self._loaded = False
        self._late: list[tuple[bytes, Fence | None]] = []
        self._type = inside_type(settings)
        self._view = tables.view(self._type)
        self._view.on_stale = self._keep_again
        self._writer = Writer(tables)
        self._partitions: Mapping[str, int] = {}
        #: As it is kept, of those who are in one; and what has changed since, by partition.
        self._kept: dict[str, Inside] = {}
        self._states: dict[int, States[Inside]] = {}
        #: Of each partition the offset behind the last position.
        self._at: dict[int, int] = {}
        consent.fences.watch_all(self._fence_changed)
        consent.sharing.watch_all(self._sharing_changed)

    def opening(
        self, partitions: Mapping[str, int], mine: Mapping[Partition, int], kept: Iterable[Partition]
    ) -> None:
        """These partitions are this worker's, from these offsets on; of those `kept` nothing has changed."""
        self._partitions = partitions
        self._writer.partitions = {self._type.topic: partitions[self._type.topic]}
        old, stay = self._states, {place.partition for place in kept if place.topic == self._location}
        ours = {place.partition: start for place, start in mine.items() if place.topic == self._location}
        self._states = {n: old[n] if n in stay and n in old else States(self._kept.get) for n in ours}
        self._at = {n: max(start, self._at.get(n, 0) if n in stay else 0) for n, start in ours.items()}
        self._kept.clear()
        after = b""
        while found := self._view.scan(b"", after=after, limit=_PAGE):
            after = found[-1][0]
            for key, inside in found:
                name = key.decode()
                if self._partition(name) in self._states:
                    self._kept[name] = inside

    def load(self) -> None:
        """Take all fences in, once; a million of them take a while, so a thread does it."""
        if self._loaded:
            return
        self._index.load(self._all_fences())
        if len(self._index):
            _log.info("fences watch", fences=len(self._index))

    def loaded(self) -> None:
        """And what has changed meanwhile."""
        self._loaded = True
        late, self._late = self._late, []
        for key, fence in late:
            self._fence_changed(key, fence)

    def _all_fences(self) -> Iterator[Fence]:
        view, after, more = self._consent.fences, b"", True
        while more:
            keys, more = view.keys(after=after, limit=_PAGE)
            after = keys[-1] if keys else b""
            # Of each fence's two records only the one: reading them is what takes the time.
            for fence in view.values([key for key in keys if not is_listing(key)]).values():
                yield view.type.decode(fence) if isinstance(fence, bytes) else fence

    def crossed(self, partition: int, moves: Sequence[Moved]) -> list[Write]:
        """What these positions set off; returns what is to be written of it."""
        states = self._states.get(partition)
        if states is None or not moves:
            return []
        self._at[partition] = moves[-1].offset + 1
        if not len(self._index) and not self._kept:
            return []
        writes: list[Write] = []
        found = crossings(self._index, self._consent, moves, partial(_inside, states), self._cells)
        for crossing, change in found:
            if crossing is not None:
                writes += self._told(crossing)
            if change is not None:
                states.put(change.moved.name, change.inside, change.moved.offset)
        return writes

    def committing(self, offsets: Mapping[Partition, int]) -> list[Write]:
        """Who is where, as of these offsets."""
        writes: list[Write] = []
        for place, offset in offsets.items():
            states = self._states.get(place.partition) if place.topic == self._location else None
            if states is not None:
                writes += self._keep(states.take(offset))
        return writes

    def _keep(self, changed: Mapping[str, Inside]) -> list[Write]:
        writes: list[Write] = []
        for name, inside in changed.items():
            state = inside if inside.fences else None
            if state is None:
                self._kept.pop(name, None)
            else:
                self._kept[name] = state
            key, stamp = name.encode(), Stamp(inside.seq)
            known = self._view.known(key)._replace(state=state, stamp=stamp)
            value = None if state is None else self._type.encode(state)
            writes += self._writer.write(self._type, Written(key, known, value))
        return writes

    def _keep_again(self, key: bytes, known: Known[Inside]) -> None:
        """A worker that did not know that it had lost the user has written something older behind it."""
        name = key.decode("utf-8", "replace")
        if self._partition(name) in self._states:
            inside = known.state or Inside(user=name, seq=known.stamp.revision)
            self._write(self._keep({name: inside}))

    def _told(self, crossing: Crossing) -> list[Write]:
        value, channel = crossing.value(), crossing.channel
        headers = self._signer.headers(Kind.BROADCAST, channel, value)
        partition = partition_of(channel, self._partitions[self._ingest])
        return [Write(self._ingest, value, channel.encode(), partition, headers=headers)]

    # ── what changes beside positions ────────────────────────────────────────────────────────────────

    def _fence_changed(self, key: bytes, fence: Fence | None) -> None:
        if is_listing(key):
            return
        if not self._loaded:
            self._late.append((key, fence))
            return
        if fence is None:
            self._index.remove(key.decode("utf-8", "replace"))
        else:
            self._index.put(fence)

    def _sharing_changed(self, key: bytes, sharing: Sharing | None) -> None:
        """Who is seen no more has left, for those who watched by that consent."""
        name = key.decode("utf-8", "replace")
        partition = self._partition(name)
        states = self._states.get(partition)
        inside = None if states is None else _inside(states, name)
        if states is None or inside is None or (sharing is not None and sharing.on and sharing.public):
            return
        now_ms = self._clock.now_ms()
        left, writes = [], list[Write]()
        moved = Moved(
            *(name, inside.user, 0.0, 0.0, to_rfc3339(now_ms), now_ms, inside.seq + 1),
            id=f"{inside.seq}-consent",
            offset=max(0, self._at.get(partition, 0) - 1),
        )
        for id_ in inside.fences:
            fence = self._consent.fence(id_)
            if fence is not None and not watches(self._consent, fence, inside.user, now_ms):
                left.append(id_)
                writes += self._told(told(fence, moved, "exit", hidden=True))
        if left:
            stay = tuple(id_ for id_ in inside.fences if id_ not in left)
            states.put(name, Inside(user=inside.user, fences=stay, seq=inside.seq + 1), moved.offset)
            self._write(writes)

    def _partition(self, name: str) -> int:
        count = self._partitions.get(self._location, 0)
        return partition_of(USER + name, count) if count else -1


def _inside(states: States[Inside], name: str) -> Inside | None:
    inside = states.get(name)
    return inside if inside is not None and inside.fences else None
