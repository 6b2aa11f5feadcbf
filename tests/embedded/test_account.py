"""As root, what Elasticsearch's user must reach is put where it can; else nothing is moved."""

import os
from pathlib import Path

import pytest

from embedded.backends import account
from embedded.backends.account import Account
from tests.servers import data_directory

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")


@pytest.fixture
def nobody() -> Account:
    found = account.unprivileged()
    assert found is not None
    return found


def test_who_is_not_root_has_nothing_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert account.unprivileged() is None


def test_without_another_user_nothing_is_moved(tmp_path: Path) -> None:
    assert account.readable_copy(tmp_path, None, probe="x") == tmp_path
    assert account.own_directory(tmp_path / "data", None) == tmp_path / "data"
    assert (tmp_path / "data").is_dir()


@as_root
def test_what_can_be_read_is_used_where_it_is(nobody: Account) -> None:
    with data_directory() as public:
        (public / "tree").mkdir()
        (public / "tree" / "file").write_text("x")
        (public / "tree" / "file").chmod(0o644)
        (public / "tree").chmod(0o755)
        assert account.readable_copy(public / "tree", nobody, probe="file") == public / "tree"


@as_root
def test_what_cannot_be_read_is_copied_once_to_where_it_can(tmp_path: Path, nobody: Account) -> None:
    tree = tmp_path / "private" / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "java").write_text("#!/bin/sh")
    (tree / "bin" / "java").chmod(0o700)
    (tree / "secret").write_text("x")
    (tree / "secret").chmod(0o600)
    tmp_path.chmod(0o700)
    with data_directory() as public:
        copy = account.readable_copy(tree, nobody, probe="bin/java", public_root=public)
        assert copy != tree
        assert account.can(nobody, "x", copy / "bin" / "java")
        assert account.can(nobody, "r", copy / "secret")
        assert not account.can(nobody, "w", copy / "secret")
        assert account.readable_copy(tree, nobody, probe="bin/java", public_root=public) == copy
        assert len(list(copy.parent.iterdir())) == 1
        assert (tree / "secret").stat().st_mode & 0o777 == 0o600, "the original stays as it was"


@as_root
def test_data_below_a_private_directory_are_moved_and_linked(tmp_path: Path, nobody: Account) -> None:
    wanted = tmp_path / "data" / "elasticsearch"
    tmp_path.chmod(0o700)
    with data_directory() as public:
        used = account.own_directory(wanted, nobody, public_root=public)
        assert used != wanted
        assert wanted.resolve() == used
        assert account.can(nobody, "w", used)
        (used / "index").write_text("kept")
        assert account.own_directory(wanted, nobody, public_root=public) == used
        assert (wanted / "index").read_text() == "kept"
        # The user throws the data directory away and starts anew: the old data must not come back.
        wanted.unlink()
        used = account.own_directory(wanted, nobody, public_root=public)
        assert list(used.iterdir()) == []


@as_root
def test_data_in_a_public_place_stay_and_change_their_owner(nobody: Account) -> None:
    with data_directory() as public:
        (public / "elasticsearch").mkdir()
        (public / "elasticsearch" / "index").write_text("kept")
        used = account.own_directory(public / "elasticsearch", nobody)
        assert used == public / "elasticsearch"
        assert (used / "index").stat().st_uid == nobody.uid
        assert used.stat().st_mode & 0o777 == 0o700
