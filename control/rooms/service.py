"""What doors (gateway, edges) do with rooms for their users; what differs between them is how they post.

A change is an event that the fold accepts or refuses: a door asks by its own tables first, so that nearly
all that is wrong is told at once, waits for the fold's word, and then until its own tables have the room.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from control.rooms.changes import TYPE, Change, apply, check_change, check_room, not_found
from control.rooms.rooms import WITHIN_S, Rooms
from control.rooms.state import History, Role, Room, channel_of, shown, stream_of
from control.rooms.users import BLOCK, MUTE, UNBLOCK, key_of
from kernel.access.tokens import Action, Grants
from kernel.access.users import check_user
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Kind
from schemas.ingest import make_ingest

MAX_PAGE: Final = 200
_STEP_S: Final = 0.01


class Who(NamedTuple):
    """Who asks."""

    grants: Grants

    @property
    def user(self) -> str | None:
        """Their name; None: an operator who has none."""
        nameless = self.grants.anonymous and self.grants.allows("admin", "*")
        return None if nameless else self.grants.user

    def named(self) -> str:
        """The name, where there has to be one. Raises `bad_request`."""
        if self.user is None:
            raise TouchlineError(
                "bad_request",
                "Say who you are: this is about a user.",
                hint="The header Touchline-User, ?user= or --user names one where there are no keys.",
            )
        return self.user

    def administers(self, room: str) -> bool:
        """Whether they may do everything with a room."""
        return self.grants.allows("admin", channel_of(room)) or self.grants.allows("admin", stream_of(room))

    def reads(self, room: str) -> bool:
        """Whether the token covers a room: what is not covered is left out wherever rooms are listed."""
        return self.administers(room) or self.grants.reads(stream_of(room))

    def must(self, action: Action, room: str) -> None:
        """Raise `forbidden` where the token does not allow this on a room's stream."""
        if not self.grants.allows(action, stream_of(room)):
            raise TouchlineError("forbidden", f"The token does not allow {action} on {stream_of(room)}.")


class Create(msgspec.Struct, frozen=True):
    """A room that somebody makes."""

    name: str
    room: str | None = None
    members: tuple[str, ...] = ()
    history: History | None = None
    receipts: bool | None = None


class Alter(msgspec.Struct, frozen=True):
    """What is to be set."""

    name: str | None = None
    history: History | None = None
    receipts: bool | None = None


