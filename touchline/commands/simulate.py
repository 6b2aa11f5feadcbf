"""`touchline simulate`: a believable match, with a chat that reacts to it and fans who move."""

import asyncio
import json
from itertools import takewhile

import click


@click.command("simulate")
@click.argument("channel", default="demo")
@click.option(
    "--rate", type=click.FloatRange(0), default=3.0, show_default=True, help="Chat messages a second."
)
@click.option(
    "--viewers", type=click.IntRange(1), default=30, show_default=True, help="Fans who chat and move."
)
@click.option("--speed", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
              help="1 is true pace; 30 plays 90 minutes in three.")  # fmt: skip
@click.option("--seed", type=int, default=2026, show_default=True, help="The same seed plays the same match.")
@click.option("--for", "seconds", type=click.FloatRange(0), help="Stop after so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *, channel: str, rate: float, viewers: int, speed: float, seed: int, seconds: float | None, as_json: bool
) -> None:
    """Play a match: broadcasts with score, cards and clock, a chat, and locations.

    \b
    Example: touchline simulate
             touchline simulate wc26-final --rate 50 --viewers 500 --speed 60 --seed 7
    """
    from kernel.clock import SystemClock
    from kernel.errors import TouchlineError
    from kernel.settings import load_settings
    from producers.pacing import Played, play
    from producers.producer import Producer
    from producers.simulation import match
    from schemas.checks import check_channel

    check_channel(channel)
    beats = match(channel, seed=seed, speed=speed, chat_per_s=rate, fans=viewers)
    chosen = beats if seconds is None else takewhile(lambda beat: beat.at_s <= seconds, beats)

    async def run() -> Played:
        async with Producer(load_settings()) as producer:
            await producer.connected()
            if not as_json:
                click.echo(f"Playing on broadcast:{channel} and chat:{channel} (Ctrl-C ends it) …", err=True)
            return await play(producer, chosen, SystemClock())

    played = asyncio.run(run())
    if played.failed:
        raise TouchlineError(
            "not_delivered", f"{played.failed} events were not delivered: {played.first_failure}"
        )
    if as_json:
        click.echo(json.dumps({"channel": channel, "delivered": played.delivered}))
    else:
        click.echo(f"{played.delivered} events delivered")
