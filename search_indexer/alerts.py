"""Alerts: a saved query turns into a stream. Each new event that matches arrives on `broadcast:alert-<id>`.

They live in a compacted topic, one record an alert, as commands of the schema `control`. The indexer asks
each event that it reads, in memory, with the parser and the folding of search: an alert and a search agree.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec

from control.channels.acl import ChannelAcl
from control.topic_tables.follower import TableReader
from control.topic_tables.table import Row, TopicTable
from kernel.access.tokens import Grants
from kernel.access.tokens import matches as covers
from kernel.access.users import ALERT as PREFIX
from kernel.access.users import ROOM, check_user
from kernel.clock import Clock, to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.producing import LastingProducer
from kernel.log.topics import MAX_EVENT_BYTES, topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for
from search_indexer.alert_index import LOOKED_AT, AlertIndex, Suspension
from search_indexer.indexing.documents import Indexable
from search_indexer.query.matching import About, Text, is_near, matches, text_of
from search_indexer.query.parser import parse
from search_indexer.query.syntax import During, Query
from search_indexer.searching.request import MAX_VALUES, Search, read_search
from search_indexer.searching.scope import EVERYTHING
from search_indexer.text.by_channel import ChannelFoldings
from search_indexer.text.folding import Folding

#: Before an alert's id: the key of a record that says until when it rests. No alert is called so.
REST: Final = "$rest:"
MAX_ALERTS: Final = 10_000
MAX_PATTERN: Final = 140
MAX_READERS: Final = 100
#: Those of a search that an alert has too: it is about what comes, in the order in which it comes.
PARAMETERS: Final = ("q", "kind", "channel", "sender", "type", "near", "within")
_SHOWN: Final = f"{', '.join(PARAMETERS)} and streams"
MAX_ID: Final = 100
ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID}}}")
_WAIT_S: Final = 10.0
_POLL_S: Final = 0.02


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A saved query. `since` and `until` of its search are not looked at: an alert is about what comes."""

    id: str
    search: Search
    #: Stream patterns that whoever saved it may search, as the token said it then.
    patterns: tuple[str, ...] = EVERYTHING
    #: Stream patterns that it is about, where those are fewer: `chat:wc26-*`.
    streams: tuple[str, ...] = EVERYTHING
    #: Who saved it, and what they administer: for channels that only some may read. None: an operator.
    owner: str | None = None
    admin: tuple[str, ...] = ()
    #: Who may read its stream, beside whoever saved it.
    readers: tuple[str, ...] = ()
    #: When it was saved: earlier events are not told of.
    since_ms: int = 0


class Ready(msgspec.Struct, frozen=True):
    """An alert with its query parsed."""

    alert: Alert
    query: Query


def check_id(alert_id: str) -> None:
    """Raise `bad_request` where this cannot be an alert's name."""
    if not ID.fullmatch(alert_id):
        raise TouchlineError(
            "bad_request",
            f"An alert's id has 1 to {MAX_ID} characters: only A-Z a-z 0-9 . _ and - are allowed.",
        )


def read_alert(
    alert_id: str,
    given: Iterable[tuple[str, str]],
    *,
    streams: Sequence[str] = EVERYTHING,
    readers: Sequence[str] = (),
    now_ms: int,
    **by: Any,
) -> Alert:
    """An alert of a search's parameters, from now on; `by` says whose it is. Raises `bad_request`."""
    check_id(alert_id)
    given = list(given)
    for name, _ in given:
        if name not in PARAMETERS:
            raise TouchlineError("bad_request", f"{name[:40]!r} is not about an alert: {_SHOWN} are.")
    if not 0 < len(streams) <= MAX_VALUES or any(not 0 < len(one) <= MAX_PATTERN for one in streams):
        raise TouchlineError(
            "bad_request",
            f"streams are 1 to {MAX_VALUES} patterns of at most {MAX_PATTERN} characters, like chat:wc26-*.",
        )
    if len(readers) > MAX_READERS:
        raise TouchlineError("bad_request", f"readers are at most {MAX_READERS} users.")
    search, names = read_search(given)[0], tuple(map(check_user, readers))
    return Alert(id=alert_id, search=search, streams=tuple(streams), readers=names, since_ms=now_ms, **by)


def check_owner(alert: Alert, user: str | None) -> None:
    """Raise `forbidden` where an alert is somebody else's; nobody in particular is the operator."""
    if user is not None and alert.owner not in (None, user):
        raise TouchlineError("forbidden", f"The alert {alert.id} is of another user.")


def rest_shown(rest: Suspension) -> dict[str, Any]:
    """That an alert rests, as people and programs see it."""
    return {"until": to_rfc3339(rest.until_ms), "why": rest.why}


def rest_record(rest: Suspension, settings: Settings, clock: Clock) -> tuple[bytes, bytes]:
    """Key and value of the record on the alerts' topic that says so."""
    value = codec_for(settings, "control").encode(
        {
            "command": "rest_alert",
            "id": None,
            "actor": "touchline",
            "at": clock.now_ms(),
            "arguments": msgspec.json.encode(rest).decode(),
        }
    )
    return f"{REST}{rest.id}".encode(), value


