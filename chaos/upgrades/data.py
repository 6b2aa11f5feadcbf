"""`python -m chaos.upgrades.data DIRECTORY`: whether this version goes on with the data of an earlier one.

The checkout's own `touchline up` fills a fresh data directory: events of all kinds, an edit, a retraction,
settings of a channel, and what a device has acknowledged. Then this version's `up` on the same directory has
to have all of it, and to go on.
"""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout

from chaos.upgrades.earlier import Earlier, ask
from chaos.upgrades.kept import Event, Events, goes_on, history_is_kept, search_is_kept
from chaos.upgrades.pipeline import Doors, Pipeline
from embedded.ports import find_free
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.settings.reading import PREFIX, load_settings

T = TypeVar("T")
Tell = Callable[[str], None]
#: So long a question may take until it is answered rightly.
_WITHIN_S: Final = 120.0
_AGAIN_S: Final = 0.5
_ASK_S: Final = 30.0
_SAID: Final = 5
_CHANNELS: Final = ("upgrade-north", "upgrade-south")
STREAMS: Final = tuple(Stream(kind, channel) for channel in _CHANNELS for kind in Kind)
_EACH, _MORE = 60, 5
#: Where nobody posts before: what is set there forbids a word, which is tried after.
_SET: Final = Stream(Kind.CHAT, "upgrade-set")
_BLOCKED: Final = "vuvuzela"
_SETTINGS: Final[Mapping[str, Any]] = {"max_text": 321, "blocked": [_BLOCKED], "min_shards": 2}
_USER, _DEVICE, _SEEN = "ana", "phone", Stream(Kind.CHAT, _CHANNELS[0])
_AWAY: Final = (TouchlineError, ClientError, OSError, TimeoutError, ValueError, KeyError)


class Known(NamedTuple):
    """What there was before the upgrade."""

    events: Events
    found: Mapping[str, set[str]]
    taken_back: str
    acknowledged: int


def posts(kind: Kind, numbers: range) -> list[Event]:
    """Events with keys, of some senders."""
    return [{**_post(kind, number), "key": f"{kind}-{number}"} for number in numbers]


def _post(kind: Kind, number: int) -> dict[str, Any]:
    sender = f"fan-{number % 7}"
    match kind:
        case Kind.CHAT:
            return {"sender": sender, "data": {"text": f"What a pass, number {number}!"}}
        case Kind.BROADCAST:
            return {"type": "goal", "data": {"minute": number, "score": [number, 0]}}
        case _:
            return {"sender": sender, "data": {"lat": 47.0 + number / 1000, "lon": 8.5}}


async def fill(doors: Doors, tell: Tell) -> Known:
    """Post, change, set and acknowledge; what there is then."""
    for stream in STREAMS:
        await doors.post(stream, posts(stream.kind, range(_EACH)))
    many = dict.fromkeys(map(str, STREAMS), _EACH)
    edited, taken_back = (await _whole(doors, many))[str(_SEEN)][7:9]
    new_text, gone = {"target": edited["id"], "text": "What a save!"}, {"target": taken_back["id"]}
    changes: list[Event] = [
        {"type": "edit", "sender": edited["sender"], "data": new_text},
        {"type": "retract", "sender": taken_back["sender"], "data": gone},
    ]
    await doors.post(_SEEN, changes)
    many[str(_SEEN)] += len(changes)
    events = await _whole(doors, many)
    tell(f"posted   {sum(many.values())} events to {len(many)} streams, an edit and a retraction among them")
    found = await _answer(lambda: _indexed(doors, events, taken_back["id"]))
    tell(f"indexed  search finds {sum(map(len, found.values()))} of them, and not what was taken back")
    await doors.ask("PUT", f"/v1/channels/{_SET.channel}", _SETTINGS)
    if wrong := await _until_right(lambda: _set(doors)):
        raise TouchlineError("unavailable", wrong[0])
    tell(f"set      {_SET.channel}: {dict(_SETTINGS)}")
    seq = events[str(_SEEN)][_EACH // 2]["seq"]
    await doors.acknowledge(_USER, _DEVICE, _SEEN, seq)
    tell(f"seen     {_USER}'s {_DEVICE} has {_SEEN} up to {seq}")
    return Known(events, found, taken_back["id"], seq)


async def compare(doors: Doors, known: Known) -> AsyncIterator[tuple[str, list[str]]]:
    """What should be kept, each with what is wrong with it."""

    async def history() -> list[str]:
        return history_is_kept(known.events, await doors.history(STREAMS))

    async def search() -> list[str]:
        return search_is_kept(known.found, await doors.found(STREAMS), known.taken_back)

    async def place() -> list[str]:
        seq, was = await doors.place(_USER, _DEVICE, _SEEN), known.acknowledged
        return [] if seq == was else [f"{_USER}'s {_DEVICE} had {_SEEN} up to {was}, and has it up to {seq}"]

    async def more() -> list[str]:
        return goes_on(known.events, await doors.history(STREAMS))

    many = sum(map(len, known.events.values()))
    yield f"history: all {many} events, with their seq and id", await _until_right(history)
    yield "search: what was found, and not what was taken back", await _until_right(search)
    yield "a channel's settings", await _until_right(lambda: _set(doors))
    yield "what these forbid", await _until_right(lambda: _forbids(doors))
    yield "how far a device is", await _until_right(place)
    yield "keys: the same post again is the same event", await _until_right(lambda: _repeats(doors, known))
    for stream in STREAMS:
        await doors.post(stream, posts(stream.kind, range(_EACH, _EACH + _MORE)))
    yield "new posts, with seqs that rise", await _until_right(more)
    yield "history and search as before beside them", await _until_right(history) + await _until_right(search)


async def carry_out(earlier: Earlier, directory: Path, servers_dir: Path, tell: Tell) -> list[str]:
    """Fill by the one version, compare by the other; what is lost."""
    settings = _settings(directory, servers_dir)
    ours = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)} | settings
    run = ("-P", "-m", "touchline")
    before = Pipeline((earlier.python, *run), earlier.environment(settings), directory)
    after = Pipeline((sys.executable, *run), ours, directory)
    lost: list[str] = []
    async with ClientSession(timeout=ClientTimeout(total=_ASK_S)) as http:
        doors = Doors(http, settings)
        async with before.up():
            tell("up       the version before")
            known = await fill(doors, tell)
        async with after.up():
            tell("up       this version, on the same data")
            async for what, wrong in compare(doors, known):
                tell(f"{'LOST' if wrong else 'kept'}     {what}")
                for sentence in wrong[:_SAID]:
                    tell(f"           {sentence}")
                lost += [what] if wrong else []
    return lost


