"""What a role asks of friends and consent, by its tables: who may see where whom at this moment."""

from collections.abc import Callable, Sequence
from typing import Final

from control.entity.tables import Tables
from control.entity.types import AnyType, prefix_of
from control.entity.view import View
from control.nearby.fences import Fence, prefix_of_maker
from control.nearby.friends import Friend, friend_key
from control.nearby.sharing import Sharing, sharing_key
from control.nearby.table import fence_type, friend_type, sharing_type
from kernel.access.tokens import Grants
from kernel.access.users import FENCE, name_in_channel
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

#: Friends that are read from the table at once: somebody with thousands of them holds up nobody for long.
AT_ONCE: Final = 500


class Consent:
    """The friends, the consent and the fences that a role knows of."""

    def __init__(self, settings: Settings, *, lists_public: bool = False) -> None:
        """`lists_public`: whoever shows strangers asks for all who are public."""
        self._friend, self._sharing = friend_type(settings), sharing_type(settings, listing=lists_public)
        self._fence = fence_type(settings)
        self._tables: Tables | None = None
        #: Whether a user has blocked another one: from these nobody is seen who is public.
        self.has_blocked: Callable[[str, str], bool] = lambda *_: False

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._friend, self._sharing, self._fence]

    @property
    def followed(self) -> bool:
        """Whether there are tables of them."""
        return self._tables is not None

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self._tables = tables
        self.friends: View[Friend] = tables.view(self._friend)
        self.sharing: View[Sharing] = tables.view(self._sharing)
        self.fences: View[Fence] = tables.view(self._fence)

    def friend(self, user: str, other: str) -> Friend | None:
        """What somebody is to a user."""
        return self.friends.get(friend_key(user, other)) if self._tables else None

    def are_friends(self, user: str, other: str) -> bool:
        """Whether both have said so."""
        friend = self.friend(user, other)
        return friend is not None and friend.state == "friends"

    def friends_of(
        self, user: str, *, after: bytes = b"", limit: int = AT_ONCE
    ) -> list[tuple[bytes, Friend]]:
        """A user's friends, whom they asked and who asks them, in the order of keys. Any thread may ask."""
        if self._tables is None:
            return []
        return self.friends.scan(prefix_of(name_in_channel(user)), after=after, limit=limit)

    def sharing_of(self, user: str) -> Sharing:
        """What a user agrees to; nothing, until they have said something."""
        found = self.sharing.get(sharing_key(user)) if self._tables else None
        return found or Sharing(user=user)

    def sharing_of_name(self, name: bytes, user: str) -> Sharing:
        """The same by the user's name in channels."""
        return self.sharing.get(name) or Sharing(user=user)

    def sharing_of_names(self, names: Sequence[bytes]) -> dict[bytes, Sharing]:
        """The same of many, read at once: of those who have said something."""
        found = self.sharing.values(names)
        decode = self._sharing.decode
        return {name: decode(one) if isinstance(one, bytes) else one for name, one in found.items()}

    def sees(self, viewer: str | None, user: str, at_ms: int) -> bool:
        """Whether a viewer (None: an operator) may see a user's position of this time (append time)."""
        if viewer is None or viewer == user:
            return True
        sharing = self.sharing_of(user)
        if not sharing.shows(at_ms):
            return False
        return self.are_friends(viewer, user) or (sharing.public and not self.has_blocked(user, viewer))

    def fence(self, id_: str) -> Fence | None:
        """The fence of this id."""
        return self.fences.get(id_) if self._tables else None

    def fences_of(self, maker: str | None, *, after: bytes = b"", limit: int = AT_ONCE) -> list[Fence]:
        """The fences that somebody made (None: operators), in the order of ids. Any thread may ask."""
        if self._tables is None:
            return []
        return [fence for _, fence in self.fences.scan(prefix_of_maker(maker), after=after, limit=limit)]

    def number_of_fences(self) -> int:
        """About how many there are: each has two records."""
        return self.fences.count() // 2

    def reads_fence(self, grants: Grants, channel: str) -> bool:
        """Whether a user made the fence of a channel, or is named as one of its readers."""
        fence = self.fence(channel.removeprefix(FENCE))
        return fence is not None and (fence.maker == grants.user or grants.user in fence.readers)

    def fence_of(self, id_: str, grants: Grants) -> Fence:
        """A fence, for whoever may know of it. Raises `not_found`."""
        fence = self.fence(id_)
        if fence is None or not (
            grants.allows("admin", FENCE + id_) or self.reads_fence(grants, FENCE + id_)
        ):
            raise TouchlineError("not_found", f"There is no fence {id_[:100]}.")
        return fence
