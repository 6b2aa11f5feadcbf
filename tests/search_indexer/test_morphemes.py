"""Korean and Japanese: what is found of real sentences by pairs of characters, and by words besides."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.indexing.mappings import made_with
from search_indexer.query.highlight import highlight
from search_indexer.query.matching import matches, text_of
from search_indexer.query.parser import BadQuery, parse
from search_indexer.searching.request import Page, Search
from search_indexer.searching.search import Searcher
from search_indexer.text.folding import Folding
from tests.accepted import chat, write
from tests.pipeline import running

QUICK = {"TOUCHLINE_INDEXER_REFRESH_MS": "100"}
PAIRS, WORDS = Folding(), Folding("english,korean,japanese")
FOLDER = Path(__file__).parent / "languages"
#: What is asked, as a dictionary has it, and the judgement: every form of it that stands in the sentences,
#: and nothing else (each match of these was read).
KOREAN = {
    "먹다": "(?<![까엿서])먹",
    "마시다": "마(시|셔|셨|실)",
    "헤어지다": "헤어",
    "힘들다": "힘(들|든|드|듭)",
    "만나다": "만(나|났|난|날)",
    "잊다": "잊(?!혀)",
    "놀다": "놀(러|까|아|고)|노는",
    "기다리다": "기다",
    "아프다": "아(프|파|픈|플)",
    "사귀다": "사(귀|겼|귄|귈)",
    "어렵다": "어(렵|려워)",
    "무섭다": "무(섭|서워)",
    "귀엽다": "귀(엽|여)",
    "싫다": "싫(?!어[하해])",
    "춥다": "춥|추워|추운",
    "예쁘다": "예쁘|예뻐|이쁘",
    "보내다": "보(내|냈)",
    "고치다": "고(치|쳐)",
    "남자친구": "남자 ?친구",
}
JAPANESE = {
    "食べる": "食べ(?!物|過)",
    "行く": "(?<!成り)行[かきくけこっ]",
    "会う": "(?<!出)会[わいうえおっ]",
    "読む": "読[まみむめもん]",
    "買う": "買(?!い物|い手|い置)[わいうえおっ]",
    "忘れる": "(?<!置き)忘れ",
    "書く": "書[かきくけこい](?!留)",
    "泳ぐ": "泳[がぎぐげごい]",
    "飲む": "飲[まみむめもん]",
    "高い": "高[いくかけ]",
    "楽しい": "楽し(?![みんむも])",
    "難しい": "難し|むずかし",
    "面白い": "面白|おもしろ",
    "帰る": "帰[らりるれろっ]",
    "待つ": "待[たちつてとっ]",
    "歩く": "歩[かきくけこい]",
    "手伝う": "手伝[わいうえおっ]",
    "泣く": "泣[かきくけこい]",
    "終わる": "(?<!食べ)(終わ|おわ)",
    "出掛ける": "出かけ",
    "急ぐ": "急(い|ご)",
    "子供": "子供",
    "煙草": "煙草|タバコ|たばこ",
    "友達": "友達",
}
#: One word, spelt as people spell it, and what somebody said.
SPELT = [
    ("페널티킥", "패널티킥을 또 놓치네"),
    ("패널티킥", "페널티킥 찬스였는데 아깝다"),
    ("페널티킥", "패널티 킥 선언됐다"),
    ("메시지", "메세지 보냈는데 안 읽음"),
    ("콘텐츠", "컨텐츠가 부족하다"),
    ("골키퍼", "골키퍼가 미쳤다 다 막아"),
    ("슈팅", "슈팅이 골대를 맞았어"),
    ("오프사이드", "이게 왜 오프사이드임"),
    ("바비큐", "바베큐 먹으면서 보는 중"),
    ("シミュレーション", "今のはシュミレーションでしょ"),
    ("バイオリン", "ヴァイオリンの音がする"),
    ("打ち込む", "シュートを打込んだ"),
    ("引っ越し", "監督が引越したらしい"),
    ("コンピューター", "コンピュータの判定だって"),
]


class Quality(NamedTuple):
    recall: float
    precision: float


def sentences(language: str) -> list[str]:
    return (FOLDER / f"{language}.txt").read_text("utf-8").splitlines()


def quality(folding: Folding, texts: list[str], judged: Mapping[str, str]) -> Quality:
    """Means over the queries."""
    made = [(text, text_of(text, folding)) for text in texts]
    recalls, precisions = [], []
    for q, judgement in judged.items():
        query = parse(q, folding)
        found = {text for text, ready in made if matches(query, ready)}
        wanted = {text for text in texts if re.search(judgement, text)}
        recalls.append(len(found & wanted) / len(wanted))
        precisions.append(len(found & wanted) / len(found) if found else 1.0)
    return Quality(round(sum(recalls) / len(judged), 2), round(sum(precisions) / len(judged), 2))


@pytest.mark.parametrize(
    ("language", "judged", "by_pairs", "by_words"),
    [
        ("korean", KOREAN, Quality(0.13, 1.0), Quality(0.98, 0.99)),
        ("japanese", JAPANESE, Quality(0.24, 1.0), Quality(0.99, 0.96)),
    ],
)
def test_words_are_found_in_their_forms(
    language: str, judged: Mapping[str, str], by_pairs: Quality, by_words: Quality
) -> None:
    """The figures of docs/search.md."""
    texts = sentences(language)
    assert (quality(PAIRS, texts, judged), quality(WORDS, texts, judged)) == (by_pairs, by_words)


def test_words_are_found_however_they_are_spelt() -> None:
    def found(folding: Folding) -> int:
        return sum(matches(parse(q, folding), text_of(text, folding)) for q, text in SPELT)

    assert (found(PAIRS), found(WORDS), len(SPELT)) == (3, 13, 14)


@pytest.mark.parametrize(
    ("q", "text", "finds"),
    [
        ("킥", "패널티킥을 놓쳤다", True),
        ('"골을 넣다"', "손흥민이 골을 넣었다", True),
        ('"넣다 골"', "손흥민이 골을 넣었다", False),
        ("막다 -넣다", "골키퍼가 막았다", True),
        ("막다 -막았다", "골키퍼가 막았다", False),
        ("무섭다", "어깨가 무거워", False),
        ("VAR판독", "VAR판독 끝에 취소", True),
        ("VAR판독", "판독 끝에 취소", False),
        ("食べる", "東京で食べられなかった", True),
        ("東京", "東京都で観戦中", True),
        ("|", "뭐|라고", None),
    ],
)
def test_queries_of_words(q: str, text: str, finds: bool | None) -> None:
    if finds is None:
        with pytest.raises(BadQuery):
            parse(q, WORDS)
    else:
        assert matches(parse(q, WORDS), text_of(text, WORDS)) is finds


def test_what_pairs_find_is_found_as_before() -> None:
    """Readings stand behind what was there: no answer gets smaller, and highlights are in order."""
    for q in ("친구가", "보고싶", "食べ", "아파", "お会い"):
        for text in (*sentences("korean")[::10], *sentences("japanese")[::10]):
            if matches(parse(q, PAIRS), text_of(text, PAIRS)):
                assert matches(parse(q, WORDS), text_of(text, WORDS)), (q, text)
    assert highlight(parse("넣다 손흥민", WORDS), "손흥민이 골을 넣었다", WORDS) == (
        "<mark>손흥민</mark>이 골을 <mark>넣</mark>었다"
    )
    assert highlight(parse("페널티킥", WORDS), "또 패널티킥이야 <b>", WORDS) == (
        "또 <mark>패널티킥</mark>이야 &lt;b&gt;"
    )


def test_texts_without_these_scripts_are_as_ever() -> None:
    for text in ("Two goals in the first half!", "помощи 🔥 café", ""):
        assert WORDS.fields(text) == PAIRS.fields(text)
    assert WORDS.fields("골 goals")[0].split()[0] == "골"


def test_the_index_says_which_analysers_made_its_words() -> None:
    settings = Settings()
    assert "analysers" not in made_with(settings)
    asian = replace(settings, elasticsearch=replace(settings.elasticsearch, language="korean,japanese"))
    names = [one.partition(" ")[0] for one in made_with(asian)["analysers"]]
    assert names == ["kiwipiepy", "kiwipiepy_model", "sudachipy", "sudachidict_small"]


@pytest.mark.servers
async def test_elasticsearch_finds_what_matching_finds(
    kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    """With the packages of both extras, through indexer and searcher; and across languages told apart."""
    languages = "english,spanish,korean,japanese"
    folding, asked = Folding(languages), [*SPELT, ("jugador", "los jugadores no quieren salir del campo")]
    asian = {**QUICK, "TOUCHLINE_ELASTICSEARCH_LANGUAGE": languages}
    with running(kafka_servers, elasticsearch_url, tmp_path, "index", **asian) as started:
        said = [chat("asia", at, text) for at, (_, text) in enumerate(asked, 1)]
        write(started.settings, Kind.CHAT, said)
        async with elastic_client(started.settings) as client:
            searcher = Searcher(client, started.settings, SystemClock())
            async with asyncio.timeout(180):
                while True:
                    if (await searcher.search(Search(channels=("asia",)), Page())).total == len(asked):
                        break
                    await asyncio.sleep(0.05)
            for q, _ in asked:
                found = await searcher.search(Search(q=q, channels=("asia",)), Page(limit=100))
                texts = {msgspec.json.decode(hit.event)["data"]["text"] for hit in found.hits}
                query = parse(q, folding)
                assert texts == {text for _, text in asked if matches(query, text_of(text, folding))}, q
                assert q == "引っ越し" or texts, q
            marks = await searcher.watermarks()
            assert marks.made_with == marks.as_set
