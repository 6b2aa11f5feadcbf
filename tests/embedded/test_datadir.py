"""A data directory belongs to one pipeline, of a version that knows it."""

import os
from pathlib import Path

import pytest

from bench.peers.installing import HOME, ROOT
from embedded.datadir import DataDirectory
from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings


def test_a_new_one_is_made_with_a_version(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "new" / "data")
    directory.prepare()
    directory.prepare()
    assert (directory.path / "version").read_text() == "1\n"
    assert directory.logs.is_dir()


def test_one_with_only_the_servers_in_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / "servers").mkdir()
    DataDirectory(tmp_path).prepare()


def test_measuring_before_the_first_start_leaves_it_free_for_that() -> None:
    """`make bench` installed what it compares with in the data directory, which `up` then refused."""
    assert not HOME.is_relative_to((ROOT / load_settings({}).embedded.data_dir).absolute())


def test_another_programs_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(TouchlineError, match=r"holds other things .*thesis\.tex"):
        DataDirectory(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("text", "said"), [("2", "newer Touchline"), ("", "no version"), ("x", "'x'")])
def test_a_version_that_is_not_ours_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "version").write_text(text)
    with pytest.raises(TouchlineError, match=said) as refused:
        DataDirectory(tmp_path).prepare()
    assert refused.value.code == "bad_data_dir"


def test_one_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TouchlineError, match=r"cannot be used: .*--data-dir"):
        DataDirectory(tmp_path / "file" / "data").prepare()


def test_only_one_has_the_lock_and_who_is_known(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.prepare()
    assert not directory.is_locked()
    assert directory.holder() is None
    with directory.locked() as ours:
        assert ours
        assert directory.is_locked()
        assert directory.holder() == os.getpid()
        with DataDirectory(tmp_path).locked() as also_ours:
            assert not also_ours
    assert not directory.is_locked()
    with directory.locked() as again:
        assert again
