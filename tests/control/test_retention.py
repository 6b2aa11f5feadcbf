"""From when on a channel's events are kept: by its class, where the settings know it and it is shorter."""

import pytest

from control.channels.retention import Retention, check_class, with_lanes
from kernel.errors import TouchlineError
from kernel.log.positions import split_lane
from kernel.settings.reading import Indexer, load_settings

DAY_MS = 24 * 60 * 60 * 1000
NOW = 1_767_225_600_000


def retention() -> Retention:
    classes = {
        **{"lobby": "day", "final": "week", "plain": None, "odd": "fortnight", "archive": "year"},
        **{"even": "whole", "changed": "gone-from-the-settings"},
    }
    return Retention(
        Indexer(retention_days=30, retention_classes=("day=1", "week=7", "whole=30", "year=365")),
        lambda channel: classes.get(split_lane(channel)[0]),
        classes.items,
    )


@pytest.mark.parametrize(
    ("channel", "days"),
    [
        ("lobby", 1),
        ("lobby~0", 1),
        ("lobby~63", 1),
        ("lobby~x", None),
        ("final", 7),
        ("final~1", 7),
        ("final~63", 7),
        ("plain", None),
        ("unheard-of", None),
        ("odd", None),
        ("archive", None),
        ("even", None),
        ("changed", None),
    ],
)
def test_from_when_on_events_are_kept(channel: str, days: int | None) -> None:
    assert retention().kept_since(channel, NOW) == (0 if days is None else NOW - days * DAY_MS)


def test_all_channels_of_a_class_are_swept_by_one_cutoff() -> None:
    assert retention().cutoffs(NOW) == {
        NOW - DAY_MS: ["lobby"],
        NOW - 7 * DAY_MS: ["final"],
    }
    assert Retention(Indexer()).cutoffs(NOW) == {}


def test_lanes_are_swept_with_their_channel() -> None:
    names = with_lanes(["a", "b"])
    assert (len(names), names[:2], names[65:67]) == (130, ["a", "a~0"], ["b", "b~0"])


def test_a_class_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    for name in ("day", "week", None):
        check_class(Indexer(), name)
    with pytest.raises(
        TouchlineError, match="no retention class 'month': it is day or week or null"
    ) as caught:
        check_class(Indexer(), "month")
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize("text", ["day", "day=0", "day=1.5", "=1", "day=1,week", "a b=1", "day=-1"])
def test_a_class_without_a_name_or_whole_days_is_named_at_the_start(text: str) -> None:
    with pytest.raises(TouchlineError, match="TOUCHLINE_INDEXER_RETENTION_CLASSES") as caught:
        load_settings({"TOUCHLINE_INDEXER_RETENTION_CLASSES": text})
    assert caught.value.code == "bad_setting"


def test_there_may_be_no_classes_at_all() -> None:
    indexer = load_settings({"TOUCHLINE_INDEXER_RETENTION_CLASSES": ""}).indexer
    with pytest.raises(TouchlineError, match="'day': it is null"):
        check_class(indexer, "day")
