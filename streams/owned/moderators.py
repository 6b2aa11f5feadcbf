"""What a worker owns of moderation: sanctions and reports, fed by commands on touchline.changes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from control.entity.fold import EntityFold
from control.entity.owner import Owner
from control.moderation import reports, sanctions
from control.moderation.moderation import Moderation
from control.moderation.orders import ERASE, EVERYWHERE, MODERATE, read_erase
from control.moderation.sanctions import Sanction
from kernel.errors import TouchlineError
from kernel.log.records import Record, Write
from streams.fold.checks.guards import SanctionOf


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
            reports.SETTLE: of_reports,
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


def erased_in(records: Sequence[Record], decode: Callable[[bytes], Any]) -> Iterator[str]:
    """The users of whom these inputs say that their data are erased. Read again it is said again."""
    for record in records:
        if record.key == EVERYWHERE.encode() and ERASE.encode() in (record.value or b""):
            with contextlib.suppress(TouchlineError):  # refused when it is folded
                yield read_erase(EVERYWHERE, decode(record.value or b"")["arguments"]).user
