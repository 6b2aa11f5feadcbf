"""A batch's records go to the fold in parts: all of them, in order, and never too many at once."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.log.records import Partition, Record
from streams.transport.batch import PartitionBatch, slices


def parts(sizes: list[int]) -> list[PartitionBatch]:
    """A part of each size, in a partition of its own."""
    return [
        PartitionBatch(Partition("chat", number), [Record(offset, 0, None, None) for offset in range(size)])
        for number, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 25))
def test_parts_hold_every_record_once_in_order_and_no_more_than_is_asked(sizes: list[int], most: int) -> None:
    batch = parts(sizes)
    made = list(slices(batch, most))
    flat = [(b.place, record) for part in made for b in part for record in b.records]
    assert flat == [(b.place, record) for b in batch for record in b.records]
    assert all(sum(len(b.records) for b in part) == most for part in made[:-1])
    assert all(0 < sum(len(b.records) for b in part) <= most for part in made)
    assert all(b.records for part in made for b in part)


def test_partitions_with_few_records_share_a_part() -> None:
    assert [[len(b.records) for b in part] for part in slices(parts([1, 2, 3, 1]), 250)] == [[1, 2, 3, 1]]
