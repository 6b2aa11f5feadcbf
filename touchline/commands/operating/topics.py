"""`touchline topics`: create the Kafka topics, or show them."""

import json

import click

from kernel.log.kafka import apply_topics
from kernel.log.topics import topics
from kernel.settings.reading import load_settings


@click.group("topics")
def command() -> None:
    """Create or show the Kafka topics.

    Example: touchline topics apply
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(*, as_json: bool) -> None:
    """Make the brokers' topics what Touchline needs; run again after an upgrade.

    Example: touchline topics apply
    """
    settings = load_settings()
    done = apply_topics(settings, topics(settings))
    if as_json:
        click.echo(json.dumps(done))
        return
    for name, what in done.items():
        click.echo(f"{what:8}  {name}")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, as_json: bool) -> None:
    """Show the topics that Touchline uses, with their settings.

    Example: touchline topics show --json
    """
    wanted = topics(load_settings())
    if as_json:
        click.echo(json.dumps([{**t._asdict(), "config": dict(t.config)} for t in wanted]))
        return
    for topic in wanted:
        config = " ".join(f"{k}={v}" for k, v in sorted(topic.config.items()))
        click.echo(f"{topic.name:28} {topic.partitions:4} partitions  key: {topic.key:22} {config}")
