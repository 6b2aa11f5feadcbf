"""`touchline simulate`: a believable match, with a chat that reacts to it, fans who move, and viewers."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import click

from kernel.errors import TouchlineError
from kernel.log.positions import Kind

if TYPE_CHECKING:
    from kernel.settings.reading import Settings
    from producers.producer import Producer
    from producers.simulation.match import Beat
    from touchline.simulating.spectators import Spectators

_FEW: Final = 3
_AT_ONCE: Final = 20
#: One process has so many sockets without being slow itself; the load generators in bench/ have more.
_MOST: Final = 1000
#: How long viewers have to see the end.
_END_S: Final = 10.0


@click.command("simulate")
@click.argument("channel", default="demo")
@click.option(
    "--rate", type=click.FloatRange(0), default=3.0, show_default=True, help="Chat messages a second."
)
@click.option("--fans", type=click.IntRange(1), default=30, show_default=True, help="Who chat and move.")
@click.option(
    "--viewers", type=click.IntRange(0, _MOST), help="Sockets that watch it on an edge.  [default: a few]"
)
@click.option("--followers", type=click.IntRange(0, _MOST), default=0, help="Users who follow the channel.")
@click.option(
    "--claps", type=click.FloatRange(0), default=3.0, show_default=True,
    help="Claps, reactions and votes a second, of who watches.",
)  # fmt: skip
@click.option("--speed", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
              help="1 is true pace; 30 plays 90 minutes in three.")  # fmt: skip
@click.option("--seed", type=int, default=2026, show_default=True, help="The same seed plays the same match.")
@click.option("--for", "seconds", type=click.FloatRange(0), help="Stop after so many seconds.")
@click.option("--walkers", type=click.IntRange(2), help="People who walk about a city instead of a match.")
@click.option("--friends", type=click.IntRange(0), default=8, show_default=True, help="Of each walker.")
@click.option("--every", "every_s", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True,
              help="Seconds between two positions of a walker.")  # fmt: skip
@click.option("--rooms", type=click.IntRange(1), help="Rooms in which the fans talk instead of a match.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *, as_json: bool, walkers: int | None, friends: int, every_s: float, rooms: int | None, **given: Any
) -> None:
    """Play a match: broadcasts with score, cards and clock, a chat, and locations; and watch it.

    With --walkers, people walk about a city instead, as friends who see each other. With --rooms, the fans
    talk in so many rooms, most of two, some of many: they answer, correct, take back, come and go.

    \b
    Example: touchline simulate
             touchline simulate --walkers 100 --every 5
             touchline simulate --followers 50
             touchline simulate --rooms 50 --fans 80 --rate 10
             touchline simulate wc26-final --rate 50 --fans 500 --viewers 200 --speed 60 --seed 7
    """
    if walkers is not None:
        from touchline.simulating.walkers import walk

        how = {"seed": given["seed"], "seconds": given["seconds"]}
        done = asyncio.run(walk(number=walkers, friends=friends, every_s=every_s, **how))
        click.echo(json.dumps(done) if as_json else f"{done['delivered']} positions delivered")
        return
    if rooms is not None:
        from touchline.simulating.roommates import converse

        how = {name: given[name] for name in ("rate", "viewers", "seed", "seconds")}
        done = asyncio.run(converse(number=rooms, talkers=max(2, given["fans"]), **how))
        click.echo(
            json.dumps(done)
            if as_json
            else f"{done['delivered']} done in {done['rooms']} rooms,"
            f" {done['seen']} events seen by members who were there"
        )
        return
    summary = asyncio.run(_play(**given, quiet=as_json))
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(f"{summary['delivered']} events delivered")
    if summary.get("claps"):
        click.echo(f"{summary['claps']} claps and {summary['votes']} votes counted")
    if summary["viewers"]:
        click.echo(f"{summary['seen']} seen by {summary['viewers']} viewers, {summary['missed']} missed")


async def _play(
    *,
    channel: str,
    rate: float,
    fans: int,
    viewers: int | None,
    followers: int,
    claps: float,
    speed: float,
    seed: int,
    seconds: float | None,
    quiet: bool,
) -> dict[str, Any]:
    from kernel.clock import SystemClock
    from kernel.settings.reading import load_settings
    from producers.pacing import play
    from producers.producer import Producer
    from producers.simulation.match import match
    from schemas.checks import check_channel
    from touchline.addresses import edge_url, gateway_url
    from touchline.simulating.supporters import Supporters

    check_channel(channel)
    settings, watched = load_settings(), 0
    beats = match(channel, seed=seed, speed=speed, chat_per_s=rate, fans=fans)

    def counted() -> "Iterator[Beat]":
        nonlocal watched
        for beat in beats if seconds is None else takewhile(lambda beat: beat.at_s <= seconds, beats):
            watched += beat.post.kind is not Kind.LOCATION
            yield beat

    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(Producer(settings))
        await producer.connected()
        spectators = await _seated(stack, edge_url(settings), channel, viewers)
        await _go_live(producer, settings, channel, followers)
        supporters: Supporters | None = None
        if spectators is not None and claps > 0:
            cheering = Supporters(edge_url(settings), gateway_url(settings), channel, per_s=claps, seed=seed)
            supporters = await stack.enter_async_context(cheering)
        if not quiet:
            click.echo(f"Playing on broadcast:{channel} and chat:{channel} (Ctrl-C ends it) …", err=True)
        played = await play(producer, counted(), SystemClock())
        if played.failed:
            raise TouchlineError(
                "not_delivered", f"{played.failed} events were not delivered: {played.first_failure}"
            )
        summary = {"channel": channel, "delivered": played.delivered, "viewers": 0}
        if spectators is not None:
            missed = await spectators.wait(watched, _END_S)
            if supporters is not None:
                summary |= {"claps": supporters.claps, "votes": supporters.votes}
            summary |= {"viewers": len(spectators.seen), "seen": sum(spectators.seen), "missed": missed}
        return summary


async def _go_live(producer: "Producer", settings: "Settings", channel: str, followers: int) -> None:
    """These follow the channel, which tells them that it is live."""
    from consumers.client.requests.feeds import Feeds
    from producers.posts import Broadcast
    from touchline.addresses import gateway_url

    if not followers:
        return
    gateway = gateway_url(settings)
    for start in range(0, followers, _AT_ONCE):
        users = range(start, min(start + _AT_ONCE, followers))
        await asyncio.gather(*(Feeds(gateway, user=f"follower{n}").follow(channel) for n in users))
    await producer.send(Broadcast(channel, "live_started", {"text": "The match is on."}))


async def _seated(stack: AsyncExitStack, url: str, channel: str, count: int | None) -> "Spectators | None":
    """The viewers, on their places; without being asked for them there need not be an edge."""
    from touchline.simulating.spectators import Spectators

    if count == 0:
        return None
    streams = (f"broadcast:{channel}", f"chat:{channel}")
    try:
        return await stack.enter_async_context(Spectators(url, streams, _FEW if count is None else count))
    except TouchlineError as error:
        if count is not None:
            raise
        click.echo(f"touchline: {error.message} Nobody watches.", err=True)
        return None
