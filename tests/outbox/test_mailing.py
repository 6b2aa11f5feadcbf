"""E-mail: what every way out has to hold to (test_outlets.py), against a mail server that others wrote; who
may have it sent to whom; and what no text can do to it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from kernel.access.mailboxes import mailbox_of
from kernel.access.signing import Signer
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.records import Partition
from kernel.log.topics import topic_names
from kernel.settings.outbox import Outbox
from outbox.outlets.mail import Mailer, MailOutlet, message_of
from outbox.outlets.outlet import Item, Outlet
from tests.feeds.following import new
from tests.outbox.mailserver import Mails, mail_server
from tests.pipeline import Pipeline
from tests.rooms.people import ok, refused

CLOCK = SystemClock()
WHERE = "mailto:ana@example.com"


def item(number: int = 1, type_: str = "alert", **data: Any) -> Item:
    body = json.dumps({"id": str(number), "seq": number, "data": data}).encode()
    place, channel = Partition("t.events.broadcast", 0), "alert-goals"
    return Item(place, number, channel, f"broadcast:{channel}", str(number), type_, CLOCK.now_ms(), body)


def settings(url: str, **more: Any) -> Outbox:
    given = {"timeout_s": 60.0, "mail_from": "touchline@example.com", "mail_every_s": 30.0, **more}
    return Outbox(mail_server=url, mail_to=("desk@example.com", "{user}@example.com"), **given)


@asynccontextmanager
async def outlet_of(**more: Any) -> AsyncIterator[tuple[Outlet, Mails]]:
    with mail_server() as mails:
        url = mails.url.replace("127.0.0.1", more.pop("host", "127.0.0.1"))
        mailer = Mailer(settings(more.pop("url", url), **more), CLOCK)
        yield MailOutlet("ana@example.com", "ana-goals", mailer, lambda one: one.body), mails
        mailer.close()


def text_of(mails: Mails, number: int = -1) -> str:
    return str(mails.got[number].get_content()).replace("\r\n", "\n")


async def test_what_is_taken_is_done_and_can_be_read() -> None:
    async with outlet_of() as (outlet, mails):
        inner = {"stream": "chat:final", "sender": "bob", "type": "message", "data": {"text": "grüße, 골!"}}
        assert (await outlet.deliver([item(alert="goals", event=inner)])).what == "done"
        (mail,) = mails.got
        assert (mail["To"], mail["From"]) == ("ana@example.com", "touchline@example.com")
        assert mails.to == ["ana@example.com"]
        assert mail["Subject"] == "broadcast:alert-goals: alert"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Message-ID"] == "<1.1.ana-goals@example.com>"
        assert "chat:final message\nbob: grüße, 골!\n" in text_of(mails)
        now = CLOCK.now_ms()
        assert 20_000 < outlet.hold_until(now) - now <= 30_000
        assert (await outlet.deliver([item(n, text=f"goal {n}") for n in range(1, 31)])).what == "done"
        assert mails.got[1]["Subject"] == "broadcast:alert-goals: 30 events"
        assert "goal 20" in text_of(mails)
        assert "... and 10 more." in text_of(mails)
        assert "goal 21" not in text_of(mails)


async def test_what_is_not_taken_is_tried_again_unless_it_is_over() -> None:
    async with outlet_of() as (outlet, mails):
        for mailbox, message in (
            ("451 later", "250 OK"),
            ("250 OK", "452 full"),
            ("250 OK", "554 spam"),
            ("554 not now", "250 OK"),
        ):
            mails.of_mailbox, mails.of_message = mailbox, message
            assert (await outlet.deliver([item()])).what == "again", (mailbox, message)
        assert outlet.hold_until(CLOCK.now_ms()) == 0
        mails.of_mailbox = "550 5.1.1 no such user"
        assert (await outlet.deliver([item()])).what == "gone"
    async with outlet_of(timeout_s=0.5) as (outlet, mails):
        mails.after_s = 20
        began = time.monotonic()
        assert (await outlet.deliver([item()])).what == "again"
        assert time.monotonic() - began < 15, "it waits no longer than it is to"


async def test_nobody_there_or_nobody_who_keeps_secrets() -> None:
    async with outlet_of(url="smtp://127.0.0.1:9") as (outlet, _):
        assert (await outlet.deliver([item()])).what == "again"
    # It knows no AUTH: nobody's password is told to it.
    async with outlet_of(mail_user="touchline", mail_password="a-password") as (outlet, mails):
        outcome = await outlet.deliver([item()])
        assert outcome.what == "again"
        assert "a-password" not in outcome.why
        assert not mails.got
    # By a name that is not loopback's a server has to know STARTTLS, and this one does not.
    async with outlet_of(host="127.1") as (outlet, mails):
        outcome = await outlet.deliver([item()])
        assert (outcome.what, "STARTTLS" in outcome.why) == ("again", True)
        assert not mails.got
    with pytest.raises(TouchlineError, match="smtp://"):
        Mailer(settings("http://mail.example.com"), CLOCK)


def test_no_text_makes_a_header() -> None:
    evil = "goal\r\nBcc: everybody@example.com\r\n\r\nhello"
    one = item(type_=evil, text=f"x\r\n.\r\nMAIL FROM:<a@b>\r\n{evil}")
    message = message_of([(one, one.body)], "hook", "touchline@example.com", "ana@example.com")
    assert message["Bcc"] is None
    assert sorted(message.keys()) == sorted(
        [
            *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Precedence"),
            *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
        ]
    )
    assert "\n" not in message["Subject"]
    head, _, _ = message.as_bytes().partition(b"\r\n\r\n")
    assert b"\nBcc" not in head


@pytest.mark.parametrize(
    ("url", "user", "own", "code"),
    [
        (WHERE, "ana", True, None),
        ("mailto:ANA@Example.com", "ana", True, None),
        (WHERE, "ana", False, None),
        ("mailto:desk@example.com", None, False, None),
        ("mailto:desk@example.com", "ana", True, "forbidden"),
        ("mailto:bob@example.com", "ana", True, "forbidden"),
        ("mailto:bob@example.com", "ana", False, "forbidden"),
        ("mailto:@example.com", None, False, "bad_request"),
        ("mailto:{user}@example.com", None, False, "bad_request"),
        ("mailto:ana@example.com?bcc=bob@example.com", "ana", True, "bad_request"),
        ("mailto:ana@example.com,bob@example.com", "ana", True, "bad_request"),
        ("mailto:ana@example.com%0d%0aBcc:bob@example.com", "ana", True, "bad_request"),
        ("mailto:ana@example.com\r\nBcc: bob@example.com", "ana", True, "bad_request"),
        ("mailto:a na@example.com", "a na", True, "bad_request"),
        ("mailto:ana@example.com@evil.example", "ana@example.com", True, "bad_request"),
        ("mailto:x@example.com", "x@example.com,y", True, "forbidden"),
    ],
)
def test_to_whom_it_may_be_sent(url: str, user: str | None, own: bool, code: str | None) -> None:
    allowing = settings("smtp://127.0.0.1:25")
    if code is None:
        assert mailbox_of(url, user, allowing, own=own) == url.removeprefix("mailto:")
        with pytest.raises(TouchlineError, match="No e-mail"):
            mailbox_of(url, user, Outbox(mail_to=allowing.mail_to), own=own)
        return
    with pytest.raises(TouchlineError) as error:
        mailbox_of(url, user, allowing, own=own)
    assert error.value.code == code


@pytest.mark.servers
async def test_whoever_made_an_alert_is_mailed_seldom_and_all_of_it(posting: Pipeline, mails: Mails) -> None:
    ana, bob, alert = new("ana", "bob", "mailed")
    await ok(posting, "PUT", f"/v1/alerts/{alert}", ana, {"q": "goal", "channel": "final"})
    stream = f"broadcast:alert-{alert}"
    body = {"url": f"mailto:{ana}@example.com", "streams": [stream]}
    path = f"/v1/webhooks/{alert}"
    assert await refused(posting, "PUT", path, bob, body) == (403, "forbidden")
    to_bob = body | {"url": f"mailto:{bob}@example.com"}
    assert await refused(posting, "PUT", path, ana, to_bob) == (403, "forbidden")
    twice = body | {"url": f"mailto:{ana}@example.com?cc={bob}@example.com"}
    assert await refused(posting, "PUT", path, ana, twice) == (400, "bad_request")
    made = await ok(posting, "PUT", path, ana, body)
    assert (made["active"], "secret" in made) == (True, False)

    producer = Producer(client_config(posting.settings, partitioner="murmur2_random"))
    key, began = f"alert-{alert}", time.monotonic()
    for number in range(30):
        event = {
            "stream": "chat:final",
            "sender": bob,
            "type": "message",
            "data": {"text": f"goal {number}."},
        }
        said = {"type": "alert", "sender": "touchline", "data": {"alert": alert, "event": event}}
        value = msgspec.json.encode(said)
        headers = Signer(posting.settings.auth).headers(Kind.BROADCAST, key, value)
        topic = topic_names(posting.settings).ingest[Kind.BROADCAST]
        producer.produce(topic, value, key=key.encode(), headers=headers)
        producer.flush(60)
        await asyncio.sleep(0.02)
    deadline = time.monotonic() + 90
    while True:
        mine = [mail for mail in mails.got if mail["To"] == f"{ana}@example.com"]
        told = "".join(str(mail.get_content()) for mail in mine)
        if "goal 29." in told or "more." in told:
            break
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.1)
    assert f"{bob}: goal 0." in told
    every_s = posting.settings.outbox.mail_every_s
    assert len(mine) <= 2 + (time.monotonic() - began) / every_s
    assert not [mail for mail in mails.got if mail["To"] != f"{ana}@example.com" and alert in mail["Subject"]]
