"""Commands that only doors and workers give: what is said, with a MAC by the secret that roles have. Pure.

touchline.changes takes records from anybody who reaches Kafka. What says who is whose friend, or agrees to
be seen, counts only with the MAC: whoever cannot ask at a door cannot say it either.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kernel.access.signing import HEADER, Signer
from kernel.errors import TouchlineError

#: What the MAC is for: it fits no event, and no command of another key or name.
_KIND: Final = "changes"


class Sealed(msgspec.Struct, frozen=True):
    """A command's arguments."""

    said: str
    mac: str = ""


def seal(command: str, key: str, said: Mapping[str, Any], signer: Signer) -> dict[str, str]:
    """Arguments that say this. Raises `bad_setting` where nothing can be signed."""
    text = msgspec.json.encode(said)
    headers = signer.headers(_KIND, _about(command, key), text)
    mac = headers[0][1] if headers else None
    if not isinstance(mac, bytes):
        raise TouchlineError(
            "bad_setting",
            "Nothing of this kind is accepted: there is no secret by which roles sign.",
            hint="Set TOUCHLINE_AUTH_INTERNAL_SECRET, the same for all roles; `touchline up` makes one.",
        )
    return {"said": text.decode(), "mac": mac.hex()}


def read_sealed(arguments: str | bytes | Mapping[str, Any]) -> Sealed:
    """The shape of it. Raises `bad_request`."""
    try:
        if isinstance(arguments, Mapping):
            return msgspec.convert(arguments, Sealed)
        return msgspec.json.decode(arguments, type=Sealed)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TouchlineError("bad_request", f"The command's arguments are wrong: {error}.") from None


def opened(command: str, key: str, arguments: str | bytes, signer: Signer) -> bytes:
    """What is said. Raises `forbidden` for what no role has said."""
    sealed = read_sealed(arguments)
    said = sealed.said.encode("utf-8", "replace")
    try:
        mac = bytes.fromhex(sealed.mac)
    except ValueError:
        mac = b""
    if not signer.signed(_KIND, _about(command, key), said, [(HEADER, mac)]):
        raise TouchlineError("forbidden", f"Only Touchline's own doors say {command}.")
    return said


def _about(command: str, key: str) -> str:
    return f"{command} {key}"
