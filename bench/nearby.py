"""Who is near, and places that watch: how many looks a second one core takes. `python -m bench.nearby`.

In one process, without Kafka and sockets: what an edge and a worker do with records that have come. A figure
is the median of some turns.
"""

import json
import sys
import tracemalloc
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import click
import numpy as np

from consumers.delivery.hub import Raw
from consumers.nearby.neighbours import Neighbours, Person, Position, Watch
from consumers.nearby.positions import Positions
from control.nearby.fences import Fence
from control.nearby.sharing import Sharing
from kernel.clock import SystemClock
from schemas.codec import Codec
from streams.fences.index import FenceIndex

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

    return {"dropped_s": _rate(sift), "users": float(len(positions))}


def fences(number: int, updates: int = 30_000, batch: int = 250) -> dict[str, float]:
    """Positions against so many fences of 50 to 500 m, over a country; a worker's batches."""
    random = np.random.default_rng(4)
    lat, lon = random.uniform(49, 55, number), random.uniform(-6, 2, number)
    radius = random.uniform(50, 500, number)
    index = FenceIndex(25.0)
    tracemalloc.start()
    index.load(
        Fence(id=f"f{n}", maker="m", lat=float(lat[n]), lon=float(lon[n]), radius_m=float(radius[n]))
        for n in range(number)
    )
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    at = random.choice(number, updates)
    there_lat, there_lon = (
        lat[at] + random.normal(0, 0.01, updates),
        lon[at] + random.normal(0, 0.01, updates),
    )
    found = 0

    def look() -> int:
        nonlocal found
        for start in range(0, updates, batch):
            near = index.near(there_lat[start : start + batch], there_lon[start : start + batch])
            found += len(near.place)
        return updates

    return {"fences": number, "updates_s": _rate(look), "bytes_a_fence": size / number, "found": found}


PARTS: Final[dict[str, Callable[[], dict[str, float]]]] = {
    "evaluations": evaluations,
    "drop": drop,
    "fences": lambda: fences(23_000),
    "million": lambda: fences(1_000_000),
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
