"""Pins in the fold: of a user's the door has said that they moderate the channel. Pure.

A door of a version that knows no pins lets anybody post one, as an event of a type that means nothing to it.
"""

from collections.abc import Mapping
from typing import Any

from kernel.errors import TouchlineError
from kernel.log.records import Headers
from schemas.checks import PINS
from streams.fold.checks.guards import of_office


def check_pin(event: Mapping[str, Any], headers: Headers | None, *, by_a_user: bool) -> None:
    """Raise `forbidden` where an event pins something, and the door does not say that its user moderates."""
    if by_a_user and event["type"] in PINS and not of_office(headers):
        raise TouchlineError("forbidden", "Only who moderates the channel may pin its messages.")
