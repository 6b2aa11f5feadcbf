"""Which message an edit or a retraction is about, by its number: the door that has looked it up says so.

It goes in a header beside the record, with a MAC: a worker asks no index, and believes no other.
"""

import hmac
from typing import Final

from kernel.access.signing import HEADER as SIGNED
from kernel.access.signing import Signer
from kernel.log.records import Headers

HEADER: Final = "touchline-about"
_KIND: Final = "about"


def about_header(signer: Signer, channel: str, target: str, n: int | None) -> Headers:
    """Says that the event of this id is the message number `n`; nothing where it has none."""
    if not n:
        return []
    signed = signer.headers(_KIND, channel, b"%b:%d" % (target.encode(), n))
    mac = next((value for name, value in signed or () if name == SIGNED), None)
    return [(HEADER, b"%d:%b" % (n, mac.hex().encode()))] if isinstance(mac, bytes) else []


def about_of(headers: Headers | None, signer: Signer, channel: str, target: str) -> int:
    """The number that a door has told; 0: none has."""
    given = next((value for name, value in headers or () if name == HEADER), None)
    if not isinstance(given, bytes):
        return 0
    number, _, mac = given.partition(b":")
    if not (number.isdigit() and len(number) <= 16):
        return 0
    right = about_header(signer, channel, target, int(number))
    told = right[0][1] if right else None
    return int(number) if isinstance(told, bytes) and hmac.compare_digest(given, told) and mac else 0
