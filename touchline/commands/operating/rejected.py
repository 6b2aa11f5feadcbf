"""`touchline rejected`: what was refused, why, and posting it again."""

import base64
import json
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from kernel.errors import TouchlineError
from touchline.terminal.printable import printable, printable_json

_SHOWN: Final = 24


@click.command("rejected")
@click.option("--channel", help="Only this channel's.")
@click.option("--reason", help="Only those refused for this reason, like `undecodable`.")
@click.option(
    "--last", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest ones."
)
@click.option("--show", "place", metavar="TOPIC/PARTITION/OFFSET", help="Show one in full, with its bytes.")
@click.option("--retry", is_flag=True, help="Put them back where they came from, unchanged; each once.")
@click.option("--raw", is_flag=True, help="Print control characters and bytes as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    channel: str | None,
    reason: str | None,
    last: int,
    place: str | None,
    retry: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """List what was refused; show one in full; or post it again, after its cause is gone.

    \b
    Example: touchline rejected --reason moderated --last 5
             touchline rejected --show touchline.ingest.chat/3/1042
             touchline rejected --channel wc26-final --retry
    """
    from kernel.settings.reading import load_settings
    from producers.rejections import place_of, post_again, read_refusals

    settings = load_settings()
    found = [
        said
        for said in read_refusals(settings)
        if (channel is None or _text(said["record_key"]) == channel)
        and (reason is None or said["reason"] == reason)
        and (place is None or place_of(said) == place)
    ]
    chosen = found[-last:]
    if place is not None and not chosen:
        raise TouchlineError("not_found", f"Nothing from {place} was refused (or it is not kept any more).")
    before = sum(said["retried_at"] is not None for said in chosen)
    done = post_again(settings, chosen) if retry else 0
    fit: Callable[[str], str] = str if raw else printable
    for said in chosen:
        if as_json:
            text = json.dumps(_as_json(said), ensure_ascii=False)
            click.echo(text if raw else printable_json(text))
        elif place is not None:
            _show(said, fit, raw=raw)
        else:
            click.echo(_line(said, fit))
    if retry and not as_json:
        click.echo(f"{done} put back" + (f"; {before} had been before" if before else ""))
    elif not chosen and not as_json:
        click.echo("Nothing was refused." if not found else "Nothing that matches.", err=True)


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "backslashreplace")


def _line(said: dict[str, Any], fit: Callable[[str], str]) -> str:
    from kernel.clock import to_rfc3339
    from producers.rejections import place_of

    channel, sender = (fit(one)[:_SHOWN] for one in (_text(said["record_key"]), said["sender"] or "-"))
    again = " (put back)" if said["retried_at"] is not None else ""
    when, reason = to_rfc3339(said["append_ts"]), fit(said["reason"])
    return f"{when}  {place_of(said):36} {reason:16} {channel:24} {sender:16} {fit(said['message'])}{again}"


def _as_json(said: dict[str, Any]) -> dict[str, Any]:
    from kernel.clock import to_rfc3339

    shown = {name: value for name, value in said.items() if value is not None and name != "lies_in"}
    if said["retried_at"] is not None:
        shown["retried_at"] = to_rfc3339(said["retried_at"])
    return {
        **shown,
        "append_ts": to_rfc3339(said["append_ts"]),
        "record_key": _text(said["record_key"]),
        "value": base64.b64encode(said["value"]).decode(),
    }


def _show(said: dict[str, Any], fit: Callable[[str], str], *, raw: bool) -> None:
    from kernel.clock import to_rfc3339
    from producers.rejections import place_of

    for name in ("reason", "message", "sender", "key"):
        if said[name]:
            click.echo(f"{name:10} {fit(said[name])}")
    click.echo(f"{'channel':10} {fit(_text(said['record_key']))}")
    click.echo(f"{'place':10} {place_of(said)}")
    click.echo(f"{'posted':10} {to_rfc3339(said['append_ts'])}")
    if said["retried_at"] is not None:
        click.echo(f"{'put back':10} {to_rfc3339(said['retried_at'])}")
    click.echo(f"{'bytes':10} {len(said['value'])}")
    if not raw:
        click.echo(fit(_text(said["value"])))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(said["value"] + b"\n")