class Members(msgspec.Struct, frozen=True):
    """Who is to be in a room, and as what."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    roles: dict[str, Role] = {}


#: Posts an event of the schema `ingest-chat`, signed, on a channel; returns its seq once the fold has
#: accepted it. Raises the fold's refusal.
Post = Callable[[Who, str, dict[str, Any]], Awaitable[int]]
#: Gives a command about a user (key, command, arguments, actor).
Command = Callable[[str, str, Mapping[str, Any], str | None], Awaitable[None]]


class RoomService:
    """Rooms as users do them. All of it raises TouchlineError."""

    def __init__(self, rooms: Rooms, post: Post, command: Command, clock: Clock, *, most: int = 5000) -> None:
        """`most` is how many rooms somebody may be in."""
        self._most = most
        self.rooms, self._post, self._command, self._clock = rooms, post, command, clock

    # ── one room ─────────────────────────────────────────────────────────────────────────────────────

    async def create(self, who: Who, wanted: Create) -> dict[str, Any]:
        """Make a room; returned once it is in force."""
        room = check_room(wanted.room if wanted.room is not None else secrets.token_hex(8))
        change = Change(
            what="created",
            users=wanted.members,
            name=wanted.name,
            history=wanted.history,
            receipts=wanted.receipts,
        )
        found = await self._do(who, room, [change])
        return _shown(found)

    async def show(self, who: Who, room: str) -> dict[str, Any]:
        """A room, for whoever is in it."""
        return _shown(await self.seen(who, room))

    async def seen(self, who: Who, room: str) -> Room:
        """The room itself, for whoever is in it."""
        check_room(room)
        if not who.grants.allows("history", stream_of(room)):
            who.must("subscribe", room)
        return await self.rooms.seen_by(who.grants, room)

    async def alter(self, who: Who, room: str, wanted: Alter) -> dict[str, Any]:
        """Change what is set for it."""
        change = Change(what="changed", name=wanted.name, history=wanted.history, receipts=wanted.receipts)
        return _shown(await self._do(who, room, [change]))

    async def delete(self, who: Who, room: str) -> dict[str, Any]:
        """Delete it."""
        return _shown(await self._do(who, room, [Change(what="deleted")]))

    async def members(self, who: Who, room: str, wanted: Members) -> dict[str, Any]:
        """Take people out, add others, give roles; in this order."""
        steps = [
            *([Change(what="removed", users=wanted.remove)] if wanted.remove else []),
            *([Change(what="added", users=wanted.add)] if wanted.add else []),
            *([Change(what="role", roles=wanted.roles)] if wanted.roles else []),
        ]
        if not steps:
            raise TouchlineError("bad_request", "Say whom to add or remove, or which roles to give.")
        return _shown(await self._do(who, room, steps))

    async def _do(self, who: Who, room: str, steps: Sequence[Change]) -> Room:
        """Make these changes, one after the other. Where one is refused, those before it stand."""
        check_room(room)
        who.must("publish", room)
        admin = who.administers(room)
        if not admin and who.user is not None and self.rooms.banned(who.user, channel_of(room)):
            raise not_found(room)
        steps = [replace(step, admin=admin) for step in steps]
        for step in steps:
            check_change(step)
        await self._must_be_possible(who, room, steps)
        seq, channel = 0, channel_of(room)
        touched = {user for step in steps for user in step.users} | ({who.user} if who.user else set())
        for step in steps:
            data = msgspec.to_builtins(step)
            event = make_ingest(Kind.CHAT, TYPE, data, key=secrets.token_urlsafe(12), sender=who.user)
            seq = max(seq, await self._post(who, channel, event))
        found = await self.rooms.record(channel, seq)
        await self._told(found, touched)
        return found

    async def _must_be_possible(self, who: Who, room: str, steps: Sequence[Change]) -> None:
        """Raise where it is not, by what is known here: the fold would say the same."""
        try:
            self._try(who, room, steps)
        except TouchlineError:
            await self.rooms.fresh()  # who was let in a moment ago is not turned away
            self._try(who, room, steps)

    def _try(self, who: Who, name: str, steps: Sequence[Change]) -> None:
        room = self.rooms.room(name)
        for step in steps:
            made = apply(
                *(room, step), name=name, by=who.user, seq=MAX_SEQ, at_ms=self._clock.now_ms() + 3_600_000
            )
            room = room if made is None else made.room
            if step.what in ("created", "added") and who.user is not None:
                self._check_blocks(who.user, step.users)
            if step.what in ("created", "added") and not who.administers(name):
                maker = (who.user,) if step.what == "created" and who.user is not None else ()
                self._check_room_for((*maker, *step.users))

    def _check_blocks(self, by: str, users: Iterable[str]) -> None:
        for user in users:
            if user != by and self.rooms.has_blocked(user, by):
                raise TouchlineError("forbidden", f"{user[:80]} cannot be added by you.")

    def _check_room_for(self, users: Iterable[str]) -> None:
        for user in users:
            if self.rooms.number_of(user) >= self._most:
                raise TouchlineError("too_many", f"{user[:80]} is in {self._most} rooms, which is the most.")

    async def _told(self, room: Room, users: Iterable[str]) -> None:
        """Wait until these users' lists have it. It is in force anyway: so no longer than that takes."""
        waiting = set(users)
        try:
            async with asyncio.timeout(WITHIN_S / 2):
                while waiting := {user for user in waiting if not self._knows(room, user)}:  # noqa: ASYNC110
                    await asyncio.sleep(_STEP_S)
        except TimeoutError:
            return

    def _knows(self, room: Room, user: str) -> bool:
        found = self.rooms.of_user_in(user, room.room)
        return (found is not None) == (not room.deleted and room.member(user) is not None)

    # ── a user's rooms ───────────────────────────────────────────────────────────────────────────────

    async def mute(self, who: Who, room: str, *, on: bool) -> dict[str, Any]:
        """No notifications of a room, or again."""
        user = who.named()
        found = await self.seen(who, room)
        if found.member(user) is None:
            raise not_found(room)
        await self._command(key_of(user), MUTE, {"user": user, "room": room, "on": on}, user)

        def muted() -> bool:
            one = self.rooms.of_user_in(user, room)
            return one is None or one.muted is on

        await self.rooms.until(muted)
        return {"room": room, "muted": on}

    @staticmethod
    def check_whose(who: Who, user: str) -> None:
        """A user's rooms and devices are for themselves, and for `admin`. Raises `forbidden`."""
        check_user(user)
        if who.user != user and not who.grants.allows("admin", "*"):
            raise TouchlineError("forbidden", "Only a user themselves, or admin, sees what is theirs.")

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────────

    async def block(self, who: Who, other: str, *, on: bool) -> dict[str, Any]:
        """Block somebody, or no more."""
        user = who.named()
        check_user(other)
        about = {"user": user, "blocked": other}
        await self._command(key_of(user), BLOCK if on else UNBLOCK, about, user)
        await self.rooms.until(lambda: self.rooms.has_blocked(user, other) is on)
        return {"user": other, "blocked": on}

    def blocks(self, who: Who, *, after: str, limit: int) -> dict[str, Any]:
        """Whom somebody has blocked, a page."""
        user = who.named()
        found = self.rooms.blocks_of(user, after=after, limit=limit + 1)
        more = len(found) > limit
        shown_ = [{"user": block.blocked, "since": block.at} for block in found[:limit]]
        return {"blocks": shown_, "next": found[limit - 1].blocked if more else None}


def _shown(room: Room) -> dict[str, Any]:
    return shown(room) | ({"deleted": True} if room.deleted else {})
