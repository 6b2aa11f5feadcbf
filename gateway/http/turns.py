"""Whose turn it is: what a request makes the loop do at length is done in its user's turns."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from aiohttp import web

from kernel.fairness.fair import WHOSE
from kernel.fairness.turns import Turns

TURNS: Final = web.AppKey("turns", Turns)


def turn(request: web.Request) -> AbstractAsyncContextManager[None]:
    """A turn of the request's user: for a piece of work that waits for nothing."""
    turns = request.app.get(TURNS)
    return nullcontext() if turns is None else turns.turn(WHOSE.get())
