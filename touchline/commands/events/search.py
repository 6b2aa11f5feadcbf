"""`touchline search`: find events by what they say."""

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings, load_settings
from touchline import gateway_options
from touchline.queries import QueryCommand, complete_query
from touchline.terminal.printable import printable, printable_json
from touchline.terminal.results import show, with_context, write_table
from touchline.terminal.zones import zone_here

if TYPE_CHECKING:
    from search_indexer.searching.search import Searcher


_ANSWER_S: Final = 60.0


@click.command("search", cls=QueryCommand)
@click.argument("query", default="", shell_complete=complete_query)
@click.option("--kind", multiple=True, help="broadcast, chat or location; may be repeated.")
@click.option("--channel", multiple=True, help="Only in this channel; may be repeated.")
@click.option("--sender", multiple=True, help="Only from this sender; may be repeated.")
@click.option("--type", "type_", multiple=True, help="Only of this type; may be repeated.")
@click.option("--since", help="Not before this time: 10m, yesterday, 2026-06-11, 19:30, or RFC 3339.")
@click.option("--until", help="Not after this time.")
@click.option("--zone", help="Time zone of times that name none, like Europe/Paris; default: this machine's.")
@click.option("--near", help="Around a place: lat,lon.")
@click.option("--within", help="How far around it, like 5mi or 800m.")
@click.option("--sort", help="relevance, newest, oldest or meaning.")
@click.option("--limit", "-n", help="Hits to show: 1 to 100; with --csv or --ndjson any number.")
@click.option("--cursor", help="Go on where a page ended: the `next` that it gave.")
@click.option(
    "--context", "-C", type=click.IntRange(0, 50), help="Show so many events before and after each."
)
@click.option("--facets", is_flag=True, help="Count the hits by kind, channel, sender and time.")
@click.option("--facet", multiple=True, help="Count by kind, channel, sender, type or mark; may be repeated.")
@click.option("--size", help="Values that are counted of each: 1 to 1000.")
@click.option("--interval", help="How long each bar is, like 1m or 1h.")
@click.option("--by", help="Divide the bars by kind, channel, sender, type or mark.")
@click.option("--standout", is_flag=True, help="Words that these hits have more often than all else.")
@click.option("--compare", is_flag=True, help="Count the time before --since, too: as much of it.")
@click.option(
    "--csv", "as_csv", is_flag=True, help="All hits as CSV, the oldest first; goes on if it breaks off."
)
@click.option("--ndjson", "as_lines", is_flag=True, help="All hits, each a line of JSON, with its cursor.")
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
    as_csv: bool,
    as_lines: bool,
    context: int | None,
    type_: tuple[str, ...],
    url: str | None,
    token: str | None,
    user: str | None,
    **given: Any,
) -> None:
    """Find events by what they say: words, "phrases", prefix*, -not, one OR other; and from:ana -from:bot
    in:final kind:chat type:goal before:2026-06-11 after:10m on:yesterday has:link is:edited mentions:ana
    near:40.8,-74.0~5mi.

    \b
    Example: touchline search 'kick-off -friendly' --channel wc26-final
             touchline search 'goal from:ana after:2h has:link'
             touchline search '"half time" OR penalt*' --sort newest --json
             touchline search --kind location --near 40.81,-74.07 --within 5mi
             touchline search penalty --context 3
             touchline search --since yesterday --interval 1h --by sender --standout
             touchline search 'from:ana' --csv > ana.csv
    """
    parameters = [("q", query), *(("type", one) for one in type_)]
    given["zone"] = given["zone"] or zone_here()
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        parameters += [(name, "1" if one is True else one) for one in values if one not in {None, False}]
    if as_csv or as_lines:
        _export(parameters, gateway_options.gateway_of(url), token, user, as_csv=as_csv, raw=raw)
        return
    counts = any(given[name] for name in ("facets", "facet", "size", "interval", "by", "standout", "compare"))
    if not as_json and not counts:
        parameters.append(("facets", "1"))
    answer = _ask(parameters, url, _headers(token, user))
    around = _around(answer, context, gateway_options.gateway_of(url), token, user) if context else []
    if as_json:
        text = (with_context(answer, around) if context else answer).decode()
        click.echo(text if raw else printable_json(text))
        return
    show(answer, str if raw else printable, around, counts=counts)


def _export(
    parameters: list[tuple[str, str]],
    gateway: str,
    token: str | None,
    user: str | None,
    *,
    as_csv: bool,
    raw: bool,
) -> None:
    """All hits, as the gateway streams them."""
    from consumers.client.requests.search import Search

    search = Search(gateway, token=token, user=user)
    if as_csv:
        write_table(search.table("/v1/search", parameters), raw=raw)
        return
    for line in search.lines("/v1/search", parameters):
        click.echo(line.decode() if raw else printable_json(line.decode()))


def _around(
    answer: bytes, context: int, gateway: str, token: str | None, user: str | None
) -> list[list[dict[str, Any]]]:
    """Of each hit the events around it, as far as one may see them."""
    from consumers.client.requests.search import Search

    search = Search(gateway, token=token, user=user)

    async def all_of_them() -> list[list[dict[str, Any]]]:
        pages = []
        for hit in json.loads(answer)["hits"]:
            stream, seq = hit["event"]["stream"], hit["event"]["seq"]
            pages.append((await search.page(stream, around=seq, limit=2 * context + 1))["events"])
        return pages

    return asyncio.run(all_of_them())


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

    from history.sources.elasticsearch_client import elastic_client
    from kernel.clock import SystemClock

    async with elastic_client(settings) as client:
        asked = searcher(client, settings, SystemClock())
        try:
            return msgspec.json.encode(await asked.search(*asked.read(parameters)))
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
