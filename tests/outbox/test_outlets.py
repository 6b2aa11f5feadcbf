"""What every way out has to hold to, and each against a receiver that verifies, or decrypts, as others do."""

import asyncio
import contextlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import http_ece
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from standardwebhooks import Webhook as Verifier

from control.outlets.notifying import Notifying
from control.outlets.push_subscription import read_subscription
from control.outlets.vapid import read_vapid
from kernel.access.outward import Outward
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.records import Partition
from kernel.settings.outbox import Outbox
from kernel.settings.reading import Settings
from outbox.outlets.outlet import Item, Outcome, Outlet
from outbox.outlets.personal import UserWebhook
from outbox.outlets.web_push import BrowserPush, Vapid
from outbox.outlets.webhook import Poster, Signed, WebhookOutlet, outcome_of
from tests.outbox.receiver import SECRET

SETTINGS = Settings(outbox=Outbox(timeout_s=60))
CLOCK = SystemClock()


def item(number: int = 1, **data: Any) -> Item:
    body = json.dumps({"id": str(number), "seq": number, "data": data}).encode()
    place, stream = Partition("t.events.broadcast", 0), "broadcast:notify-ana"
    return Item(place, number, "notify-ana", stream, str(number), "mention", CLOCK.now_ms(), body)


class Browser:
    """A browser's part of Web Push: it has the keys, and decrypts what its service was handed."""

    def __init__(self) -> None:
        self.key, self.auth = ec.generate_private_key(ec.SECP256R1()), b"0123456789abcdef"

    def subscription(self, endpoint: str) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": encoded(point), "auth": encoded(self.auth)}
        return {"endpoint": endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> Any:
        text = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return json.loads(text)


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class Server:
    """What is at the other end: it answers as it is told, and keeps what it could read."""

    def __init__(self, read: Callable[[web.Request, bytes], Any]) -> None:
        self._read = read
        self.got: list[Any] = []
        self.answer: Callable[[], Awaitable[web.Response]] = self.fine
        self.url = ""
        #: Whoever has waited for an answer waits no more.
        self.over = asyncio.Event()

    async def fine(self) -> web.Response:
        return web.Response(status=201)

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(self._read(request, await request.read()))
        return await self.answer()

    def answers(self, status: int, after_s: float = 0, **headers: str) -> None:
        async def answer() -> web.Response:
            if after_s:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.over.wait(), after_s)
            return web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

        self.answer = answer


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/take"
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def vapid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path_factory.mktemp("vapid") / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


WAYS = ("webhook", "user's webhook", "browser")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, vapid_file: Path) -> str:
    return str(request.param)


@asynccontextmanager
async def outlet_of(
    way: str, vapid_file: Path, url: str = "", *, timeout_s: float = 60
) -> AsyncIterator[tuple[Outlet, Server]]:
    """An outlet that waits so long for an answer, and what it leads to."""
    waits = Outbox(timeout_s=timeout_s)
    browser = Browser()
    key = read_vapid(Settings(outbox=Outbox(vapid_key=str(vapid_file))))
    assert key is not None

    def verified(request: web.Request, body: bytes) -> Any:
        said = Verifier(SECRET).verify(body, dict(request.headers))
        assert request.headers["webhook-id"]
        return said["data"] if said["type"] == "digest" else said["data"]["data"]

    def decrypted(request: web.Request, body: bytes) -> Any:
        scheme, rest = request.headers["Authorization"].split(" ", 1)
        given = dict(part.strip().split("=", 1) for part in rest.split(","))
        assert (scheme, given["k"]) == ("vapid", key.public)
        claims = jwt.decode(
            given["t"],
            key.private.public_key(),
            algorithms=["ES256"],
            audience=f"{request.scheme}://{request.host}",
        )
        assert claims["sub"] == "mailto:ops@example.com"
        assert time.time() < claims["exp"] < time.time() + 24 * 60 * 60
        assert (request.headers["Content-Encoding"], request.headers["TTL"]) == ("aes128gcm", "86400")
        return browser.read(body)["data"]

    server = Server(decrypted if way == "browser" else verified)
    async with served(server), Poster(Outward(SETTINGS), waits, CLOCK) as poster:
        url = url or server.url
        signed, wishes = Signed(SECRET, CLOCK), Notifying(user="ana", webhook=url)
        if way == "webhook":
            yield WebhookOutlet(url, signed, poster, lambda one: one.body), server
        elif way == "user's webhook":
            yield UserWebhook(wishes, signed, poster), server
        else:
            subscription = json.dumps(browser.subscription(url))
            yield (
                BrowserPush(wishes, subscription, Vapid(key, "mailto:ops@example.com", CLOCK), poster),
                server,
            )


