"""An index in several languages: each text has the endings of its own, and a query finds across them."""

import pytest

from kernel.errors import TouchlineError
from search_indexer.query.highlight import highlight
from search_indexer.query.matching import matches, text_of
from search_indexer.query.parser import parse
from search_indexer.text.folding import Folding
from search_indexer.text.languages import detector, languages_of

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
