"""`touchline rejected`: what was refused, why, and posting it again."""

import base64
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from kernel.errors import TouchlineError

if TYPE_CHECKING:
    from kernel.settings import Settings

_SHOWN: Final = 60


@click.command("rejected")
@click.option("--channel", help="Only this channel's.")
@click.option("--reason", help="Only those refused for this reason, like `undecodable`.")
@click.option(
    "--last", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest ones."
)
@click.option("--show", "place", metavar="TOPIC/PARTITION/OFFSET", help="Show one in full, with its bytes.")
@click.option("--retry", is_flag=True, help="Put them back where they came from, unchanged.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *, channel: str | None, reason: str | None, last: int, place: str | None, retry: bool, as_json: bool
) -> None:
    """List what was refused; show one in full; or post it again, after its cause is gone.

    \b
    Example: touchline rejected --reason moderated --last 5
             touchline rejected --show touchline.ingest.chat/3/1042
             touchline rejected --channel wc26-final --retry
    """
    from kernel.settings import load_settings

    settings = load_settings()
    found = [
        said
        for said in _read(settings)
        if (channel is None or _text(said["record_key"]) == channel)
        and (reason is None or said["reason"] == reason)
        and (place is None or _place(said) == place)
    ]
    chosen = found[-last:]
    if place is not None and not chosen:
        raise TouchlineError("not_found", f"Nothing from {place} was refused (or it is not kept any more).")
    if retry:
        _retry(settings, chosen)
    for said in chosen:
        if as_json:
            click.echo(json.dumps(_as_json(said)))
        elif place is not None:
            _show(said)
        else:
            click.echo(
                f"{_place(said):36} {said['reason']:16} {_text(said['record_key'])[:24]:24} {said['message']}"
            )
    if retry and not as_json:
        click.echo(f"{len(chosen)} put back")
    elif not chosen and not as_json:
        click.echo("Nothing was refused." if not found else "Nothing that matches.", err=True)


def _read(settings: "Settings") -> Iterator[dict[str, Any]]:
    """All rejections that are kept, oldest first within each partition."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    from kernel.kafka import client_config, unreachable
    from kernel.topics import topic_names
    from schemas.codec import Codec, Undecodable

    topic, codec = topic_names(settings).rejected, Codec("rejection")
    consumer = Consumer(
        client_config(
            settings, group_id="touchline-rejected", enable_partition_eof=True, enable_auto_commit=False
        )
    )
    try:
        try:
            partitions = list(consumer.list_topics(topic, timeout=5).topics[topic].partitions)
        except KafkaException as error:
            raise unreachable(settings) from error
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        ended, found = 0, []
        while ended < len(partitions):
            for message in consumer.consume(1000, timeout=0.3):
                if message.error():
                    ended += 1
                    continue
                try:
                    found.append(codec.decode(message.value() or b""))
                except Undecodable as error:
                    click.echo(f"touchline: {topic} holds something else: {error}", err=True)
    finally:
        consumer.close()
    yield from sorted(
        found, key=lambda said: (said["append_ts"], said["topic"], said["partition"], said["offset"])
    )


def _retry(settings: "Settings", chosen: list[dict[str, Any]]) -> None:
    from confluent_kafka import Producer

    from producers.delivery import failed
    from producers.outbox import properties

    producer, errors = Producer(properties(settings)), []

    def reported(error: Any, _: Any) -> None:
        if error is not None:
            errors.append(error)

    for said in chosen:
        producer.produce(said["topic"], said["value"], said["record_key"], on_delivery=reported)
    if left := producer.flush(60):
        raise TouchlineError("not_delivered", f"Kafka did not confirm {left} of {len(chosen)} in time.")
    if errors:
        raise failed(errors[0])


def _place(said: dict[str, Any]) -> str:
    return f"{said['topic']}/{said['partition']}/{said['offset']}"


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "backslashreplace")


def _as_json(said: dict[str, Any]) -> dict[str, Any]:
    from kernel.clock import to_rfc3339

    shown = {name: value for name, value in said.items() if value is not None}
    return {
        **shown,
        "append_ts": to_rfc3339(said["append_ts"]),
        "record_key": _text(said["record_key"]),
        "value": base64.b64encode(said["value"]).decode(),
    }


def _show(said: dict[str, Any]) -> None:
    from kernel.clock import to_rfc3339

    for name in ("reason", "message", "sender", "key"):
        if said[name]:
            click.echo(f"{name:10} {said[name]}")
    click.echo(f"{'channel':10} {_text(said['record_key'])}")
    click.echo(f"{'place':10} {_place(said)}")
    click.echo(f"{'posted':10} {to_rfc3339(said['append_ts'])}")
    click.echo(f"{'bytes':10} {len(said['value'])}")
    sys.stdout.flush()
    sys.stdout.buffer.write(said["value"] + b"\n")
