"""What has ever broken a parser, or reached a corner of one, is replayed: it is taken, or refused well."""

import random
from pathlib import Path

import pytest

from kernel.errors import TouchlineError
from schemas.catalog import built_in
from tests.security import fuzz
from tests.security.parsers import TARGETS, is_sound

KEPT = [(name, file) for name in TARGETS for file in fuzz.corpus(name)]


@pytest.mark.parametrize(("name", "file"), KEPT, ids=str)
def test_what_is_kept_breaks_nothing(name: str, file: str) -> None:
    is_sound(TARGETS[name], fuzz.corpus(name)[file])


@pytest.mark.parametrize("name", TARGETS)
def test_each_parser_has_inputs_that_it_takes_so_that_the_fuzzer_gets_past_its_first_check(
    name: str,
) -> None:
    good = [data for file, data in fuzz.corpus(name).items() if file.startswith("good")]
    taken = [is_sound(TARGETS[name], data) for data in good]
    assert taken
    assert all(taken)


def test_every_schema_has_its_records_in_the_corpus() -> None:
    read = {name.removeprefix("record-") for name in TARGETS if name.startswith("record-")} - {"alert"}
    posted = {name for name in TARGETS if name.startswith("ingest-")}
    assert read | posted == {version.name for version in built_in().schemas}


def test_every_folder_of_the_corpus_is_somebodys() -> None:
    assert {path.name for path in fuzz.CORPUS.iterdir()} == set(TARGETS)


@pytest.fixture
def own_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fuzz, "CORPUS", tmp_path)
    return tmp_path


def test_the_fuzzer_finds_what_breaks_a_parser_makes_it_short_and_keeps_it(
    own_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weak(data: bytes) -> None:
        if data.startswith(b"ab") and b"{" in data:
            raise KeyError(data)
        if data.startswith(b"a"):
            raise TouchlineError("bad_request", "a sentence")

    monkeypatch.setitem(TARGETS, "weak", weak)
    (own_corpus / "weak").mkdir()
    (own_corpus / "weak" / "good-1").write_bytes(b"abcdefgh")
    lines = list(fuzz.fuzz("weak", 1.0, random.Random(1)))
    (found,) = (path for path in (own_corpus / "weak").iterdir() if path.name.startswith("found"))
    assert found.read_bytes() == b"ab{"
    assert "KeyError" in lines[0]
    assert lines[-1].endswith("1 broke it")
