"""`touchline search`: find events by what they say."""

import asyncio
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings, load_settings
from touchline.bars import histogram
from touchline.printable import printable, printable_json
from touchline.queries import QueryCommand

if TYPE_CHECKING:
    from search_indexer.searching.search import Searcher


_ANSWER_S: Final = 60.0


@click.command("search", cls=QueryCommand)
@click.argument("query", default="")
@click.option("--kind", multiple=True, help="broadcast, chat or location; may be repeated.")
@click.option("--channel", multiple=True, help="Only in this channel; may be repeated.")
@click.option("--sender", multiple=True, help="Only from this sender; may be repeated.")
@click.option("--type", "type_", multiple=True, help="Only of this type; may be repeated.")
@click.option("--since", help="Not before this time, like 2026-06-11T19:00:00Z.")
@click.option("--until", help="Not after this time.")
@click.option("--near", help="Around a place: lat,lon.")
@click.option("--within", help="How far around it, like 5mi or 800m.")
@click.option("--sort", help="relevance, newest or oldest.")
@click.option("--limit", "-n", help="Hits to show: 1 to 100.")
@click.option("--cursor", help="Go on where a page ended: the `next` that it gave.")
@click.option("--url", help="Address of a gateway; default: the one of the settings.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN.")
@click.option("--user", help="Who you are, where there are no keys.")
@click.option("--raw", is_flag=True, help="Print control characters of texts and senders as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(
    *,
    query: str,
    raw: bool,
    as_json: bool,
    type_: tuple[str, ...],
    url: str | None,
    token: str | None,
    user: str | None,
    **given: Any,
) -> None:
    """Find events by what they say: words, "phrases", prefix*, -not, one OR other.

    \b
    Example: touchline search 'kick-off -friendly' --channel wc26-final
             touchline search '"half time" OR penalt*' --sort newest --json
             touchline search --kind location --near 40.81,-74.07 --within 5mi
    """
    parameters = [("q", query), *(("type", one) for one in type_)]
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        parameters += [(name, one) for one in values if one is not None]
    if not as_json:
        parameters.append(("facets", "1"))
    answer = _ask(parameters, url, _headers(token, user))
    if as_json:
        text = answer.decode()
        click.echo(text if raw else printable_json(text))
        return
    _show(answer, str if raw else printable)


def _headers(token: str | None, user: str | None) -> dict[str, str]:
    """Who asks."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return headers if user is None else {**headers, "Touchline-User": quote(user, safe="")}


def _ask(parameters: list[tuple[str, str]], url: str | None, headers: dict[str, str]) -> bytes:
    """From the gateway, which knows who may see what; from Elasticsearch where no gateway runs."""
    settings = load_settings()
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.gateway.host, settings.gateway.host)
    address = (url or f"http://{host}:{settings.gateway.port}").rstrip("/")
    answer = _ask_gateway(f"{address}/v1/search", parameters, headers)
    if answer is not None:
        return answer
    away = TouchlineError(
        "unavailable", f"No gateway answers at {address}.", hint="Start it with `touchline gateway`."
    )
    if url or headers:  # whoever names one, or says who they are, means the gateway
        raise away
    try:
        from search_indexer.searching.search import Searcher
    except ModuleNotFoundError:  # who has installed clients only has no other way
        raise away from None
    return asyncio.run(_ask_elasticsearch(Searcher, settings, parameters, address))


def _ask_gateway(address: str, parameters: list[tuple[str, str]], headers: dict[str, str]) -> bytes | None:
    """What it says; None where nobody answers."""
    from http.client import HTTPException, InvalidURL
    from urllib.error import HTTPError
    from urllib.parse import urlencode
    from urllib.request import ProxyHandler, Request, build_opener

    from kernel.errors import CODES

    wrong = TouchlineError("bad_request", f"{address} is not an address.")
    if not address.startswith(("http://", "https://")):
        raise wrong
    try:
        request = Request(f"{address}?{urlencode(parameters)}", headers=headers)  # noqa: S310
        with build_opener(ProxyHandler({})).open(request, timeout=_ANSWER_S) as response:
            body: bytes = response.read()
            return body
    except HTTPError as refusal:
        problem = _problem(refusal.read())
        shown = "Authorization" in headers
        hint = "" if shown else "Give --token, or set TOUCHLINE_TOKEN: `touchline token` makes one."
        raise TouchlineError(
            problem["code"] if problem.get("code") in CODES else "bad_request",
            problem.get("detail") or problem.get("title") or "Refused.",
            hint=hint if refusal.code == HTTPStatus.UNAUTHORIZED else "",
        ) from None
    except (InvalidURL, ValueError):
        raise wrong from None
    except (OSError, HTTPException):
        return None


async def _ask_elasticsearch(
    searcher: "type[Searcher]", settings: Settings, parameters: list[tuple[str, str]], gateway: str
) -> bytes:
    import msgspec

    from history.elastic import elastic_client
    from kernel.clock import SystemClock
    from search_indexer.searching.request import read_search

    search, page = read_search(parameters)
    async with elastic_client(settings) as client:
        try:
            return msgspec.json.encode(await searcher(client, settings, SystemClock()).search(search, page))
        except TouchlineError as error:
            if error.code != "unavailable":
                raise
            raise TouchlineError(
                "unavailable",
                f"No gateway answers at {gateway}, and Elasticsearch does not at"
                f" {settings.elasticsearch.url}.",
                hint="Start them with `touchline up`, or set TOUCHLINE_GATEWAY_HOST and …_PORT.",
            ) from error


def _problem(body: bytes) -> dict[str, Any]:
    """What a gateway says is wrong; something else may have answered in its place."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _show(answer: bytes, fit: Callable[[str], str]) -> None:
    import html

    import msgspec

    found = msgspec.json.decode(answer)
    for hit in found["hits"]:
        event = hit["event"]
        plain = html.unescape(re.sub(r"</?mark>", "\0", hit["highlight"])).split("\0")
        parts = [fit(part) for part in plain]
        text = "".join(click.style(part, bold=True) if i % 2 else part for i, part in enumerate(parts))
        who = f" {fit(event['sender'])}" if event.get("sender") else ""
        if not text:
            text = fit(msgspec.json.encode(event["data"]).decode())
        click.echo(f"{click.style(event['server_ts'], dim=True)}  {fit(event['stream'])}{who}: {text}")
    facets = found.get("facets")
    if facets and len(facets["histogram"]) > 1:
        bars, each = histogram([bar["count"] for bar in facets["histogram"]], facets["bar_ms"])
        click.echo(f"\n{bars}")
        first, last = facets["histogram"][0]["start"], facets["histogram"][-1]["start"]
        click.echo(f"{first} … {last}, a bar is {each}", err=True)
    more = f"; --cursor {found['next']} goes on" if found["next"] else ""
    click.echo(f"{found['total']} found in {found['took_ms']} ms{more}", err=True)
