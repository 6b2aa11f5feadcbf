"""`touchline alert`: saved queries whose matches arrive on a stream of their own."""

import json
from typing import Any

import click

from kernel.access.users import check_user
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings
from touchline.queries import QueryCommand
from touchline.terminal.printable import printable, printable_json


def _checked(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    return None if name is None else check_user(name)


_user = click.option("--user", callback=_checked, help="Whose alert it is: yours; without it an operator's.")


@click.group("alert")
def command() -> None:
    """Save a query: each new event that matches arrives on broadcast:alert-ID.

    Example: touchline alert set own-goals 'goal -friendly' --kind chat
    """


@command.command("set", cls=QueryCommand)
@click.argument("alert_id", metavar="ID")
@click.argument("query", default="")
@click.option("--kind", multiple=True, help="broadcast, chat or location; may be repeated.")
@click.option("--channel", multiple=True, help="Only in this channel; may be repeated.")
@click.option("--sender", multiple=True, help="Only from this sender; may be repeated.")
@click.option("--type", "type_", multiple=True, help="Only of this type; may be repeated.")
@click.option("--near", help="Around a place: lat,lon.")
@click.option("--within", help="How far around it, like 5mi or 800m.")
@click.option("--stream", "streams", multiple=True, help="Only streams like chat:wc26-*; may be repeated.")
@click.option("--reader", "readers", multiple=True, help="Who else may read its stream; may be repeated.")
@_user
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def set_(
    *,
    alert_id: str,
    query: str,
    as_json: bool,
    type_: tuple[str, ...],
    streams: tuple[str, ...],
    readers: tuple[str, ...],
    user: str | None,
    **given: Any,
) -> None:
    """Save a query under an id, or change it. Who may read its stream: whoever saved it, and its readers.

    \b
    Example: touchline alert set near-wembley --kind location --near 51.556,-0.2796 --within 1km
             touchline alert set own-goals 'own goal' --user ana --reader ben --reader cleo
    """
    from search_indexer.alerts import alert_stream, check_new, check_owner, read_alert, read_alerts, save
    from search_indexer.searching.scope import EVERYTHING
    from search_indexer.text.folding import Folding

    parameters = [("q", query), *(("type", one) for one in type_)]
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        parameters += [(name, one) for one in values if one is not None]
    settings, clock = load_settings(), SystemClock()
    alert = read_alert(
        *(alert_id, parameters),
        streams=streams or EVERYTHING,
        readers=readers,
        owner=user,
        now_ms=clock.now_ms(),
    )
    check_new(alert, Folding(settings.elasticsearch.language))  # a query that cannot be read is said now
    if user is not None and (there := read_alerts(settings, clock).alerts.get(alert_id)) is not None:
        check_owner(there.alert, user)
    save(settings, clock, alert, alert_id, actor=user)
    stream = alert_stream(alert_id)
    click.echo(
        json.dumps({"id": alert_id, "stream": stream}) if as_json else f"Its matches arrive on {stream}."
    )


@command.command("list")
@_user
@click.option("--raw", is_flag=True, help="Print control characters of queries as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, user: str | None, raw: bool, as_json: bool) -> None:
    """Show the saved queries: with --user those of this user, and the operators'.

    Example: touchline alert list --json
    """
    from search_indexer.alerts import alert_stream, read_alerts, shown

    for alert_id, one in sorted(read_alerts(load_settings(), SystemClock()).alerts.items()):
        if user is not None and one.alert.owner not in (None, user):
            continue
        if as_json:
            text = json.dumps(shown(one.alert), ensure_ascii=False)
            click.echo(text if raw else printable_json(text))
        else:
            q = one.alert.search.q
            click.echo(f"{alert_id:30} {alert_stream(alert_id):50} {q if raw else printable(q)}")


@command.command("remove")
@click.argument("alert_id", metavar="ID")
@_user
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def remove(*, alert_id: str, user: str | None, as_json: bool) -> None:
    """Forget a saved query.

    Example: touchline alert remove own-goals
    """
    from search_indexer.alerts import check_id, check_owner, read_alerts, save

    check_id(alert_id)
    settings, clock = load_settings(), SystemClock()
    there = read_alerts(settings, clock).alerts.get(alert_id)
    if there is None:
        raise TouchlineError(
            "not_found",
            f"There is no alert {alert_id}.",
            hint="`touchline alert list` shows which there are.",
        )
    check_owner(there.alert, user)
    save(settings, clock, None, alert_id, actor=user)
    click.echo(json.dumps({"id": alert_id, "removed": True}) if as_json else f"{alert_id} is removed.")