async def test_what_is_taken_is_done_and_can_be_read(way: str, vapid_file: Path) -> None:
    async with outlet_of(way, vapid_file) as (outlet, server):
        assert outlet.sort, "metrics count by it"
        assert (await outlet.deliver([item(by="bob")])).what == "done"
        assert server.got == [{"by": "bob"}]
        if outlet.digests:
            assert (await outlet.deliver([item(n, by="bob") for n in range(1, 6)])).what == "done"
            assert server.got[1] == {"count": 5, "types": {"mention": 5}, "first": "1", "last": "5"}
        assert outlet.hold_until(CLOCK.now_ms()) == 0


async def test_what_is_not_taken_is_tried_again_unless_it_is_over(way: str, vapid_file: Path) -> None:
    async with outlet_of(way, vapid_file) as (outlet, server):
        for status in (400, 403, 500, 503):
            server.answers(status)
            assert (await outlet.deliver([item()])).what == "again"
        server.answers(429, Retry_After="120")
        assert (await outlet.deliver([item()])).wait_s == 120
        server.answers(302, Location="http://169.254.169.254/latest/meta-data")
        assert (await outlet.deliver([item()])).what == "again"  # nobody follows it
        server.answers(410)
        assert (await outlet.deliver([item()])).what == "gone"
    async with outlet_of(way, vapid_file, timeout_s=0.5) as (outlet, server):
        server.answers(201, after_s=40)
        began = time.monotonic()
        assert (await outlet.deliver([item()])).what == "again"
        assert time.monotonic() - began < 20, "it waits no longer than it is to"
        server.over.set()


async def test_nobody_there(way: str, vapid_file: Path) -> None:
    async with outlet_of(way, vapid_file, "http://127.0.0.1:9/") as (outlet, _):
        assert (await outlet.deliver([item()])).what == "again"


async def test_a_name_that_leads_inside_is_not_connected_to() -> None:
    server = Server(lambda *_: None)
    closed = Settings(outbox=SETTINGS.outbox, auth=Settings().auth)
    outward = Outward(closed)
    outward.loopback = False
    async with served(server), Poster(outward, closed.outbox, CLOCK) as poster:
        port = urlsplit(server.url).port
        for host in ("localhost", "127.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"):
            outcome = await poster.post(f"http://{host}:{port}/", b"{}", {})
            assert outcome.what == "again"
        assert server.got == []


def test_answers() -> None:
    assert outcome_of(204, None, 0).what == "done"
    assert outcome_of(429, "7", 0).wait_s == 7
    assert outcome_of(503, "Thu, 01 Jan 1970 00:01:00 GMT", 30).wait_s == 30
    assert outcome_of(429, "soon", 0).wait_s is None
    assert outcome_of(500, "7", 0) == Outcome("again", "it answered 500")


def test_quiet_hours_hold_back() -> None:
    wishes = Notifying(user="ana", webhook="http://127.0.0.1/", quiet="00:00-23:59 UTC")
    way = UserWebhook(wishes, Signed(SECRET, CLOCK), None)  # type: ignore[arg-type]
    noon = 12 * 60 * 60 * 1000
    assert way.hold_until(noon) == (23 * 60 + 59) * 60 * 1000


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises(TouchlineError) as error:
        yield
    assert error.value.code == "bad_request"


def test_what_is_no_subscription() -> None:
    right = Browser().subscription("https://push.example.com/x")
    assert read_subscription(right).endpoint == right["endpoint"]
    keys = right["keys"]
    for wrong in (
        {},
        {"endpoint": "https://push.example.com"},
        {**right, "keys": {"p256dh": keys["p256dh"]}},
        {**right, "keys": {**keys, "auth": "short"}},
        {**right, "keys": {**keys, "p256dh": encoded(b"\x05" * 65)}},
        {**right, "keys": {**keys, "p256dh": "ä"}},
        "https://push.example.com",
    ):
        with refused():
            read_subscription(wrong)
