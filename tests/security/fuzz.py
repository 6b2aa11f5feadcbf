"""Looks for inputs that break a parser: mutates the corpus, and goes on from whatever reaches new lines.

    python -m tests.security.fuzz [--minutes 1] [--seed N] [TARGET…]

What breaks a parser is made shorter and kept in tests/security/corpus as `found-…`; what reaches lines that
nothing in the corpus reaches, as `reaches-…`. Both are replayed in every test run from then on. Exit code 1
if anything broke.
"""

# ruff: noqa: T201 - a program that says what it finds

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tests.security.parsers import TARGETS, Target, is_sound

ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = Path(__file__).with_name("corpus")
_OURS: Final = tuple(
    f"{ROOT}/{part}/" for part in ("kernel", "schemas", "consumers", "gateway", "search_indexer", "producers")
)
_LONGEST: Final = 4096
_KEPT_BYTES: Final = 400
_KEPT_FILES: Final = 60
_PIECES: Final = (
    *(
        b"\x00",
        b"\xff",
        b"\x80",
        b"{",
        b"}",
        b"[",
        b'"',
        b"\\",
        b"\n",
        b"-",
        b".",
        b"=",
        b"&",
        b"%00",
        b"\r\n",
    ),
    *(b"null", b"true", b"1e999", b"-1", b"NaN", b"9007199254740993", b"0x1", b"\\ud800"),
    *(
        "é\u0301".encode(),
        "\u202e".encode(),
        "😀".encode(),
        b"9" * 4400,
        b"[" * 300,
        b'{"a":' * 100,
        b"chat:a",
        b"location:b",
        b"OR",
    ),
)
Lines = set[tuple[str, int]]


def corpus(name: str) -> dict[str, bytes]:
    """The inputs of a target that are kept, by file name."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).glob("*"))}


def traced(target: Target, data: bytes) -> Lines:
    """The lines of ours that were run. Raises what the target raises, but for refusals."""
    seen: Lines = set()

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def entered(frame: FrameType, _event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(_OURS) else None

    sys.settrace(entered)
    try:
        is_sound(target, data)
    finally:
        sys.settrace(None)
    return seen


def mutated(chance: random.Random, pool: list[bytes]) -> bytes:
    """One of the pool, changed in a few places."""
    data = bytearray(chance.choice(pool))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0:
                data[at:at] = chance.choice(_PIECES)
            case 1 if data:
                data[at % len(data)] = chance.randrange(256)
            case 2 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 3:
                del data[at : at + chance.randrange(1, 9)]
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 33)]
            case 5:
                other = chance.choice(pool)
                start = chance.randrange(len(other) + 1)
                data[at:] = other[start:]
            case _:
                data[at : at + 4] = chance.choice(_PIECES)
    return bytes(data[:_LONGEST])


def breaks(target: Target, data: bytes) -> BaseException | None:
    """What these bytes break, if anything."""
    try:
        is_sound(target, data)
    except Exception as error:
        return error
    return None


def shorter(data: bytes, still: Callable[[bytes], bool]) -> bytes:
    """Fewer bytes for which it still holds: pieces are left out, large ones first."""
    size = max(1, len(data) // 2)
    while size:
        at = 0
        while at < len(data):
            tried = data[:at] + data[at + size :]
            if still(tried):
                data = tried
            else:
                at += size
        size //= 2
    return data


def keep(name: str, kind: str, data: bytes) -> Path:
    path = CORPUS / name / f"{kind}-{hashlib.sha256(data).hexdigest()[:10]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fuzz(name: str, seconds: float, chance: random.Random) -> Iterator[str]:
    """Look at one target for so long; gives a line for each finding, and one at the end."""
    target, kept = TARGETS[name], corpus(name)
    pool, seen, tried, broken, reached = [*kept.values(), b""], set[tuple[str, int]](), 0, set[str](), 0
    for data in pool:
        seen |= traced(target, data)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data, tried = mutated(chance, pool), tried + 1
        try:
            fresh = traced(target, data) - seen
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind, where = type(error), f"{type(error).__name__} at {place.name}:{place.lineno}"
            if where not in broken:
                broken.add(where)
                least = shorter(data, lambda some: isinstance(breaks(target, some), kind))  # noqa: B023
                yield f"{name}: {where}: {error!s:.100}; kept as {keep(name, 'found', least).name}"
            continue
        if fresh:
            seen |= fresh
            pool.append(data)
            if len(data) <= _KEPT_BYTES and len(kept) + reached < _KEPT_FILES:
                reached += 1
                keep(name, "reaches", data)
    yield f"{name}: {tried:,} inputs, {len(seen)} lines, {reached} new ones kept, {len(broken)} broke it"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if none")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    names = given.targets or list(TARGETS)
    print(f"seed {given.seed}")
    found = False
    for name in names:
        for line in fuzz(name, given.minutes * 60 / len(names), random.Random(given.seed)):
            print(line, flush=True)
            found |= "; kept as found-" in line
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
