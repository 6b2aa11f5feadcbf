"""Who is near, and places that watch: how many looks a second one core takes. `python -m bench.nearby`.

In one process, without Kafka and sockets: what an edge and a worker do with records that have come. A figure
is the median of some turns.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import click
import numpy as np
import psutil

from bench.peers import installing, tile38
from bench.report.figures import sample
from bench.rig.generator import memory
from consumers.delivery.hub import Raw
from consumers.nearby.neighbours import Neighbours, Person, Position, Watch
from consumers.nearby.positions import Positions
from control.nearby.fences import Fence
from control.nearby.inside import Inside
from control.nearby.sharing import Sharing
from kernel.clock import SystemClock
from schemas.codec import Codec
from streams.fences.crossings import crossings
from streams.fences.index import FenceIndex
from streams.fold.checks.moves import Moved

#: A city: what is near and what is not.
_LAT, _LON, _WIDE = 51.5, -0.12, 0.25
_TURNS: Final = 5


def _city(number: int, seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.normal(_LAT, _WIDE / 3, number), random.normal(_LON, _WIDE / 2, number)


def _rate(work: Callable[[], int], turns: int = _TURNS) -> float:
    rates = []
    for _ in range(turns):
        began = process_time()
        done = work()
        rates.append(done / max(process_time() - began, 1e-9))
    return median(rates)


def evaluations(viewers: int = 10_000, friends: int = 40, a_round: int = 250) -> dict[str, float]:
    """Moves of people whom viewers here have for friends, a twentieth of a second's in a round."""
    told: set[Watch] = set()
    board = Neighbours(600_000, told.add)
    lat, lon = _city(viewers, 1)
    people: list[Person] = []
    for n in range(viewers):
        person = board.person(b"user-u%d" % n, f"u{n}")
        person.sharing = Sharing(user=person.user, on=True)
        people.append(person)
    watches = [board.watch(f"u{n}", float(lat[n]), float(lon[n]), 8046.7, None) for n in range(viewers)]
    random = np.random.default_rng(2)
    for n, watch in enumerate(watches):
        for other in random.choice(viewers, friends, replace=False).tolist():
            if other != n:
                board.link(watch, people[other])
    seq, pushes = 0, 0

    def move() -> int:
        nonlocal seq, pushes
        before = board.evaluated
        for _ in range(20):
            moved = [people[n] for n in random.choice(viewers, a_round, replace=False).tolist()]
            for person in moved:
                seq += 1
                at = random.normal(0, 0.001, 2)
                n = person.slot
                place = Position(float(lat[n] + at[0]), float(lon[n] + at[1]), "2026-01-01T00:00:00Z", 1, seq)
                board.place(person, place, 1)
            board.look(moved)
            for watch in told:
                pushes += len(watch.pending)
                b"".join(watch.pending.values())
                watch.pending.clear()
            told.clear()
        return board.evaluated - before

    rate = _rate(move)
    page = []
    for watch in watches[:200]:
        began = perf_counter()
        board.nearest(watch)
        page.append(perf_counter() - began)
    sample("nearby looks", "touchline", rate)
    return {"evaluations_s": rate, "pushes": pushes, "nearest_ms": median(page) * 1000}


def drop(users: int = 200_000, records: int = 400_000) -> dict[str, float]:
    """Positions that concern nobody here: kept by their key, undecoded."""
    codec = Codec("fanout")
    body = (
        json.dumps({"stream": "location:user-u1", "data": {"lat": 51.5, "lon": -0.1}}).encode() + b" " * 150
    )
    fields = {"stream": "location:user-u1", "seq": 1, "server_ts": 1, "type": "position", "sender": "u1"}
    value = codec.encode({**fields, "n": None, "target": None, "body": body})
    random = np.random.default_rng(3)
    raws = [Raw(0, b"user-u%d#1#0" % n, bytes(bytearray(value))) for n in random.integers(0, users, records)]
    positions = Positions(SystemClock(), 600.0, set())
    positions.wanted = {b"user-u%d" % n for n in range(0, users, 1000)}

    def sift() -> int:
        for start in range(0, records, 2000):
            positions.sift(raws[start : start + 2000])
        return records

    rate = _rate(sift)
    sample("nearby dropped", "touchline", rate)
    return {"dropped_s": rate, "users": float(len(positions))}


