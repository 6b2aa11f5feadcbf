"""Refusals in the words of the viewer protocol."""

from typing import Final

from consumers.protocol import messages as m
from kernel.access.users import ROOM
from kernel.close_codes import RETRY
from kernel.errors import TouchlineError

#: Codes of other parts, and the nearest that viewers know.
_NEAREST: Final = {
    "not_delivered": "unavailable",
    "queue_full": "unavailable",
}


def not_a_reader(request_id: int | None, stream: str) -> m.Error:
    """The channel's settings, or its name, say who may read it: not this user.

    Of a room nobody is told that it is there, but for who was in it, whose subscription ends.
    """
    if request_id is not None and stream.rpartition(":")[2].startswith(ROOM):
        sentence = f"There is no stream {stream[:150]}."
        return m.error("not_found", sentence, request_id=request_id)
    sentence = f"{stream} is not for you to read."
    return m.error("forbidden", sentence, request_id=request_id, stream=None if request_id else stream)


def refusal(error: TouchlineError, request_id: int | None) -> m.Error:
    """An error as viewers are told it."""
    code = _NEAREST.get(error.code, error.code)
    sentence = str(error) if error.code == "rate_limited" else error.message  # its hint says when
    return m.error(code if code in RETRY else "unavailable", sentence, request_id=request_id)


def refusal_of_the_fold(error: TouchlineError, request_id: int | None) -> m.Error:
    """Why an event was not accepted, to who waited for that: its code is the one in touchline.rejected."""
    return m.Error(id=request_id, code=error.code, message=error.message, retry=RETRY.get(error.code, False))
