"""What of a file a request asks for: one range (RFC 9110, 14), and nothing that costs more. Pure."""

import re
from typing import Final, NamedTuple

from kernel.errors import TouchlineError

_ONE: Final = re.compile(r"bytes=([0-9]{0,16})-([0-9]{0,16})").fullmatch
_CONTENT: Final = re.compile(r"bytes ([0-9]{1,16})-([0-9]{1,16})/([0-9]{1,16})").fullmatch


class Range(NamedTuple):
    """Bytes from `start` on, so many."""

    start: int
    length: int


def asked(header: str | None, size: int) -> Range | None:
    """What `Range` asks for; None: all of it, also where it asks for several parts, or in another unit.

    Raises ValueError where none of what it asks for is there.
    """
    found = _ONE(header.strip()) if header is not None else None
    if found is None:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        length = min(int(last), size)
        if not length:
            raise ValueError
        return Range(size - length, length)
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    if start >= size:
        raise ValueError
    return Range(start, min(end, size - 1) - start + 1)


def sent(header: str | None, size: int) -> Range:
    """What of the file a body is, as `Content-Range` says. Raises `bad_request`."""
    if header is None:
        return Range(0, size)
    found = _CONTENT(header.strip())
    if found is None:
        raise TouchlineError("bad_request", "Content-Range is like this: bytes 1048576-4194303/4194304.")
    first, last, of = map(int, found.groups())
    if of != size or not first <= last < size:
        raise TouchlineError(
            "bad_request", f"Content-Range is not a part of the {size} bytes that were announced."
        )
    return Range(first, last - first + 1)