def circles(number: int) -> list[tuple[float, float, float]]:
    """Fences of 50 to 500 m over a country: lat, lon, radius."""
    random = np.random.default_rng(4)
    columns = random.uniform(49, 55, number), random.uniform(-6, 2, number), random.uniform(50, 500, number)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def moves(of: Sequence[tuple[float, float, float]], users: int, updates: int) -> list[Moved]:
    """People about these fences, each again and again a little farther."""
    random = np.random.default_rng(5)
    homes = [of[n] for n in random.choice(len(of), users).tolist()]
    found = []
    for n, (north, east) in enumerate(random.normal(0, 0.01, (updates, 2)).tolist()):
        user = n % users
        lat, lon, _ = homes[user]
        place = (lat + north, lon + east, "2026-01-01T00:00:00.000Z", 1)
        found.append(Moved(f"u{user}", f"u{user}", *place, seq=n + 1, id=f"l-{n}", offset=n))
    return found


class Operators:
    """Fences of operators, who see everybody: what consent costs is the tables', and no fence's."""

    def __init__(self, fences: Iterable[Fence]) -> None:
        self._fences = {fence.id: fence for fence in fences}

    def fence(self, id_: str) -> Fence | None:
        return self._fences.get(id_)

    def sees(self, *_: object) -> bool:
        return True


def fences(number: int, users: int = 5000, updates: int = 30_000, batch: int = 250) -> dict[str, float]:
    """Positions against so many fences, in a worker's batches: looked up, and with what is told of them."""
    places = circles(number)
    made = [
        Fence(id=f"f{n}", lat=lat, lon=lon, radius_m=radius) for n, (lat, lon, radius) in enumerate(places)
    ]
    before, began = memory(os.getpid()), process_time()
    index = FenceIndex(25.0)
    index.load(iter(made))
    built, size = process_time() - began, memory(os.getpid()) - before
    moved = moves(places, users, updates)
    lat, lon = np.array([one.lat for one in moved]), np.array([one.lon for one in moved])

    def look() -> int:
        for start in range(0, updates, batch):
            index.near(lat[start : start + batch], lon[start : start + batch])
        return updates

    consent, inside, told = Operators(made), dict[str, Inside](), 0

    def tell() -> int:
        nonlocal told
        for start in range(0, updates, batch):
            some = moved[start : start + batch]
            for crossing, change in crossings(index, consent, some, inside.get):  # type: ignore[arg-type]
                if crossing is not None:
                    crossing.value()
                    told += 1
                if change is not None:
                    inside[change.moved.name] = change.inside
        return updates

    looked, whole = _rate(look), _rate(tell)
    sample("fence updates", "touchline", whole, number)
    sample("fence memory", "touchline", size / number, number)
    sample("fence load", "touchline", built, number)
    return {
        **{"fences": number, "looked_s": looked, "updates_s": whole, "told": told / _TURNS},
        **{"bytes_a_fence": size / number, "load_s": built},
    }


def beside(number: int = 23_000, users: int = 5000, updates: int = 30_000) -> dict[str, float]:
    """Tile38, with the same fences and positions, where the setting names its binary."""
    try:
        installing.tile38()
    except FileNotFoundError:
        return {}
    places = circles(number)
    moved = [(one.user, one.lat, one.lon) for one in moves(places, users, updates)]
    with tile38.running() as (port, pid):
        empty = memory(pid)
        bare = updates / tile38.updates(port, moved)
        tile38.set_fences(port, places)
        size = memory(pid) - empty
        # It has more than one core for itself: what counts is what it takes of them.
        rates, cores = [], []
        for _ in range(_TURNS):
            spent = sum(psutil.Process(pid).cpu_times()[:2])
            seconds = tile38.updates(port, moved)
            rates.append(updates / seconds)
            cores.append(updates / max(sum(psutil.Process(pid).cpu_times()[:2]) - spent, 1e-3))
    sample("fence updates", "Tile38", median(cores), number)
    sample("fence memory", "Tile38", size / number, number)
    return {
        "without_fences_s": bare,
        "updates_s": median(rates),
        "updates_s_a_core": median(cores),
        "bytes_a_fence": size / number,
    }


PARTS: Final[dict[str, Callable[[], dict[str, float]]]] = {
    "evaluations": evaluations,
    "drop": drop,
    "fences": lambda: fences(23_000),
    "million": lambda: fences(1_000_000),
    "beside": beside,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def command(parts: tuple[str, ...]) -> None:
    """Measure these parts; without any, all."""
    for name in parts or PARTS:
        figures = {key: round(value, 3) for key, value in PARTS[name]().items()}
        sys.stdout.write(f"{json.dumps({'part': name, **figures})}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    command()
