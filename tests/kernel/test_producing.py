"""A producer that outlives fatal errors."""

from kernel.log.producing import LastingProducer


def test_one_with_nothing_under_way_is_there_all_the_same() -> None:
    """Who asks whether they have one would else make another whenever all was confirmed."""
    producer = LastingProducer({})  # it knows no broker: nothing is reported of one either
    assert len(producer) == 0
    assert producer