def rest_message(rest: Suspension) -> tuple[bytes, bytes]:
    """Key and value of the event on the alert's own stream that says so."""
    data = msgspec.json.encode({"alert": rest.id, "suspended": rest_shown(rest)})
    key = f"rest-{rest.until_ms}".encode()
    value = b'{"type":"alert_suspended","key":"%b","sender":"touchline","data":%b}' % (key, data)
    return f"{PREFIX}{rest.id}".encode(), value


def shown(alert: Alert) -> dict[str, Any]:
    """An alert as people and programs see it: its stream, and the parameters that it was made of."""
    search = alert.search
    about: dict[str, Any] = {
        "q": search.q,
        "kind": list(search.kinds),
        "channel": list(search.channels),
        "sender": list(search.senders),
        "type": list(search.types),
        "streams": [] if alert.streams == EVERYTHING else list(alert.streams),
        "readers": list(alert.readers),
    }
    if search.near is not None:
        about["near"] = f"{search.near.lat},{search.near.lon}"
        about["within"] = f"{search.near.metres:g}m"
    return {"id": alert.id, "stream": alert_stream(alert.id)} | {k: v for k, v in about.items() if v}


def ready(alert: Alert, folding: Folding) -> Ready:
    """Parse it. Raises `bad_request`."""
    check_id(alert.id)
    return Ready(alert, parse(alert.search.q, folding, alert.search.reading(alert.since_ms)))


def check_new(alert: Alert, folding: Folding) -> None:
    """Raise `bad_request` for a query that cannot be read, or that no alert should have."""
    query, search = ready(alert, folding).query, alert.search
    if any(isinstance(term, During) for clause in query.clauses for term in clause.terms):
        raise TouchlineError(
            "bad_request", "An alert is about what comes: leave before:, after: and on: out."
        )
    wanted = any(not clause.negated for clause in query.clauses)
    filters = (search.kinds, search.channels, search.senders, search.types, search.near)
    if not wanted and not any(filters) and alert.streams == EVERYTHING:
        raise TouchlineError(
            "bad_request",
            "This alert would tell of nearly everything: say what is wanted, by a word in q, or by a kind,"
            " channel, sender, type, place or streams.",
        )


def matching(alerts: Iterable[Ready], event: Indexable, folding: Folding) -> list[Alert]:
    """The alerts that this event sets off: those whose search would find it."""
    if _is_no_news(event):
        return []
    text, about = _text_of(event, folding), about_of(event)
    return [one.alert for one in alerts if _passes(one.alert, event) and _asks(one, text, about)]


def _is_no_news(event: Indexable) -> bool:
    """Changes are none, and an alert about alerts would never end."""
    return event.document.hidden or event.document.channel.startswith(PREFIX)


def _text_of(event: Indexable, folding: Folding) -> Callable[[], Text]:
    """The event's text, made when it is first asked for, and no more of it than alerts look at."""
    document, source = event.document, event.source
    if len(source) <= LOOKED_AT:  # its words are ready
        return cache(lambda: Text(frozenset(document.words.split()), document.text.split()))
    return cache(lambda: text_of(source[:LOOKED_AT], folding))


def about_of(event: Indexable) -> About:
    """What queries may ask of an event beside its text."""
    document = event.document
    return About(
        *(document.kind, document.channel, document.sender, document.type, document.at),
        *(document.marks, document.where),
    )


def _asks(one: Ready, text: Callable[[], Text], about: About) -> bool:
    return not one.query.clauses or matches(one.query, text(), about)


def _passes(alert: Alert, event: Indexable) -> bool:
    search, document = alert.search, event.document
    if document.at < alert.since_ms:
        return False
    for allowed, value in (
        (search.kinds, event.kind),
        (search.channels, document.channel),
        (search.senders, document.sender),
        (search.types, document.type),
    ):
        if allowed and value not in allowed:
            return False
    if search.near is not None and not is_near(search.near, document.where):
        return False
    stream = document.stream
    return any(covers(p, stream) for p in alert.patterns) and any(covers(p, stream) for p in alert.streams)


def message_of(alert: Alert, event: Indexable) -> tuple[bytes, bytes]:
    """Key and value of the record on the ingest topic of broadcasts.

    The event's id is its key, so a batch that is read again tells of nothing twice.
    """
    body = event.document.body.encode()
    # A copy of what was said in a room would outlive what its readers may see: only where it is is told.
    if event.document.channel.startswith(ROOM) or len(body) > MAX_EVENT_BYTES - 1024:  # or would not fit
        body = msgspec.json.encode({"stream": event.document.stream, "seq": event.document.seq})
    data = b'{"alert":%b,"event":%b}' % (msgspec.json.encode(alert.id), body)
    value = b'{"type":"alert","key":"%b","sender":"touchline","data":%b}' % (event.id.encode(), data)
    return f"{PREFIX}{alert.id}".encode(), value


