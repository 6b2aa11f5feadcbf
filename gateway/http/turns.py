"""Whose turn it is: what a request makes the loop do at length is done in its user's turns."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from aiohttp import web

from kernel.turns import Turns

TURNS: Final = web.AppKey("turns", Turns)
#: Whose a request is; `Access` says so.
_WHOSE: Final = "touchline.whose"


def note_whose(request: web.Request, user: str | None) -> None:
    """It is this user's request; None: the operator's."""
    request[_WHOSE] = user or ""


def turn(request: web.Request) -> AbstractAsyncContextManager[None]:
    """A turn of the request's user: for a piece of work that waits for nothing."""
    turns = request.app.get(TURNS)
    if turns is None:
        return nullcontext()
    whose: str | None = request.get(_WHOSE)
    return turns.turn(f"\0{request.remote}" if whose is None else whose)
