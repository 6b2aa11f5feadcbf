"""Whom Elasticsearch runs as: it refuses root, so root starts it as a user without rights."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where root puts what the other user must reach, if that lies where they may not go (below /root, mostly).
PUBLIC_ROOT: Final = Path("/var/lib/touchline")

_NOBODY_UID: Final = 65534


@dataclass(frozen=True)
class Account:
    """A user and group to run as."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """The account to give up root for; None where this process is not root's and has nothing to give up."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:  # a container image without a user database: the kernel does not need a name
        return Account(_NOBODY_UID, _NOBODY_UID)
    return Account(nobody.pw_uid, nobody.pw_gid)


def can(account: Account, permission: str, path: Path) -> bool:
    """Whether this account may `r`ead, `w`rite or e`x`ecute (enter) the path.

    Asked of the system by trying it as that user: modes, ACLs and mount options are all in the answer.
    """
    asked = subprocess.run(
        ["/bin/sh", "-c", f'test -{permission} "$1"', "sh", path],
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        check=False,
    )
    return asked.returncode == 0


def readable_copy(
    tree: Path, account: Account | None, *, probe: str, public_root: Path = PUBLIC_ROOT
) -> Path:
    """The tree itself if the account can read `probe` in it, else a copy in a place where it can."""
    if account is None or can(account, "r", tree / probe):
        return tree
    copy = public_root / "copies" / _place_name(tree, tree.stat().st_mtime_ns)
    if copy.is_dir():
        return copy
    _make_public(copy.parent)
    unfinished = copy.with_name(f"{copy.name}.{os.getpid()}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(tree, unfinished, symlinks=True)
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
    try:
        unfinished.rename(copy)
    except OSError:  # another `up` was quicker: its copy is as good
        shutil.rmtree(unfinished, ignore_errors=True)
    return copy


def own_directory(directory: Path, account: Account | None, *, public_root: Path = PUBLIC_ROOT) -> Path:
    """Make `directory` one that the account owns and can enter, and give the path to use.

    Where the account cannot get there, the directory becomes a link to one in a public place.
    """
    directory.resolve().mkdir(parents=True, exist_ok=True)
    if account is None:
        return directory
    directory = directory.resolve()
    if not can(account, "x", directory.parent):
        moved = public_root / "data" / _place_name(directory, 0)
        _make_public(moved.parent)
        # If there is one, the directory that linked to it has been deleted: so is what it held.
        shutil.rmtree(moved, ignore_errors=True)
        shutil.move(directory, moved)
        directory.symlink_to(moved)
        directory = moved
    _give(directory, account)
    return directory


def _give(directory: Path, account: Account) -> None:
    if directory.stat().st_uid == account.uid:
        return
    directory.chmod(0o700)
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _make_public(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for part in (directory, directory.parent):
        part.chmod(0o755)


def _place_name(path: Path, stamp: int) -> str:
    digest = hashlib.sha256(f"{path}\0{stamp}".encode()).hexdigest()
    return f"{path.name}-{digest[:12]}"
