"""Who asks to be told what the fold made of a record: a header that goes with it. Pure.

It says which partition of touchline.answers the asker reads, a name that the asker made up, and the asker's
number of the question. The worker writes its answer there, under that name. A record that was put back from a
wrong partition keeps it.
"""

import re
from typing import Final, NamedTuple

from kernel.log.records import Headers

HEADER: Final = "touchline-answer"
_ASKER: Final = re.compile(rb"([0-9]{1,5}):([A-Za-z0-9_-]{1,32}):([0-9]{1,15})")


class Asker(NamedTuple):
    """Who asks, and which of their questions it is."""

    partition: int
    name: bytes
    number: int

    @property
    def header(self) -> Headers:
        """As a record carries it."""
        return [(HEADER, b"%d:%b:%d" % self)]


def asker_of(headers: Headers | None) -> Asker | None:
    """Who asks to be told about this record. Whatever else the header holds is nobody."""
    for name, value in headers or ():
        if name == HEADER and isinstance(value, bytes) and (found := _ASKER.fullmatch(value)):
            return Asker(int(found[1]), found[2], int(found[3]))
    return None