class AlertBook:
    """All alerts, as the compacted topic says: whoever follows it has them learnt here."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        readers: ChannelAcl | None = None,
        foldings: ChannelFoldings | None = None,
    ) -> None:
        self._foldings = foldings or ChannelFoldings(settings.elasticsearch.language)
        self._ready: dict[str, Ready] = {}
        #: Those that were too dear lately, as whoever asks for them is shown.
        self.rests: dict[str, Suspension] = {}
        #: Those that were laid to rest here, and of which nobody has been told yet.
        self.news: list[Suspension] = []
        self._index = AlertIndex(clock, self.news.append)
        #: Who may read which channel, for whoever asks what is told.
        self._readers = readers or ChannelAcl()

    @property
    def alerts(self) -> Mapping[str, Ready]:
        return self._ready

    def matching(self, event: Indexable) -> list[Alert]:
        """The alerts that this event sets off, and whose owners may read it."""
        if _is_no_news(event):
            return []
        document, about = event.document, about_of(event)
        text = _text_of(event, self._foldings.of(document.channel, document.at))
        return [
            one.alert
            for one in self._index.may_match(about, text)
            if _passes(one.alert, event)
            and _asks(one, text, about)
            and self._may_read(one.alert, document.channel, document.seq)
        ]

    def _may_read(self, alert: Alert, channel: str, seq: int) -> bool:
        """Whether this may be told; of a room only where all who read the alert may read that event too."""
        room = channel.startswith(ROOM)
        owner = None if alert.owner is None else Grants(user=alert.owner, can={"admin": alert.admin})
        if owner is not None and not (
            seq in self._readers.readable(owner, channel) if room else self._readers.allow(owner, channel)
        ):
            return False
        others = (Grants(user=reader, can={}) for reader in alert.readers) if room else ()
        return all(seq in self._readers.readable(other, channel) for other in others)

    def learn(self, row: Row) -> None:
        """Take an alert in, or out; or that one rests."""
        if row.key.startswith(REST):
            if row.value is not None:
                rest = msgspec.json.decode(row.value["arguments"], type=Suspension)
                self.rests[rest.id] = rest
            return
        self._ready.pop(row.key, None)
        self._index.remove(row.key)
        self.rests.pop(row.key, None)
        if row.value is not None and len(self._ready) < MAX_ALERTS:
            alert = msgspec.json.decode(row.value["arguments"], type=Alert)
            self._ready[row.key] = ready(alert, self._foldings.any)
            self._index.put(row.key, self._ready[row.key])


def read_alerts(settings: Settings, clock: Clock) -> AlertBook:
    """All alerts as they are now, for a program that runs for a moment. Blocks."""
    book = AlertBook(settings, clock)
    table = TopicTable(topic_names(settings).alerts, codec_for(settings, "control"), book.learn)
    reader = TableReader(settings, clock, [table], name="look")
    try:
        reader.read_all()
    finally:
        reader.close()
    return book


class AlertSaver:
    """Writes alerts, from any thread. Its producer is made with the first of them, and kept."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._codec, self._topic = codec_for(settings, "control"), topic_names(settings).alerts
        self._making = threading.Lock()
        self._producer: LastingProducer | None = None

    def save(self, alert: Alert | None, alert_id: str, *, actor: str | None) -> int:
        """Save an alert, or remove it (None). Returns its record's offset when Kafka holds it. Blocks."""
        check_id(alert_id)
        value = None
        if alert is not None:
            value = self._codec.encode(
                {
                    "command": "set_alert",
                    "id": None,
                    "actor": actor,
                    "at": self._clock.now_ms(),
                    "arguments": msgspec.json.encode(alert).decode(),
                }
            )
        told: list[tuple[Any, Any]] = []
        with self._making:
            if (producer := self._producer) is None:
                config = client_config(self._settings, enable_idempotence=True)
                producer = self._producer = LastingProducer(config)
        producer.produce(
            self._topic,
            value,
            key=alert_id.encode(),
            partition=0,
            on_delivery=lambda error, message: told.append((error, message)),
        )
        until = self._clock.monotonic() + _WAIT_S
        while not told and self._clock.monotonic() < until:
            producer.poll(_POLL_S)
        if not told or told[0][0] is not None:
            raise TouchlineError("not_delivered", "Kafka did not confirm the alert in time: try again.")
        return int(told[0][1].offset())


def save(settings: Settings, clock: Clock, alert: Alert | None, alert_id: str, *, actor: str | None) -> int:
    """Save one alert, from a program that saves no others."""
    return AlertSaver(settings, clock).save(alert, alert_id, actor=actor)


def alert_stream(alert_id: str) -> str:
    """Where an alert's events arrive."""
    return f"{Kind.BROADCAST}:{PREFIX}{alert_id}"
