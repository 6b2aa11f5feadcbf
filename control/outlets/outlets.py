"""What a role asks of webhooks and of what users want to be told, by its tables."""

from collections.abc import Iterator
from typing import Final

from control.entity.structs import plain_type
from control.entity.tables import Tables
from control.entity.types import AnyType
from control.entity.view import View
from control.outlets.notifying import Notifying
from control.outlets.webhooks import Webhook
from kernel.access.users import name_in_channel
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings

_PAGE: Final = 500


class Outlets:
    """The webhooks and wishes that a role knows of."""

    def __init__(self, settings: Settings) -> None:
        names = topic_names(settings)
        self._webhook = plain_type(settings, "webhooks", names.webhooks, "webhook", Webhook)
        self._notifying = plain_type(settings, "notifying", names.notifying, "notifying", Notifying)
        self._tables: Tables | None = None

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._webhook, self._notifying]

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self._tables = tables
        self.webhooks: View[Webhook] = tables.view(self._webhook)
        self.notifying: View[Notifying] = tables.view(self._notifying)

    def webhook(self, id_: str) -> Webhook | None:
        """The webhook of this id."""
        return self.webhooks.get(id_) if self._tables else None

    def all_webhooks(self) -> list[Webhook]:
        """All of them: there are few."""
        found: list[Webhook] = []
        after = b""
        while self._tables and (page := self.webhooks.scan(b"", after=after, limit=_PAGE)):
            after = page[-1][0]
            found += [webhook for _, webhook in page]
        return found

    def all_with_outlets(self) -> Iterator[tuple[str, Notifying]]:
        """Users whose notifications lead out to an address of theirs, by their names in channels."""
        after = b""
        while self._tables and (page := self.notifying.scan(b"", after=after, limit=_PAGE)):
            after = page[-1][0]
            yield from ((key.decode(), wishes) for key, wishes in page if wishes.webhook or wishes.push)

    def notifying_of(self, user: str) -> Notifying:
        """What a user wants to be told; everything, until they have said something."""
        return self.notifying_of_name(name_in_channel(user)) or Notifying(user=user)

    def notifying_of_name(self, name: str) -> Notifying | None:
        """The same by the user's name in channels; None: they have said nothing."""
        return self.notifying.get(name) if self._tables else None
