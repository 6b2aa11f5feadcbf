"""Webhooks: where events are posted to, of which streams or users, in whose name. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.commands.signed import opened
from control.entity.fold import Change, Input
from kernel.access.signing import Signer
from kernel.access.tokens import MAX_PATTERN, matches
from kernel.access.users import check_user
from kernel.errors import TouchlineError
from kernel.log.positions import Kind

SET_WEBHOOK: Final = "set_webhook"
REMOVE_WEBHOOK: Final = "remove_webhook"
#: The receiver wants nothing any more: who posts says so.
END_WEBHOOK: Final = "end_webhook"
#: An operator wants what has failed to be tried again.
RETRY_WEBHOOK: Final = "retry_webhook"
MAX_ID: Final = 100
MAX_PATTERNS: Final = 50
MAX_USERS: Final = 1000
MAX_TYPES: Final = 50
_KINDS: Final = frozenset(map(str, Kind))
_ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID}}}")


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.webhooks."""

    id: str
    url: str = ""
    #: Sealed (control/outlets/secrets.py).
    secret: str = ""
    streams: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    maker: str | None = None
    #: Its streams are of its maker's own alerts, and it is posted to only while they are.
    own: bool = False
    #: Events from this append time on are posted.
    since: int = 0
    gone: bool = False
    again: int = 0
    revision: int = 0
    places: dict[str, int] = {}

    def covers(self, stream: str) -> bool:
        """Whether events of a stream are posted."""
        return any(matches(pattern, stream) for pattern in self.streams)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """A webhook as somebody asks for it."""

    url: str
    secret: str | None = None
    streams: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


class _Said(msgspec.Struct, frozen=True):
    """What the commands say."""

    webhook: Webhook


def check_id(id_: str) -> str:
    """A webhook's id. Raises `bad_request`."""
    if not _ID.fullmatch(id_):
        raise TouchlineError(
            "bad_request", f"A webhook's id has 1 to {MAX_ID} characters: A-Z a-z 0-9 . _ and - are allowed."
        )
    return id_


def check_wanted(wanted: Wanted) -> Wanted:
    """Raise `bad_request` where this can be no webhook; its URL is checked by `kernel.access.outward`."""
    if bool(wanted.streams) == bool(wanted.users):
        raise TouchlineError("bad_request", "Name streams, as patterns like chat:wc26-*, or users.")
    if len(wanted.streams) > MAX_PATTERNS or any(not 0 < len(p) <= MAX_PATTERN for p in wanted.streams):
        raise TouchlineError(
            "bad_request", f"streams are at most {MAX_PATTERNS} patterns of at most {MAX_PATTERN} characters."
        )
    for pattern in wanted.streams:
        kind, colon, _ = pattern.partition(":")
        if "*" not in kind and not (colon and kind in _KINDS):
            raise TouchlineError(
                "bad_request", f"{pattern!r} fits no stream: write a kind and a channel, like chat:wc26-*."
            )
    if len(wanted.users) > MAX_USERS:
        raise TouchlineError("bad_request", f"users are at most {MAX_USERS}.")
    for user in wanted.users:
        check_user(user)
    if len(wanted.types) > MAX_TYPES or any(not 0 < len(type_) <= 64 for type_ in wanted.types):
        raise TouchlineError("bad_request", f"types are at most {MAX_TYPES}, of 1 to 64 characters.")
    return wanted


StateOf = Callable[[bytes], Webhook | None]


def fold_webhooks(signer: Signer) -> Callable[[Input, StateOf], Sequence[Change[Webhook]]]:
    """What the commands do."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[Webhook]]:
        command, key = given.value["command"], given.key.decode("utf-8", "replace")
        try:
            said = msgspec.json.decode(opened(command, key, given.value["arguments"], signer), type=_Said)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TouchlineError("bad_request", f"This is about no webhook: {error}.") from None
        if check_id(said.webhook.id) != key:
            raise TouchlineError("bad_request", "The command is about another webhook than it says.")
        before = state(given.key)
        if command == SET_WEBHOOK:
            # Doors have asked, by tables that may be a moment behind.
            if before is not None and before.maker != said.webhook.maker:
                raise TouchlineError("forbidden", f"The webhook {key} was made by somebody else.")
            # One that is changed goes on where it is; one that was ended begins anew.
            goes_on = before is not None and not before.gone
            since = before.since if goes_on and before is not None else given.append_ms
            stamp = Webhook(id=key) if before is None else before
            now = replace(said.webhook, since=since, gone=False, again=given.append_ms)
            return [Change(given.key, replace(now, revision=stamp.revision, places=stamp.places))]
        if before is None:
            return []
        if command == REMOVE_WEBHOOK:
            return [Change(given.key, None)]
        if command == END_WEBHOOK:
            # What it is now may have been set since it was posted to.
            same = said.webhook.url == before.url and not before.gone
            return [Change(given.key, replace(before, gone=True))] if same else []
        return [Change(given.key, replace(before, again=given.append_ms))]

    return fold


def said_of(webhook: Webhook) -> dict[str, Any]:
    """Arguments of the commands."""
    said: dict[str, Any] = msgspec.to_builtins(_Said(webhook))
    return said


def shown(webhook: Webhook) -> dict[str, Any]:
    """A webhook as every way in shows it: its secret never again."""
    lists = {"streams": webhook.streams, "users": webhook.users, "types": webhook.types}
    return {"id": webhook.id, "url": webhook.url, "active": not webhook.gone} | {
        name: list(values) for name, values in lists.items() if values
    }
