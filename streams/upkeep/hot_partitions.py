"""Hot partitions: one with far more than its share of the traffic, and the channel that makes it so. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

#: A partition is hot with so many times its fair share …
_TIMES_SHARE: Final = 3.0
#: … but only from so many events a second on: below, nothing is in anybody's way.
_LEAST_PER_S: Final = 200.0
#: Channels counted one by one in a partition between two looks.
_COUNTED: Final = 1000


class Hot(NamedTuple):
    """A hot partition."""

    topic: str
    partition: int
    per_s: float
    times_share: float
    channel: str
    channel_share: float


class Traffic:
    """Events by partition and channel since the last look."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], Counter[bytes]] = {}

    def note(self, topic: str, partition: int, keys: Mapping[bytes, int]) -> None:
        """So many records of each key were read."""
        if not keys:
            return
        counts = self._counts.setdefault((topic, partition), Counter())
        for key, number in keys.items():
            counts[key] += number
        if len(counts) > 2 * _COUNTED:
            # The small ones are forgotten; a channel that makes a partition hot is not among them.
            total, kept = counts.total(), Counter(dict(counts.most_common(_COUNTED)))
            kept[b""] += total - kept.total()
            self._counts[topic, partition] = kept

    def look(self, seconds: float, partitions: Mapping[str, int]) -> list[Hot]:
        """The hot partitions of the time since the last look, among so many `partitions` of each topic."""
        counts, self._counts = self._counts, {}
        totals: Counter[str] = Counter()
        for (topic, _), of_partition in counts.items():
            totals[topic] += of_partition.total()
        found = []
        for (topic, partition), of_partition in sorted(counts.items()):
            here = of_partition.total()
            share = here / totals[topic] * partitions.get(topic, 1)
            if here / seconds >= _LEAST_PER_S and share >= _TIMES_SHARE:
                named = [(key, n) for key, n in of_partition.most_common(2) if key] or [(b"", 0)]
                channel, count = named[0]
                name = channel.decode("utf-8", "replace")
                found.append(Hot(topic, partition, here / seconds, share, name, count / here))
        return found
