"""Consent: whether friends, or anybody, may see where a user is. Off until the user says otherwise. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from control.commands.signed import opened
from control.entity.fold import Change, Input
from kernel.access.signing import Signer
from kernel.access.users import check_user, name_in_channel
from kernel.errors import TouchlineError

SHARE: Final = "share"


class Sharing(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.sharing."""

    user: str
    on: bool = False
    public: bool = False
    #: When this was said (append time).
    since: int = 0
    #: Positions up to this time are nobody's any more: when the user last said that nobody sees them.
    forgotten: int = 0
    revision: int = 0
    places: dict[str, int] = {}

    @property
    def seen_by_all(self) -> bool:
        """Whether anybody may see them."""
        return self.on and self.public

    def shows(self, at_ms: int) -> bool:
        """Whether friends may see a position of this time (append time)."""
        return self.on and at_ms > self.forgotten


class _Command(msgspec.Struct, frozen=True):
    """What `share` says."""

    user: str
    on: bool
    public: bool = False


def sharing_key(user: str) -> str:
    """The key of a user's record, and of commands about it."""
    return name_in_channel(user)


StateOf = Callable[[bytes], Sharing | None]


def fold_sharing(signer: Signer) -> Callable[[Input, StateOf], Sequence[Change[Sharing]]]:
    """What `share` does."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[Sharing]]:
        key = given.key.decode("utf-8", "replace")
        try:
            said = msgspec.json.decode(opened(SHARE, key, given.value["arguments"], signer), type=_Command)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TouchlineError("bad_request", f"This says nobody's consent: {error}.") from None
        check_user(said.user)
        if sharing_key(said.user) != key:
            raise TouchlineError("bad_request", "The command is about another user than it says.")
        before = state(given.key) or Sharing(user=said.user)
        # Said again it counts again: positions that came in between are to be forgotten, too.
        forgotten = before.forgotten if said.on else given.append_ms
        now = replace(before, on=said.on, public=said.public, since=given.append_ms, forgotten=forgotten)
        same = said.on and (before.on, before.public) == (now.on, now.public)
        return [] if same else [Change(given.key, now)]

    return fold
