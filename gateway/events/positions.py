"""Results of events that Kafka holds, with their `seq` and `id`.

A million events come in one body, and each of them costs what is written here: so what is the same for many
is worked out once, and large numbers are not written down anew for each of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from control.numbering import Numbering, Position
from kernel.log.positions import ID_BITS, Stream
from producers.sending.batch import Run

_LOW: Final = (1 << ID_BITS) - 1
_STEP: Final = 10_000
_DIGITS: Final = [f"{number:04d}" for number in range(_STEP)]


def line(position: Position, stream: Stream, key: bytes) -> bytes:
    """The result of one event, whose record has this key."""
    return f'{_head(stream, key)}{position.seq},"id":"{position.id}"}}'.encode()


def _head(stream: Stream, key: bytes) -> str:
    """What results begin with; they name the lane where the channel is spread."""
    channel = key.decode()
    lane = "" if channel == stream.channel else f'"stream":"{stream.kind}:{channel}",'
    return f'{{"ok":true,{lane}"seq":'


def lines(numbering: Numbering, stream: Stream, runs: Iterable[Run], count: int) -> bytes | dict[int, bytes]:
    """The results of so many events: all of them, where it is known where each lies; else by number, without
    those of which it is not known."""
    texts: list[tuple[Sequence[int], str]] = []
    for numbers, key, partition, append_ms, offsets in runs:
        heads = numbering.heads(stream.kind, key.decode(), partition, append_ms, offsets)
        if heads is not None:
            texts.append((numbers, _text(_head(stream, key), *heads, offsets)))
    places = [number for numbers, _ in texts for number in numbers]
    if places == list(range(count)):
        return "".join([text for _, text in texts]).encode()
    split = [line for _, text in texts for line in text.encode().splitlines()]
    return dict(zip(places, split, strict=True))


def without(told: bytes | Mapping[int, bytes], places: Sequence[int]) -> bytes | Mapping[int, bytes]:
    """The same without what would be said of where these are: they keep the lane."""
    if not places or not told:
        return told
    lines_of = dict(enumerate(told.splitlines())) if isinstance(told, bytes) else dict(told)
    for number in places:
        if (text := lines_of.pop(number, None)) is not None and b'"stream":' in text:
            lines_of[number] = text.partition(b',"seq":')[0] + b"}"
    return lines_of


def _text(head: str, seq: int, id_: int, offsets: Sequence[int]) -> str:
    """Results of offsets that rise, nearly always one by one."""
    if offsets[-1] - offsets[0] != len(offsets) - 1:
        return "".join([f'{head}{seq | o},"id":"{id_ | o & _LOW}"}}\n' for o in offsets])
    found: list[str] = []
    at, end = offsets[0], offsets[-1] + 1
    while at < end:
        # As far as only the last digits of both change.
        (high, first), (id_high, id_first) = divmod(seq | at, _STEP), divmod(id_ | at & _LOW, _STEP)
        count = min(end - at, _STEP - first, _STEP - id_first, _LOW + 1 - (at & _LOW))
        before, middle = f"{head}{high}", f',"id":"{id_high}'
        ends = zip(_DIGITS[first : first + count], _DIGITS[id_first : id_first + count], strict=True)
        found += [f'{before}{digits}{middle}{id_digits}"}}\n' for digits, id_digits in ends]
        at += count
    return "".join(found)
