"""Every parser that meets the network, as a function of bytes: it takes them, or refuses with a sentence.

Whatever else it raises is a finding. What is taken has to hold what the next part relies on, which is checked
here too. tests/security/corpus/<name>/ has inputs for each; `python -m tests.security.fuzz` looks for more.
"""

import asyncio
import base64
import contextlib
import hmac
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import zstandard

from bench.rig.edge_alone import bare_service
from consumers.protocol.messages import BadRequest, parse_request
from consumers.protocol.session import Guest, Member
from consumers.transport.oneway import read_cursors
from control.commands.checks import check_command
from gateway.http.bodies import items_of, unpacking_of
from gateway.search.alerts import parameters_of
from kernel.access.jwks import public_key
from kernel.access.tokens import StaticKeys, Verifier, everything
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Kind, Stream
from kernel.settings.reading import Auth, Settings
from producers.posts import read_post
from schemas.codec import Codec
from schemas.ingest import decode_ingest
from search_indexer.alerts import read_alert
from search_indexer.query.elasticsearch_query import clauses
from search_indexer.query.highlight import highlight
from search_indexer.query.parser import parse
from search_indexer.searching.cursors import Cursors
from search_indexer.searching.request import Search, read_search
from search_indexer.text.folding import Folding
from tests.security.records import RECORDS
from tests.security.wire import come

SECRET: Final = "a-secret-of-the-fuzzers-with-32-bytes-and-more"
Target = Callable[[bytes], object]


@contextlib.contextmanager
def refusing(code: str) -> Iterator[None]:
    """A refusal with this code is as good as taking it; it is told to whoever counts what was taken."""
    try:
        yield
    except TouchlineError as refused:
        if refused.code != code:
            raise AssertionError(f"refused with {refused.code}, not {code}") from refused
        raise


def text_of(data: bytes) -> str:
    """As it comes out of a URL or a header."""
    return data.decode("utf-8", "replace")


def protocol(data: bytes) -> None:
    """A frame of a viewer's: to one request, and to a guest's and a member's session."""
    with contextlib.suppress(BadRequest):
        parse_request(data)
    for session in sessions():
        for _ in session.receive(text_of(data), 0.0):
            pass


def sessions() -> tuple[Guest, Member]:
    rules = service().admission.rules
    return Guest(rules, 0.0), Guest(rules, 0.0).admit(everything("ana"), 0.0)


@cache
def service() -> Any:
    return bare_service()


def door(data: bytes) -> None:
    """Bytes on an edge's port, from the handshake on: WebSocket, SSE and polling."""

    async def run() -> None:
        own = bare_service()
        come(own, data, [len(data) // 2])
        assert not own.admission.connections()
        await own.close()

    asyncio.run(run())


def ingest(kind: Kind, data: bytes) -> None:
    """A record of a topic: Avro or JSON. What is taken can be written again, and reads the same."""
    event = decode_ingest(kind, data)
    codec = codec_of(kind)
    assert codec.decode(codec.encode(event)) == event


@cache
def codec_of(kind: Kind) -> Codec:
    return Codec(f"ingest-{kind}")


def post(data: bytes) -> None:
    """A body of HTTP ingest: one event, or an array of them."""
    items = list(items_of(data, 1024 * 1024)) if data.lstrip()[:1] == b"[" else [data]
    for kind, item in itertools.product(Kind, items):
        read_post(Stream(kind, "a"), item)


def unpack(encoding: str, data: bytes) -> None:
    """A packed body: its pieces are bounded, whatever it would unpack to."""
    try:
        for piece in itertools.islice(unpacking_of(encoding).pieces(data), 64):
            assert len(piece) <= 8 * 1024 * 1024
    except (zlib.error, zstandard.ZstdError):
        pass  # `pieces_of` makes a sentence of it


def query(data: bytes) -> None:
    """What somebody types into the search."""
    text = text_of(data)
    found = parse(text, folding())
    json.dumps(clauses(found))
    shown = highlight(found, text, folding())
    assert "<" not in shown.replace("<mark>", "").replace("</mark>", "")


@cache
def folding() -> Folding:
    return Folding()


def search(data: bytes) -> None:
    """The query string of a search."""
    read_search(parse_qsl(text_of(data), keep_blank_values=True))


def search_cursor(data: bytes) -> None:
    """The cursor of a search's next page: as it comes, and with a signature that is right."""
    cursors = Cursors(Settings(auth=Auth(secret=SECRET)))
    signed = cursors.signed(data)
    with contextlib.suppress(TouchlineError), refusing("bad_request"):
        cursors.read(text_of(data), Search(), 2)
    with refusing("bad_request"):
        assert len(cursors.read(signed, Search(), 2)) == 2


def viewer_cursor(data: bytes) -> None:
    """Last-Event-ID, and the cursor of polling."""
    assert all(0 <= seq <= MAX_SEQ for seq in read_cursors(text_of(data)).values())


@cache
def verifier() -> Verifier:
    auth = Auth(secret=SECRET)
    return Verifier(auth, StaticKeys(auth), ManualClock())


def token(data: bytes) -> None:
    """A token as it comes. Only one that is signed with the key may be taken."""
    with refusing("unauthorized"):
        verifier().grants(text_of(data))


def claims(data: bytes) -> None:
    """Claims of any kind behind a signature that is right: an issuer may be careless."""
    part = b".".join(map(unpadded, (b'{"alg":"HS256","typ":"JWT"}', data)))
    signature = hmac.digest(SECRET.encode(), part, "sha256")
    with refusing("unauthorized"):
        grants = verifier().grants((part + b"." + unpadded(signature)).decode())
        assert isinstance(grants.user, str)
        grants.allows("subscribe", "chat:a")


def unpadded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jwks(data: bytes) -> None:
    """An entry of an issuer's keys."""
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(entry, dict):
        public_key(entry)


def channel(data: bytes) -> None:
    """The body of PUT /v1/channels/{channel}."""
    try:
        wanted = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(wanted, dict):
        check_command("a", "set_channel", wanted)


def alert(data: bytes) -> None:
    """The body of PUT /v1/alerts/{id}: a search's parameters, and where it looks."""
    try:
        body = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return
    given, lists = parameters_of(body)
    patterns = ("*",)
    by: dict[str, Any] = {"patterns": patterns, "owner": "ana", "admin": patterns}
    read_alert("a", given, **lists, now_ms=0, **by)


TARGETS: Final[dict[str, Target]] = {
    "protocol": protocol,
    "door": door,
    "ingest-chat": partial(ingest, Kind.CHAT),
    "ingest-location": partial(ingest, Kind.LOCATION),
    "ingest-broadcast": partial(ingest, Kind.BROADCAST),
    "post": post,
    "gzip": partial(unpack, "gzip"),
    "zstd": partial(unpack, "zstd"),
    "query": query,
    "search": search,
    "search-cursor": search_cursor,
    "viewer-cursor": viewer_cursor,
    "token": token,
    "claims": claims,
    "jwks": jwks,
    "channel": channel,
    "alert": alert,
    **RECORDS,
}


def is_sound(target: Target, data: bytes) -> bool:
    """Whether a parser takes these bytes; a refusal with a sentence is sound too, all else is raised."""
    try:
        target(data)
    except TouchlineError as refused:
        if not refused.message:
            raise AssertionError("a refusal without a sentence") from refused
        return False
    return True
