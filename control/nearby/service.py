"""What doors (gateway, edges) do with friends, consent and fences for their users. All raises TouchlineError.

A door asks by its own tables whether it can be done, gives the command, sealed, and waits until its tables
have it. Blocks and bounds are asked here: they rest on records that the fold of a pair does not have.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from control.commands.signed import seal
from control.nearby.bounds import FriendsRoom, check_fences_room, check_wish
from control.nearby.consent import Consent
from control.nearby.fences import (
    REMOVE_FENCE,
    SET_FENCE,
    Fence,
    FenceRequest,
    check_id,
    listed_key,
    read_fence,
    said_of,
    shown,
)
from control.nearby.friends import BEFRIEND, UNFRIEND, Friend, check_friends, friend_key, pair_of
from control.nearby.sharing import SHARE, Sharing, sharing_key
from control.rooms.rooms import Rooms
from control.rooms.service import Command, Who
from kernel.access.signing import Signer
from kernel.access.users import FENCE
from kernel.errors import TouchlineError
from kernel.settings.reading import Nearby


class NearbyService:
    """Friends, consent and fences as users have them."""

    def __init__(
        self, consent: Consent, rooms: Rooms, command: Command, signer: Signer, settings: Nearby
    ) -> None:
        """`rooms` know the blocks, and how to wait for the tables."""
        self.consent, self._rooms, self._command, self._signer = consent, rooms, command, signer
        self._settings = settings

    # ── friends ──────────────────────────────────────────────────────────────────────────────────────

    async def ask(self, who: Who, friend: str) -> dict[str, Any]:
        """Ask somebody for friendship, or say yes to it."""
        user = who.named()
        check_friends(user, friend)
        if self._rooms.has_blocked(friend, user) or self._rooms.has_blocked(user, friend):
            raise TouchlineError("forbidden", f"{friend[:80]} cannot be asked by you.")
        before = self.consent.friend(user, friend)
        if before is None:
            await asyncio.to_thread(check_wish, self.consent, user, friend, self._settings.max_friends)
        elif before.state == "asking":
            await asyncio.to_thread(self.room().take, user, friend)
        if before is None or before.state == "asking":
            await self._say(BEFRIEND, user, friend)
            await self._until(user, friend, lambda now: now is not None and now != before)
        return _shown(friend, self.consent.friend(user, friend))

    async def end(self, who: Who, friend: str) -> dict[str, Any]:
        """End a friendship, or a wish for it, of whichever of the two."""
        user = who.named()
        check_friends(user, friend)
        await self.part(user, friend)
        return _shown(friend, None)

    async def part(self, user: str, friend: str, *, actor: str | None = None) -> None:
        """These two are no friends any more."""
        if self.consent.friend(user, friend) is None:
            # What was said a moment ago, elsewhere, is ended too.
            await self._rooms.fresh()
        if self.consent.friend(user, friend) is not None:
            await self._say(UNFRIEND, user, friend, actor=actor)
            await self._until(user, friend, lambda now: now is None)

    async def join(
        self,
        user: str,
        friend: str,
        *,
        actor: str | None,
        room: FriendsRoom | None = None,
        wait: bool = True,
    ) -> None:
        """Make two people friends at once: an administrator does; of many, all by the same `room`."""
        check_friends(user, friend)
        await asyncio.to_thread((room or self.room()).take, user, friend)
        await self._say(BEFRIEND, user, friend, at_once=True, actor=actor)
        if wait:
            await self.joined(user, friend)

    def room(self) -> FriendsRoom:
        """Who has room for another friend, as of now."""
        return FriendsRoom(self.consent, self._settings.max_friends)

    async def joined(self, user: str, friend: str) -> None:
        """Return once these two are friends."""
        await self._rooms.until(
            lambda: self.consent.are_friends(user, friend) and self.consent.are_friends(friend, user)
        )

    def friends(self, who: Who, *, after: str, limit: int) -> dict[str, Any]:
        """A page of somebody's friends, of whom they asked, and of who asks them."""
        user = who.named()
        start = friend_key(user, after) if after else b""
        found = self.consent.friends_of(user, after=start, limit=limit + 1)
        rows = [friend for _, friend in found[:limit]]
        return {"friends": rows, "next": rows[-1].friend if len(found) > limit else None}

    async def _say(
        self, command: str, user: str, friend: str, *, actor: str | None = None, **more: Any
    ) -> None:
        pair = pair_of(user, friend)
        said = seal(command, pair, {"user": user, "friend": friend, **more}, self._signer)
        await self._command(pair, command, said, actor or user)

    async def _until(self, user: str, friend: str, holds: Callable[[Friend | None], bool]) -> None:
        await self._rooms.until(
            lambda: (
                holds(self.consent.friend(user, friend))
                and (self.consent.friend(user, friend) is None) == (self.consent.friend(friend, user) is None)
            )
        )

    # ── consent ──────────────────────────────────────────────────────────────────────────────────────

    async def share(self, who: Who, *, on: bool, public: bool) -> dict[str, Any]:
        """Let friends (`public`: anybody) see where one is, or nobody."""
        user = who.named()
        key, before = sharing_key(user), self.consent.sharing_of(user)
        said = seal(SHARE, key, {"user": user, "on": on, "public": public}, self._signer)
        await self._command(key, SHARE, said, user)

        def in_force() -> bool:
            now = self.consent.sharing_of(user)
            return (now.on, now.public) == (on, public) and (on or now.revision > before.revision)

        await self._rooms.until(in_force)
        return sharing_shown(self.consent.sharing_of(user))

    async def forget(self, user: str, *, actor: str | None) -> None:
        """Nobody sees where a user is, nor where they were: they are erased."""
        key, before = sharing_key(user), self.consent.sharing_of(user).revision
        if not before:
            return  # they have never been seen
        said = seal(SHARE, key, {"user": user, "on": False, "public": False}, self._signer)
        await self._command(key, SHARE, said, actor)
        await self._rooms.until(lambda: self.consent.sharing_of(user).revision > before)

    # ── fences ───────────────────────────────────────────────────────────────────────────────────────

    async def set_fence(self, who: Who, id_: str, wanted: FenceRequest) -> tuple[dict[str, Any], bool]:
        """Make a fence, or change it; and whether it is new. Raises `exists`."""
        fence = read_fence(id_, wanted, who.user)
        before = self.consent.fence(id_)
        admin = who.grants.allows("admin", FENCE + id_)
        if before is not None and before.maker != who.user and not admin:
            raise TouchlineError("exists", f"There is a fence {id_} already, of somebody else.")
        if before is None:
            most = self._settings.max_fences
            if self.consent.number_of_fences() >= most:
                raise TouchlineError("limit_reached", f"There are {most} fences, as many as there may be.")
            of_a_user = self._settings.max_fences_of_a_user
            await asyncio.to_thread(check_fences_room, self.consent, who.user, of_a_user)
        revision = 0 if before is None else before.revision
        await self._say_of_fence(SET_FENCE, fence, who, admin=admin)
        await self._rooms.until(lambda: self._revision(id_) > revision)
        now = self.consent.fence(id_)
        if now is not None and now.maker != who.user and not admin:
            raise TouchlineError("exists", f"There is a fence {id_} already, of somebody else.")
        return shown(now or fence), before is None

    async def remove_fence(self, who: Who, id_: str) -> dict[str, Any]:
        """Take a fence away. Raises `not_found`."""
        fence = self.consent.fence_of(id_, who.grants)
        admin = who.grants.allows("admin", FENCE + id_)
        if fence.maker != who.user and not admin:
            raise TouchlineError("forbidden", "Only who has made a fence takes it away.")
        await self._say_of_fence(REMOVE_FENCE, fence, who, admin=admin)
        await self._rooms.until(lambda: self.consent.fence(id_) is None)
        return shown(fence)

    def fences(self, who: Who, *, after: str, limit: int) -> dict[str, Any]:
        """A page of the fences that somebody made."""
        start = listed_key(who.user, check_id(after)) if after else b""
        found = self.consent.fences_of(who.user, after=start, limit=limit + 1)
        rows = found[:limit]
        return {"fences": [shown(f) for f in rows], "next": rows[-1].id if len(found) > limit else None}

    def _revision(self, id_: str) -> int:
        fence = self.consent.fence(id_)
        return 0 if fence is None else fence.revision

    async def _say_of_fence(self, command: str, fence: Fence, who: Who, *, admin: bool) -> None:
        said = seal(command, fence.id, said_of(fence, by=who.user, admin=admin), self._signer)
        await self._command(fence.id, command, said, who.user)


def _shown(friend: str, now: Friend | None) -> dict[str, Any]:
    if now is None:
        return {"user": friend, "state": None}
    return {"user": friend, "state": now.state, "since": now.since}


def sharing_shown(sharing: Sharing) -> dict[str, Any]:
    """What a user agrees to, as they are told."""
    return {"on": sharing.on, "public": sharing.public}
