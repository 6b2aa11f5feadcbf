"""An index in several languages: each text has the endings of its own, and a query finds across them."""

from pathlib import Path

import pytest

from control.channels.channel import ChannelRecord, Settings, with_settings
from kernel.errors import TouchlineError
from search_indexer.query.highlight import highlight
from search_indexer.query.matching import matches, text_of
from search_indexer.query.parser import parse
from search_indexer.text.by_channel import ChannelFoldings, check_language
from search_indexer.text.folding import Folding
from search_indexer.text.languages import detector, languages_of
from tests.moderation.test_reports import posted
from tests.pipeline import running
from tests.rooms.people import http, ok, until
from tests.search_indexer.conftest import QUICK

SEVERAL = "english,spanish,german,french,portuguese"
FOLDING, ENGLISH = Folding(SEVERAL), Folding()
#: What is looked for, and what was said.
PAIRS = [
    ("goal", "what a match, two goals in the first half"),
    ("shooting", "should have been a pass, she never shoots from there"),
    ("jugador", "los jugadores no quieren salir del campo"),
    ("cantar", "toda la grada cantaba la misma canción"),
    ("entradas", "¿alguien tiene una entrada para el partido de hoy?"),
    ("equipo", "los dos equipos juegan muy mal esta noche"),
    ("Spieler", "die besten Spielern sind heute nicht dabei"),
    ("Tore", "das war das schönste Tor des ganzen Jahres"),
    ("Fehler", "der Schiedsrichter macht heute viele Fehlern"),
    ("gewinnen", "sie werden das Spiel am Ende noch gewinnt"),
    ("joueur", "les joueurs sont très fatigués ce soir"),
    ("gagner", "on gagnera ce match, j'en suis sûr"),
    ("arbitre", "les arbitres ne voient rien du tout"),
    ("jogador", "os jogadores estão cansados, não correm mais"),
    ("torcida", "as torcidas cantam o tempo todo no estádio"),
    ("ganhar", "eles ganharam o jogo no último minuto"),
]


def found(folding: Folding, form: str = "{}") -> int:
    return sum(matches(parse(form.format(q), folding), text_of(text, folding)) for q, text in PAIRS)


def test_more_is_found_than_in_one_language() -> None:
    """The figures of docs/search.md: with typos forgiven, and in quotation marks."""
    assert (found(ENGLISH), found(FOLDING), len(PAIRS)) == (12, 15, 16)
    assert (found(ENGLISH, '"{}"'), found(FOLDING, '"{}"')) == (9, 15)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("los jugadores no quieren salir del campo", "spanish"),
        ("was für ein Spiel, das ist nicht zu glauben", "german"),
        ("what a match, nobody can believe it", "english"),
        ("on ne peut pas y croire, quel match", "french"),
        ("", "english"),
    ],
)
def test_a_text_is_told_to_be_in_one_of_them(text: str, language: str) -> None:
    assert detector(languages_of(SEVERAL))(text) == language


def test_a_query_has_the_forms_of_every_language_and_highlights_those_of_the_text() -> None:
    query = parse("jugador -Fehler", FOLDING)
    assert highlight(query, PAIRS[2][1], FOLDING).startswith("los <mark>jugadores</mark> no")
    assert not matches(
        parse("Spieler -Fehler", FOLDING), text_of("die Spieler machen viele Fehlern", FOLDING)
    )
    (phrase,) = parse('"dos equipos"', FOLDING).clauses
    assert matches(parse('"dos equipo"', FOLDING), text_of(PAIRS[5][1], FOLDING)), phrase


def test_one_language_is_as_ever_and_what_cannot_be_told_apart_is_said() -> None:
    assert [len(clause.terms) for clause in parse("goals OR jugador 東京", ENGLISH).clauses] == [2, 1]
    assert languages_of(" english, english ,") == ("english",)
    with pytest.raises(TouchlineError, match="cannot be told apart"):
        Folding("english,porter")


def test_what_is_set_for_a_channel_holds_for_what_was_said_since() -> None:
    """Of a text that is told to be in another language; and looked at again it is read alike."""
    text, at = "Messi centros", 1_767_225_600_000
    record = with_settings(ChannelRecord(channel="liga"), Settings(language="spanish"), at)
    asked: list[str] = []

    def record_of(name: str) -> ChannelRecord:
        asked.append(name)
        return record if name == "liga" else ChannelRecord(channel=name)

    foldings = ChannelFoldings(SEVERAL, record_of)
    assert FOLDING.fields(text) != foldings.of("liga", at).fields(text)
    assert foldings.of("liga", at).fields(text) == Folding("spanish").fields(text)
    for name, when in (("liga", at - 1), ("final", at)):
        assert foldings.of(name, when) is foldings.any
    # A query finds it, as it is read for all, and what is found is marked.
    query, set_ = parse('"centro"', foldings.any), foldings.of("liga", at)
    assert matches(query, text_of(text, set_))
    assert highlight(query, text, set_) == "Messi <mark>centros</mark>"
    assert not matches(query, text_of(text, FOLDING))
    # One language needs no look.
    asked.clear()
    one = ChannelFoldings("english", record_of)
    assert (one.of("liga", at), asked) == (one.any, [])
    check_language(SEVERAL, "german")
    check_language(SEVERAL, None)
    for setting, name in ((SEVERAL, "polish"), ("english", "spanish"), ("english,korean", "korean")):
        with pytest.raises(TouchlineError) as found_:
            check_language(setting, name)
        assert found_.value.code == "bad_request"


@pytest.mark.servers
async def test_a_channel_with_a_language_is_indexed_and_found_in_it(
    kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    """Set over HTTP, said and corrected; a channel without one has each text looked at."""
    several = {**QUICK, "TOUCHLINE_ELASTICSEARCH_LANGUAGE": SEVERAL}
    with running(
        kafka_servers, elasticsearch_url, tmp_path, "stream", "index", "edge", "gateway", **several
    ) as up:

        async def marked(q: str) -> set[str]:
            answer = await ok(up, "GET", f"/v1/search?q=%22{q}%22&limit=100", None)
            return {hit["highlight"] for hit in answer["hits"]}

        async def says(channel: str) -> str:
            return await posted(up, "eve", channel, "Messi centros")

        await says("final")
        await ok(up, "PUT", "/v1/channels/liga", None, {"language": "spanish"})
        status, refusal = await http(up, "PUT", "/v1/channels/liga", None, {"language": "polish"})
        assert (status, refusal["code"]) == (400, "bad_request")
        ids: list[str] = []

        async def in_spanish() -> bool:
            """It counts for what is said a second later."""
            ids.append(await says("liga"))
            return bool(await marked("centro"))

        await until(in_spanish, 60)
        assert await marked("centro") == {"Messi <mark>centros</mark>"}
        assert await marked("marcar") == set()
        edit = {"type": "edit", "data": {"target": ids[-1], "text": "Messi marcaron"}}
        await ok(up, "POST", "/v1/streams/chat/liga/events?wait=accepted", "eve", edit)

        async def corrected() -> bool:
            return await marked("marcar") == {"Messi <mark>marcaron</mark>"}

        await until(corrected)
        # What was said elsewhere is told to be French, and has no such word.
        found = (await ok(up, "GET", "/v1/search?q=%22centro%22&limit=100", None))["hits"]
        assert {hit["event"]["stream"] for hit in found} <= {"chat:liga"}
