"""`touchline simulate --walkers`: people who walk about a city, with friends who see them."""

import asyncio
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

import click

from consumers.client.requests.nearby import Nearby
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings
from producers.pacing import play
from producers.producer import Producer
from producers.simulation.match import Beat
from producers.simulation.walking import friendships, walks
from touchline.addresses import gateway_url

_AT_ONCE: Final = 20


async def walk(
    *, number: int, friends: int, every_s: float, seed: int, seconds: float | None
) -> dict[str, Any]:
    """Make them friends who agree to be seen, then let them walk."""
    settings = load_settings()
    gateway = gateway_url(settings)
    pairs = friendships(number, friends, seed)
    click.echo(f"Making {len(pairs)} friendships of {number} walkers …", err=True)
    await _befriend(Nearby(gateway), pairs)
    await _share(gateway, number)
    click.echo("Walking (Ctrl-C ends it): touchline nearby 51.556,-0.2796 --user walker0", err=True)

    def beats() -> Iterator[Beat]:
        all_ = walks(number, every_s=every_s, seed=seed)
        return all_ if seconds is None else takewhile(lambda beat: beat.at_s <= seconds, all_)

    async with Producer(settings) as producer:
        await producer.connected()
        played = await play(producer, beats(), SystemClock())
    if played.failed:
        raise TouchlineError(
            "not_delivered", f"{played.failed} positions were not delivered: {played.first_failure}"
        )
    return {"walkers": number, "friendships": len(pairs), "delivered": played.delivered}


async def _befriend(operator: Nearby, pairs: list[tuple[str, str]]) -> None:
    for start in range(0, len(pairs), _AT_ONCE):
        await asyncio.gather(*(operator.join(a, b) for a, b in pairs[start : start + _AT_ONCE]))


async def _share(gateway: str, number: int) -> None:

    for start in range(0, number, _AT_ONCE):
        walkers = range(start, min(start + _AT_ONCE, number))
        await asyncio.gather(*(Nearby(gateway, user=f"walker{n}").share(public=n % 10 == 0) for n in walkers))
