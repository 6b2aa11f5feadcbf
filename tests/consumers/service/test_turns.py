"""The loop of an edge is shared among users: whatever somebody sends, others have their turn in between."""

import asyncio
import json
from collections.abc import Callable

import pytest

from bench.rig.edge_alone import bare_service
from kernel.clock import ManualClock
from kernel.fairness.turns import TURN_S, Turns
from tests.consumers.protocol.test_one_frame import ANA, KNOWS_ANA, lose, opened, subscribe
from tests.security.test_wire import frame
from tests.security.wire import HANDSHAKE, Transport

BEN = HANDSHAKE.replace(b"/v1/ws", b"/v1/ws?token=ben")


class _Reading(Transport):
    """One that notes whether it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self.read_from = True

    def pause_reading(self) -> None:
        self.read_from = False

    def resume_reading(self) -> None:
        self.read_from = True


class _Passing(ManualClock):
    """A clock by which each piece takes a turn."""

    def monotonic(self) -> float:
        self.advance(TURN_S)
        return super().monotonic()


async def until(what: Callable[[], bool]) -> None:
    """Let the loop go round until it is so."""
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110 - it is the loop that is waited for
            await asyncio.sleep(0)


def pieces(clock: ManualClock, done: list[str], name: str, number: int) -> Callable[[], bool]:
    """Work of so many pieces, each of which takes half a turn."""
    left = [number]

    def piece() -> bool:
        clock.advance(TURN_S / 2)
        done.append(name)
        left[0] -= 1
        return left[0] > 0

    return piece


async def test_users_take_turns_however_many_connections_each_has() -> None:
    clock, done = ManualClock(), list[str]()
    turns = Turns(clock)
    for name in ("ana 1", "ana 2", "ana 3", "ben"):
        turns.add(name.split()[0], pieces(clock, done, name, 2))
    assert not turns.free(), "who comes now lines up"
    while len(done) < 8:
        before = len(done)
        await asyncio.sleep(0)
        assert len(done) <= before + 2, "a turn ends"
    assert done[:4] == ["ana 1", "ben", "ana 2", "ben"]
    await asyncio.sleep(0)
    assert turns.free()


async def test_a_turn_that_is_over_is_nobodys() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    assert turns.free()
    clock.advance(TURN_S)
    assert not turns.free()
    await asyncio.sleep(0)
    assert turns.free()


async def test_one_whose_piece_fails_does_not_hold_up_the_others() -> None:
    clock, done = ManualClock(), list[str]()
    turns, told = Turns(clock), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

    def fails() -> bool:
        raise ValueError("no such piece")

    turns.add("ana", fails)
    turns.add("ben", pieces(clock, done, "ben", 1))
    await until(lambda: bool(done))
    assert len(told) == 1


@pytest.mark.parametrize(
    "flood",
    [
        frame(b"") * 50_000,
        frame(b"", opcode=9) * 50_000,
        frame(b"x", fin=False) + frame(b"x", opcode=0, fin=False) * 50_000,
        frame("\n".join(json.dumps(subscribe(n, f"chat:{n}")) for n in range(190)).encode()),
    ],
    ids=["frames of nothing", "pings", "parts", "subscriptions"],
)
async def test_between_the_pieces_of_a_flood_others_are_served(flood: bytes) -> None:
    service = bare_service(verifier=KNOWS_ANA, turns=Turns(_Passing()))
    ana, ben = _Reading(), Transport()
    opened(service, ANA, ana)
    opened(service, BEN, ben)
    ana.written.clear()
    assert ana.protocol is not None
    assert ben.protocol is not None
    ana.protocol.data_received(flood)
    said = len(ana.written)
    assert not ana.read_from, "what has come is enough for now"
    ben.protocol.data_received(frame(b'{"op":"ping","id":7}'))
    turns = 0
    while b'{"op":"pong","id":7}' not in ben.written:
        assert (turns := turns + 1) < 4
        await asyncio.sleep(0)
    assert not ana.closed
    assert said < 20_000, "not all of it at once"
    await until(lambda: ana.read_from or ana.closed)
    assert len(ana.written) > said
    for each in (ana, ben):
        lose(each)
    await service.close()


async def test_who_leaves_with_work_undone_is_not_worked_for() -> None:
    service = bare_service(verifier=KNOWS_ANA)
    ana = opened(service, ANA)
    assert ana.protocol is not None
    lines = "\n".join(json.dumps(subscribe(n, f"chat:{n}")) for n in range(190))
    ana.protocol.data_received(frame(lines.encode()))
    lose(ana)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not service.subscriptions.hub.audiences()
    await service.close()
