"""All receivers, as the tables say who they are: what comes is offered to those that it is for."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from control.outlets.notifying import Notifying
from control.outlets.outlets import Outlets
from control.outlets.webhooks import Webhook
from kernel.access.users import NOTIFY
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.records import Partition, Record
from kernel.process.logs import get_logger
from kernel.settings.outbox import Outbox
from outbox.events import Events
from outbox.forwarding.lanes import Receiver, Spawn, Told
from outbox.forwarding.pattern_index import Covering
from outbox.outlets.outlet import Outlet

_log = get_logger("touchline.outbox")
#: Channels of which it is remembered who waits for them.
_REMEMBERED: Final = 50_000
#: Before the user's name in channels: receivers of a user's own.
OF_USER: Final = "~"


class Ways(NamedTuple):
    """Makes the ways out."""

    #: Raises TouchlineError where it cannot be posted to at all.
    webhook: Callable[[Webhook], Outlet]
    #: Those of a user's own, by their receivers' ids.
    of_user: Callable[[str, Notifying], Mapping[str, Outlet]]


class Receivers:
    """Those of one outbox."""

    def __init__(
        self,
        outlets: Outlets,
        events: Events,
        ways: Ways,
        settings: Outbox,
        clock: Clock,
        *,
        spawn: Spawn,
        owner_of: Callable[[str], str | None],
    ) -> None:
        """`owner_of` the alert of a channel."""
        self._outlets, self._events, self._ways = outlets, events, ways
        self._settings, self._clock, self._spawn = settings, clock, spawn
        self._owner_of = owner_of
        self._webhooks = Covering()
        self._receivers: dict[str, Receiver] = {}
        #: Users who have outlets of their own, by their names in channels.
        self._reached: dict[str, str] = {}
        self._waiting_for: OrderedDict[tuple[Kind, bytes], tuple[str, ...]] = OrderedDict()
        #: Partitions that are this outbox's, and up to where each has been read.
        self.positions: dict[Partition, int] = {}
        #: Whom they tell; and what reads a receiver's part of the log again.
        self.told = Told(*((lambda *_: None),) * 4)
        self.read_again: Callable[[Receiver, Partition], None] = lambda *_: None
        #: Called with a webhook that is new here: events of before may have been read already.
        self.on_new: Callable[[Receiver, Webhook], None] = lambda *_: None
        #: Called where an operator wants what failed to be tried again, with when they last did.
        self.on_again: Callable[[Receiver, int], None] = lambda *_: None

    def __iter__(self) -> Iterator[Receiver]:
        return iter(list(self._receivers.values()))

    def open(self) -> None:
        """Know all webhooks, and hear of changes."""
        for webhook in self._outlets.all_webhooks():
            self._changed(webhook.id.encode(), webhook)
        for name, wishes in self._outlets.all_with_outlets():
            self._reached[name] = wishes.user
        self._outlets.webhooks.watch_all(self._changed)
        self._outlets.notifying.watch_all(self._wishes_changed)

    def reached(self) -> list[str]:
        """Users whose notifications lead out: by outlets of their own, or by a webhook of theirs."""
        of_webhooks = {user for webhook in self._webhooks for user in webhook.users}
        return list({*self._reached.values(), *of_webhooks})

    def get(self, id_: str) -> Receiver | None:
        """The receiver of this id, where it has one to be posted to."""
        found = self._receivers.get(id_)
        if found is None and id_.startswith(OF_USER):
            name = id_.partition(":")[2]
            return self._of_user(name).get(id_)
        return found

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────

    def take(self, place: Partition, record: Record) -> None:
        """A record of the log, as it comes."""
        self.positions[place] = record.offset + 1
        kind, key = self._events.kind(place.topic), record.key or b""
        ids = self._waiting_for.get((kind, key))
        if ids is None:
            ids = self._remember(kind, key)
        of_user = kind is Kind.BROADCAST and key.startswith(_NOTIFY)
        if not ids and not of_user:
            return
        event = self._events.decoded(kind, record)
        item = None if event is None else self._events.item(place, record, event)
        if item is None:
            return
        for id_ in ids:
            if self.wants(id_, item.type, item.at_ms):
                self._receivers[id_].offer(item)
        if of_user:
            for receiver in self._of_user(item.channel.removeprefix(NOTIFY)).values():
                receiver.offer(item)

    def wants(self, id_: str, type_: str, at_ms: int) -> bool:
        """Whether events of this type and time are posted to a receiver."""
        webhook = self._webhooks.get(id_)
        if webhook is None:
            return id_.startswith(OF_USER)
        return at_ms >= webhook.since and (not webhook.types or type_ in webhook.types)

    def waits_for(self, id_: str, kind: Kind, key: bytes) -> bool:
        """Whether a receiver waits for events of a channel."""
        if id_.startswith(OF_USER):
            return kind is Kind.BROADCAST and key == _NOTIFY + id_.partition(":")[2].encode()
        ids = self._waiting_for.get((kind, key))
        return id_ in (self._remember(kind, key) if ids is None else ids)

    def _remember(self, kind: Kind, key: bytes) -> tuple[str, ...]:
        channel = key.decode("utf-8", "replace")
        found = tuple(
            id_
            for id_ in self._webhooks.about(kind, channel)
            if id_ in self._receivers and self._is_its_makers(id_, channel)
        )
        self._waiting_for[kind, key] = found
        if len(self._waiting_for) > _REMEMBERED:
            self._waiting_for.popitem(last=False)
        return found

    def _is_its_makers(self, id_: str, channel: str) -> bool:
        """Of alerts of one's own only while they are."""
        webhook = self._webhooks.get(id_)
        return webhook is not None and (not webhook.own or self._owner_of(channel) == webhook.maker)

    def alert_changed(self) -> None:
        """An alert may be somebody else's now, or no more."""
        self._waiting_for.clear()

    # ── who they are ─────────────────────────────────────────────────────────────────────────────────

    def _changed(self, key: bytes, webhook: Webhook | None) -> None:
        id_ = key.decode("utf-8", "replace")
        before = self._webhooks.drop(id_)
        self._waiting_for.clear()
        if webhook is None or webhook.gone:
            self._close(id_)
            return
        self._webhooks.put(webhook)
        if before is not None and before.url == webhook.url and before.secret == webhook.secret:
            receiver = self._receivers.get(id_)
            if receiver is not None and webhook.again > before.again:
                receiver.again()
                self.on_again(receiver, before.again)
            return
        try:
            outlet = self._ways.webhook(webhook)
        except TouchlineError as error:
            _log.error("a webhook cannot be posted to", webhook=id_, why=error.message)
            self._close(id_)
            return
        receiver = self._receivers.get(id_)
        if receiver is not None:
            receiver.outlet = outlet  # what waits goes where it leads to now
            receiver.again()
            return
        receiver = self._new(id_, outlet)
        self.on_new(receiver, webhook)

    def _wishes_changed(self, key: bytes, wishes: Notifying | None) -> None:
        """A user's own receivers are made anew when something comes for them."""
        name = key.decode("utf-8", "replace")
        if wishes is not None and (wishes.webhook or wishes.push):
            self._reached[name] = wishes.user
        else:
            self._reached.pop(name, None)
        now = self._ways_of(name)
        for id_ in (f"{OF_USER}h:{name}", f"{OF_USER}p:{name}"):
            receiver = self._receivers.get(id_)
            if receiver is not None:
                if id_ in now:
                    receiver.outlet = now[id_]
                else:
                    self._close(id_)

    def _ways_of(self, name: str) -> Mapping[str, Outlet]:
        wishes = self._outlets.notifying_of_name(name)
        return {} if wishes is None else self._ways.of_user(name, wishes)

    def _of_user(self, name: str) -> dict[str, Receiver]:
        found: dict[str, Receiver] = {}
        for id_, outlet in self._ways_of(name).items():
            found[id_] = self._receivers.get(id_) or self._new(id_, outlet)
        return found

    def _new(self, id_: str, outlet: Outlet) -> Receiver:
        receiver = Receiver(id_, outlet, self._settings, self._clock, spawn=self._spawn, told=self.told)
        self._receivers[id_] = receiver
        return receiver

    def _close(self, id_: str) -> None:
        receiver = self._receivers.pop(id_, None)
        if receiver is not None:
            receiver.close()

    def end(self, id_: str) -> None:
        """It wants nothing any more."""
        self._webhooks.drop(id_)
        self._waiting_for.clear()
        self._close(id_)

    def forget_idle(self) -> None:
        """Users' own receivers that have all that has come are made again when more comes."""
        for receiver in list(self._receivers.values()):
            if receiver.id.startswith(OF_USER) and receiver.idle:
                self._close(receiver.id)

    def drop(self, place: Partition) -> None:
        """A partition is somebody else's now."""
        self.positions.pop(place, None)
        for receiver in self._receivers.values():
            receiver.drop(place)

    def close(self) -> None:
        """Nothing goes out any more."""
        for id_ in list(self._receivers):
            self._close(id_)


_NOTIFY: Final = NOTIFY.encode()
