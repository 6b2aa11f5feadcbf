"""What folding costs: acknowledgements, tallies, and looking up what is unread. Pure, without servers."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.report.figures import sample
from control.entity.fold import EntityFold, Input, fold_input
from control.entity.known import Known
from control.entity.stores.opening import open_store
from control.entity.stores.store import Row
from control.entity.view import View
from control.inbox.places import Ack, AckedByDevice, Places, fold_places
from control.inbox.tables import Inboxes, places_type, tally_type
from control.inbox.tally import RoomEvent, Tally, after
from control.inbox.unread import ReadUpTo, counts
from control.rooms.membership import ALL
from control.rooms.users import key_of
from kernel.access.users import ROOM
from kernel.settings.reading import Settings
from schemas.codec import Codec

SETTINGS = Settings()
#: Cells of (user, room) that an event moves.
_MEMBERS = 55
_SAID = ("hello", "hello @u7")
BORN = 8_796_093_022_208


def acknowledgements(users: int = 1000, rooms: int = 20, rounds: int = 5) -> float:
    """Acknowledgements folded a second of a core's time: a record a user and second, as edges send them."""
    type_, codec = places_type(SETTINGS), Codec("ack")
    how = EntityFold(type=type_, fold=fold_places)
    known: dict[bytes, Known[Places]] = {}
    nothing: Known[Places] = Known(None, type_.stamp_of(Places()))
    inputs = [
        (user, codec.encode(msgspec.to_builtins(_ack(f"u{user}", rooms, BORN + round_))))
        for round_ in range(rounds)
        for user in range(users)
    ]
    began = time.process_time()
    for offset, (user, value) in enumerate(inputs):
        key = key_of(f"u{user}").encode()
        given = Input(key, codec.decode(value), 0, "id-0", offset)
        for written in fold_input(how, given, lambda key: known.get(key, nothing)):
            known[written.key] = written.known
    return users * rooms * rounds / (time.process_time() - began)


def _ack(user: str, rooms: int, seq: int) -> Ack:
    return Ack(
        user=user, devices=(AckedByDevice("phone", {f"chat:room-r{n}": seq + n for n in range(rooms)}),)
    )


def events(rooms: int = 1000, each: int = 50) -> float:
    """Events of rooms folded into their tallies a second of a core's time, each of them written."""
    type_ = tally_type(SETTINGS)
    tallies = {n: Tally(channel=f"{ROOM}r{n}") for n in range(rooms)}
    said = [
        (
            room,
            RoomEvent(
                BORN + n,
                0,
                "message",
                f"u{n % _MEMBERS}",
                n + 1,
                ("hello", "hello @u7")[n % 9 == 0],
                0,
                b"{}",
            ),
        )
        for n in range(each)
        for room in range(rooms)
    ]
    began = time.process_time()
    for room, one in said:
        tallies[room] = after(tallies[room], one, None)
        type_.encode(tallies[room])
    return len(said) / (time.process_time() - began)


def filled(directory: Path, rooms: int) -> Inboxes:
    """Inboxes over a table on disk with so many rooms' tallies."""
    type_ = tally_type(SETTINGS)
    view: View[Tally] = View(type_)
    store = open_store("sqlite", directory / f"rooms-{rooms}", {type_.name: "bench"}, anew=True)
    rows = []
    for n in range(rooms):
        tally = Tally(channel=f"{ROOM}r{n}")
        for at in range(30):
            said = RoomEvent(BORN + at, at, "message", f"u{at}", at + 1, "hello", 0, b'{"text":"hello"}' * 10)
            tally = after(tally, said, None)
        rows.append(Row(tally.channel.encode(), 0, 0, None, type_.encode(tally)))
    store.load(type_.name, rows)
    store.finish_load({type_.name: {}})
    view.open(store)
    inboxes = Inboxes(SETTINGS)
    inboxes.tallies, inboxes.followed = view, True
    return inboxes


def heads(inboxes: Inboxes, rooms: int) -> float:
    """Milliseconds to look where of so many rooms there is news: the part of `sync` that grows with rooms."""
    names = [f"{ROOM}r{n}" for n in range(rooms)]
    return median_ms(lambda: inboxes.heads(names))


def rows(inboxes: Inboxes, rooms: int) -> float:
    """Milliseconds to sort so many rooms and to count 50 of them: `inbox` without what is sent."""
    names = [f"{ROOM}r{n}" for n in range(rooms)]

    def page() -> None:
        found = inboxes.heads(names)
        for name in sorted(found, key=lambda each: found[each].at)[:50]:
            counts(inboxes.tally(name), ALL, "u7", ReadUpTo(BORN + 3, 4))

    return median_ms(page)


def median_ms(work: Callable[[], Any], times: int = 50) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def measure() -> None:
    """Print each line as it comes."""
    for _ in range(3):
        folded = acknowledgements()
        sample("rooms acks", "touchline", folded)
        moved = events() * _MEMBERS
        sample("rooms cells", "touchline", moved)
        print(f"acknowledgements folded a second: {folded:,.0f}; cells moved: {moved:,.0f}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for rooms in (20, 200, 2000):
            inboxes = filled(Path(directory), rooms)
            print(
                f"{rooms} rooms: heads {heads(inboxes, rooms):.2f} ms, a page {rows(inboxes, rooms):.2f} ms"
            )
