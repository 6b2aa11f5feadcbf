"""What a worker owns of moderation: sanctions and reports, fed by commands on touchline.changes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from control.entity.fold import EntityFold
from control.entity.owner import Owner
from control.moderation import reports, sanctions
from control.moderation.moderation import Moderation
from control.moderation.orders import ERASE, MODERATE
from control.moderation.sanctions import Sanction
from kernel.log.records import Write
from streams.fold.guards import SanctionOf


class Moderators:
    """The folds of orders and reports; and what judges ask of a channel."""

    def __init__(self, moderation: Moderation, forget: Callable[[str], None]) -> None:
        """`forget` is told of channels of which something has changed."""
        self._moderation = moderation
        moderation.on_change.append(forget)
        of_orders = EntityFold(type=moderation.sanctions.type, fold=sanctions.fold, decides=sanctions.decides)
        of_reports = EntityFold(type=moderation.reports.type, fold=reports.fold, decides=reports.decides)
        #: The commands on touchline.changes.
        self.folds: Mapping[str, EntityFold[Any]] = {
            MODERATE: of_orders,
            ERASE: of_orders,
            reports.REPORT: of_reports,
        }

    def writes_late(self, write: Callable[[list[Write]], None], changes: Owner) -> None:
        """Where something older came after a record, that is written again."""
        for view in (self._moderation.sanctions, self._moderation.reports):
            view.on_stale = lambda key, known, type_=view.type: write(changes.rewrite(type_, key, known))

    def of(self, channel: str) -> SanctionOf | None:
        """How to ask who is muted in a channel; None while nobody ever was."""
        return partial(self._of, channel) if self._moderation.any_in(channel) else None

    def _of(self, channel: str, user: str) -> Sanction | None:
        return self._moderation.of(channel, user)
