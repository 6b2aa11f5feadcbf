"""What must hold whatever has happened: pure functions from recordings to what is wrong, in sentences.

Each has a test that shows it can fail (tests/chaos/test_invariants.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

#: At most so many findings of one invariant are told: the rest is more of the same.
_MOST: Final = 5


class Seen(NamedTuple):
    """An event as somebody saw it."""

    seq: int
    key: str
    sender: str = ""


class Missing(NamedTuple):
    """A gap that a viewer was told of: nothing in (after, until] is to be had."""

    after: int
    until: int


class Viewing(NamedTuple):
    """What one viewer of one stream was shown, in order, and from where it was asked for."""

    viewer: str
    stream: str
    after: int
    seen: Sequence[Seen]
    told: Sequence[Missing] = ()


class Piece(NamedTuple):
    """A page of history that somebody was given under faults: what follows `after`."""

    stream: str
    after: int
    events: Sequence[Seen]


class Watched(NamedTuple):
    """How far a viewer of a stream is."""

    viewer: str
    stream: str
    at: int


class Standing(NamedTuple):
    """How everything stands at some moment after the last fault."""

    #: Recorders that ended although nobody had told them to: with why.
    ended: Sequence[str] = ()
    #: Producers that still wait for acknowledgements.
    waiting: Sequence[str] = ()
    #: Processes that cannot do their work.
    away: Sequence[str] = ()
    places: Sequence[Watched] = ()


class Size(NamedTuple):
    """What a process holds."""

    megabytes: float
    files: int
    threads: int
    tasks: int = 0


class Reported(NamedTuple):
    """How somebody says that a channel is set; the revision only where it is known."""

    revision: int | None
    settings: Mapping[str, object]


class Place(NamedTuple):
    """What a total is of: a stream's applause, an event's reactions, or (`poll`) votes."""

    stream: str
    target: str = ""
    poll: bool = False


Log = Mapping[str, Sequence[Seen]]


def everything_is_whole(standing: Standing, log: Log) -> list[str]:
    """Every role is ready, every acknowledgement is there, every viewer is at the head."""
    heads = {stream: events[-1].seq for stream, events in log.items() if events}
    return [
        *(f"a recorder ended: {why}" for why in standing.ended),
        *(f"{producer} still waits for acknowledgements" for producer in standing.waiting),
        *(f"{name} is not ready" for name in standing.away),
        *(
            f"{viewer} of {stream} is at {at}, the log at {heads[stream]}"
            for viewer, stream, at in standing.places
            if at < heads.get(stream, 0)
        ),
    ][:_MOST]


def acknowledged_is_not_lost(acknowledged: Mapping[str, Iterable[str]], log: Log) -> list[str]:
    """Each key whose event Kafka confirmed to its producer is in the log of its stream, once."""
    wrong = []
    for stream, keys in acknowledged.items():
        there = Counter(seen.key for seen in log.get(stream, ()))
        wrong += [
            f"{stream}: {key} was acknowledged, and is {there[key]} times in the log"
            for key in keys
            if there[key] != 1
        ]
    return wrong[:_MOST]


def order_is_that_of_the_producer(posted: Mapping[str, Sequence[str]], log: Log) -> list[str]:
    """Events of one producer are in the log of their stream in the order in which they were posted."""
    wrong = []
    for stream, keys in posted.items():
        rank = {key: number for number, key in enumerate(keys)}
        ranks = [rank[seen.key] for seen in log.get(stream, ()) if seen.key in rank]
        wrong += [
            f"{stream}: {keys[late]} comes after {keys[early]} in the log"
            for early, late in pairwise(ranks)
            if late <= early
        ]
    return wrong[:_MOST]


def viewers_see_each_event_once(viewings: Iterable[Viewing], log: Log) -> list[str]:
    """Each viewer was shown the log from where they came in to the end, once, in order; or told a gap."""
    wrong = []
    for viewing in viewings:
        who = f"{viewing.viewer} of {viewing.stream}"
        seqs = [seen.seq for seen in viewing.seen]
        backwards = [(a, b) for a, b in pairwise(seqs) if b <= a]
        if backwards:
            wrong.append(f"{who} was shown {backwards[0][1]} after {backwards[0][0]}")
            continue
        expected = [seen for seen in log.get(viewing.stream, ()) if seen.seq > viewing.after]
        told = [seen for seen in expected if any(gap.after < seen.seq <= gap.until for gap in viewing.told)]
        missing = set(expected) - set(viewing.seen) - set(told)
        surplus = set(viewing.seen) - set(expected)
        if missing:
            first = min(missing)
            wrong.append(f"{who} missed {len(missing)} of {len(expected)} events, the first is {first}")
        if surplus:
            wrong.append(f"{who} was shown {len(surplus)} events that the log has not: {min(surplus)}")
    return wrong[:_MOST]


def viewers_have_the_latest_positions(viewings: Iterable[Viewing], log: Log, kept: int) -> list[str]:
    """At rest each viewer of a location stream has the latest position of each sender, and never got an older
    one after a newer one. Others may be left out. Senders are those of the last `kept` events: edges hold so
    many for whoever comes late.
    """
    wrong = []
    for viewing in viewings:
        who = f"{viewing.viewer} of {viewing.stream}"
        backwards = [(a, b) for a, b in pairwise(viewing.seen) if b.seq <= a.seq]
        if backwards:
            wrong.append(f"{who} was shown {backwards[0][1].seq} after {backwards[0][0].seq}")
            continue
        there = [seen for seen in log.get(viewing.stream, ()) if seen.seq > viewing.after]
        if surplus := set(viewing.seen) - set(there):
            wrong.append(f"{who} was shown {len(surplus)} positions that the log has not: {min(surplus)}")
        shown = {seen.sender: seen for seen in viewing.seen}
        latest = {seen.sender: seen for seen in there[-kept:]}
        for sender, position in latest.items():
            told = any(gap.after < position.seq <= gap.until for gap in viewing.told)
            if not told and sender not in shown:
                wrong.append(f"{who} has no position of {sender}, whose latest is {position.seq}")
            elif not told and shown[sender].seq < position.seq:
                wrong.append(f"{who} has {sender} at {shown[sender].seq}, the log at {position.seq}")
    return wrong[:_MOST]


def history_skips_nothing(pieces: Iterable[Piece], log: Log) -> list[str]:
    """A page of history that was given while things broke is what follows in the log, without a hole."""
    wrong = []
    for stream, after, events in pieces:
        follows = [seen for seen in log.get(stream, ()) if seen.seq > after][: len(events)]
        for number, event in enumerate(events):
            there = follows[number] if number < len(follows) else "nothing more"
            if event != there:
                wrong.append(f"history of {stream} after {after} has {event} where the log has {there}")
                break
    return wrong[:_MOST]


def all_agree(sources: Mapping[str, Log], log: Log) -> list[str]:
    """History and index hold what the log holds, stream by stream."""
    wrong = []
    for name, source in sources.items():
        for stream, events in log.items():
            found = list(source.get(stream, ()))
            if found != list(events):
                different = next(
                    (n for n, (a, b) in enumerate(zip(found, events, strict=False)) if a != b),
                    min(len(found), len(events)),
                )
                wrong.append(
                    f"{name} of {stream} has {len(found)} events, the log {len(events)};"
                    f" they differ from number {different} on"
                )
    return wrong[:_MOST]


def counts_agree(said: Mapping[str, int], watching: Mapping[str, int]) -> list[str]:
    """The viewers that the edges count are those who watch."""
    return [
        f"{stream} has {watching[stream]} viewers, and {said.get(stream, 0)} are counted"
        for stream in watching
        if said.get(stream, 0) != watching[stream]
    ][:_MOST]


def sizes_return(before: Mapping[str, Size], after: Mapping[str, Size], grace: Size) -> list[str]:
    """A process holds no more than it did, but for `grace`."""
    wrong = []
    for name in before.keys() & after.keys():
        for what, was, now, spare in zip(Size._fields, before[name], after[name], grace, strict=True):
            if now > was + spare:
                wrong.append(f"{name} held {was:.0f} {what} before and {now:.0f} after")
    return sorted(wrong)[:_MOST]


def state_is_the_recount(
    sources: Mapping[str, Mapping[str, Reported]], recount: Mapping[str, Reported]
) -> list[str]:
    """Whoever holds the state of channels has each as the log of commands, folded from its beginning, has it:
    no command lost, none carried out twice."""
    wrong = []
    for name, source in sources.items():
        for channel, right in recount.items():
            said = source.get(channel)
            if said is None:
                wrong.append(f"{name} does not know {channel}")
            elif said.revision not in (None, right.revision):
                wrong.append(
                    f"{name} has {channel} at revision {said.revision}, the recount {right.revision}"
                )
            elif said.settings != right.settings:
                wrong.append(f"{name} has {channel} as {said.settings}, the recount as {right.settings}")
    return wrong[:_MOST]


def confirmed_is_in_the_log(confirmed: Mapping[str, int], commands: Mapping[str, int]) -> list[str]:
    """Of the commands that were confirmed none is missing; one that was given again may be there twice."""
    return [
        f"{number} commands about {channel} were confirmed, the log has {commands.get(channel, 0)}"
        for channel, number in confirmed.items()
        if commands.get(channel, 0) < number
    ][:_MOST]


def doors_are_as_set(
    let_in: Mapping[str, Mapping[str, Sequence[str]]],
    recount: Mapping[str, Reported],
    everybody: Sequence[str],
) -> list[str]:
    """Each edge lets those watch a channel who are its readers, and all where none are set."""
    wrong = []
    for edge, channels in let_in.items():
        for channel, right in recount.items():
            readers = list(right.settings["readers"] or everybody)  # type: ignore[call-overload]
            if list(channels.get(channel, ())) != readers:
                wrong.append(
                    f"{edge} lets {channels.get(channel)} watch {channel}, whose readers are {readers}"
                )
    return wrong[:_MOST]


def totals_are_the_recount(
    said: Mapping[Place, Mapping[str, int]], right: Mapping[Place, Mapping[str, int]]
) -> list[str]:
    """What reactions and votes are said to be is what the log of them comes to: none lost, none doubled."""
    return [
        f"{place} is said to be {dict(counts)}, a recount gives {dict(right.get(place, {}))}"
        for place, counts in said.items()
        if dict(counts) != dict(right.get(place, {}))
    ][:_MOST]


def applause_is_as_confirmed(
    totals: Mapping[Place, Mapping[str, int]], confirmed: Mapping[str, int], unknown: Mapping[str, int]
) -> list[str]:
    """All applause that was confirmed counts, and besides it at most that of which nobody knows."""
    wrong = []
    for stream, least in confirmed.items():
        counted = sum(sum(of.values()) for place, of in totals.items() if _is_applause(place, stream))
        if not least <= counted <= least + unknown.get(stream, 0):
            wrong.append(
                f"{stream} has {counted} applauses: {least} were confirmed, of {unknown.get(stream, 0)}"
                " nobody knows"
            )
    return wrong[:_MOST]


def _is_applause(place: Place, stream: str) -> bool:
    return place == Place(stream)
