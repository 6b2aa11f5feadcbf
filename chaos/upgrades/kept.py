"""What must hold of data that an earlier version wrote: pure functions to what is wrong, in sentences."""

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

Event = Mapping[str, Any]
Events = Mapping[str, Sequence[Event]]


def history_is_kept(before: Events, after: Events) -> list[str]:
    """Each event is in its stream as it was, with its seq and id; what came behind them does not matter. What
    was taken back may be shown without its words."""
    wrong = []
    for stream, events in before.items():
        now = after.get(stream, ())[: len(events)]
        if len(now) < len(events):
            wrong.append(f"{stream}: of {len(events)} events history has {len(now)}")
        for event, there in zip(events, now, strict=False):
            names = [name for name in event if name != "data" or not there.get("retracted")]
            wrong += [
                f"{stream}: {name} of {event['seq']} was {event[name]!r}, and is {there.get(name)!r}"
                for name in names
                if there.get(name) != event[name]
            ]
    return wrong


def search_is_kept(before: Mapping[str, Set[str]], after: Mapping[str, Set[str]], gone: str) -> list[str]:
    """What was found is found, and what was taken back is not."""
    lost = [
        f"{stream}: of {len(ids)} events search finds {len(ids & after.get(stream, set()))}"
        for stream, ids in before.items()
        if not ids <= after.get(stream, set())
    ]
    return lost + [f"{stream}: search finds what was taken back" for stream in after if gone in after[stream]]


def goes_on(before: Events, after: Events) -> list[str]:
    """Each stream has something new, with seqs that rise."""
    wrong = []
    for stream, events in before.items():
        seqs = [event["seq"] for event in after.get(stream, ())]
        if len(seqs) <= len(events):
            wrong.append(f"{stream}: what was posted after the upgrade is not there")
        wrong += [f"{stream}: {late} comes after {early}" for early, late in pairwise(seqs) if late <= early]
    return wrong