def _settings(directory: Path, servers_dir: Path) -> dict[str, str]:
    taken: set[int] = set()
    names = ("EMBEDDED_KAFKA", "EMBEDDED_ELASTICSEARCH", "STREAM", "INDEXER", "GATEWAY", "EDGE", "OUTBOX")
    for _ in names:
        taken.add(find_free(avoid=taken))
    given = {
        **{f"{name}_PORT": str(port) for name, port in zip(names, taken, strict=True)},
        "EMBEDDED_DATA_DIR": str(directory / "data"),
        "EMBEDDED_SERVERS_DIR": str(servers_dir),
        "AUTH_SECRET": secrets.token_hex(32),
    }
    return {f"{PREFIX}{name}": value for name, value in given.items()}


# ── what is asked until it is so ─────────────────────────────────────────────────────────────────────────


async def _whole(doors: Doors, many: Mapping[str, int]) -> Events:
    """History, once it has so many events of each stream."""

    async def whole() -> Events:
        events = await doors.history(STREAMS)
        for stream, number in many.items():
            if len(events[stream]) != number:
                said = f"History has {len(events[stream])} events of {stream}, and {number} were posted."
                raise TouchlineError("unavailable", said)
        return events

    return await _answer(whole)


async def _indexed(doors: Doors, events: Events, gone: str) -> dict[str, set[str]]:
    """What search finds, once it is all that there is to be found."""
    found = await doors.found(STREAMS)
    for stream, there in events.items():
        shown = {event["id"] for event in there if event["type"] not in ("edit", "retract")} - {gone}
        if not shown <= found[stream] or gone in found[stream]:
            raise TouchlineError("unavailable", f"Search does not find what there is of {stream}.")
    return found


async def _set(doors: Doors) -> list[str]:
    said = await doors.settings(_SET.channel)
    different = {name: said.get(name) for name, value in _SETTINGS.items() if said.get(name) != value}
    return [f"{_SET.channel} is set so: {different}"] if different else []


async def _forbids(doors: Doors) -> list[str]:
    said: Event = {"sender": "fan-1", "data": {"text": f"A {_BLOCKED}!"}}
    (result,) = await doors.post(_SET, [said], wait="accepted")
    return [f"a message with a blocked word was taken: {result}"] if result.get("code") != "moderated" else []


async def _repeats(doors: Doors, known: Known) -> list[str]:
    wrong = []
    for stream in STREAMS:
        (result,) = await doors.post(stream, posts(stream.kind, range(_EACH - 1, _EACH)), wait="accepted")
        first = known.events[str(stream)][_EACH - 1]["id"]
        if result.get("id") != first:
            wrong.append(f"{stream}: what was {first} is, posted again, {result}")
    return wrong


async def _answer(wanted: Callable[[], Awaitable[T]]) -> T:
    """What is answered once it can be. Raises what it failed with last."""
    ends = time.monotonic() + _WITHIN_S
    while True:
        try:
            return await wanted()
        except _AWAY:
            if time.monotonic() >= ends:
                raise
        await asyncio.sleep(_AGAIN_S)


async def _until_right(wrong: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """What is still wrong when the time is up."""
    ends = time.monotonic() + _WITHIN_S
    while True:
        try:
            found = await wrong()
        except _AWAY as error:
            found = [f"it cannot be asked: {error!r}"]
        if not found or time.monotonic() >= ends:
            return found
        await asyncio.sleep(_AGAIN_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if nothing is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, metavar="DIRECTORY", help="a checkout of the earlier version")
    given = parser.parse_args(arguments)
    embedded = load_settings().embedded
    servers_dir = Path(embedded.servers_dir or Path(embedded.data_dir) / "servers").absolute()

    def tell(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="touchline-upgrade-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)  # Elasticsearch runs as a user without rights, and must get in
        try:
            lost = asyncio.run(carry_out(ask(given.checkout), Path(name), servers_dir, tell))
        except _AWAY as error:
            sys.stderr.write(f"The upgrade could not be tried to its end: {error}\n")
            return 1
    if lost:
        sys.stderr.write(f"This version does not go on with all that was there: {'; '.join(lost)}.\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
