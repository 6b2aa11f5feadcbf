"""`touchline poll`: polls begin, are voted on, looked at and closed."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import click

from touchline.commands.people.react import crowd
from touchline.gateway_options import options
from touchline.terminal.printable import printable


@click.group("poll")
def command() -> None:
    """Ask a crowd, and vote.

    \b
    Example: touchline poll ask chat:wc26-final "Who wins?" home draw away --closes-in 90s
             touchline poll vote chat:wc26-final 477000000000000000000001 0 --user ana
    """


@command.command("ask")
@click.argument("stream")
@click.argument("question")
@click.argument("answers", metavar="OPTION...", nargs=-1, required=True)
@click.option("--closes-in", help="After which time no vote counts any more: 90s, 5m, 2h.")
@options()
def ask(
    *, stream: str, question: str, answers: tuple[str, ...], closes_in: str | None, as_json: bool, **by: Any
) -> None:
    """Begin a poll: it is told to who watches the stream, and its id is printed.

    Example: touchline poll ask chat:wc26-final "Who wins?" home draw away --closes-in 90s
    """
    id_ = asyncio.run(crowd(**by).ask(stream, question, answers, closes_in=closes_in))
    click.echo(json.dumps({"poll": id_}) if as_json else id_)


@command.command("vote")
@click.argument("stream")
@click.argument("poll")
@click.argument("option", type=click.IntRange(0))
@options()
def vote(*, stream: str, poll: str, option: int, as_json: bool, **by: Any) -> None:
    """Vote, by the option's number from 0; or for another one than before.

    Example: touchline poll vote chat:wc26-final 477000000000000000000001 0 --user ana
    """
    asyncio.run(crowd(**by).vote(stream, poll, option))
    click.echo(json.dumps({"poll": poll, "option": option}) if as_json else f"Voted for {option}.")


@command.command("show")
@click.argument("stream")
@click.argument("poll")
@options()
def show(*, stream: str, poll: str, as_json: bool, **by: Any) -> None:
    """Show how a poll stands.

    Example: touchline poll show chat:wc26-final 477000000000000000000001
    """
    _print(asyncio.run(crowd(**by).poll(stream, poll)), as_json=as_json)


@command.command("close")
@click.argument("stream")
@click.argument("poll")
@options()
def close(*, stream: str, poll: str, as_json: bool, **by: Any) -> None:
    """Close a poll: its maker does, or who leads.

    Example: touchline poll close chat:wc26-final 477000000000000000000001
    """
    _print(asyncio.run(crowd(**by).close(stream, poll)), as_json=as_json)


def _print(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    until = f" until {found['closes_at']}" if found["closes_at"] and found["open"] else ""
    click.echo(f"{printable(found['question'])}  ({'open' + until if found['open'] else 'closed'})")
    for number, (option, count) in enumerate(zip(found["options"], found["counts"], strict=True)):
        mine = "  (you)" if number == found["mine"] else ""
        click.echo(f"{number}  {printable(option)}  {count:,}{mine}")
