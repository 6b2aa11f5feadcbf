"""E-mail: events as plain text, handed to a mail server; seldom, and many at once as one."""

import asyncio
import smtplib
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from kernel.access.tokens import is_loopback
from kernel.clock import Clock, to_rfc3339
from kernel.errors import TouchlineError
from kernel.settings.outbox import Outbox
from outbox.outlets.outlet import DONE, Item, Outcome

#: E-mails on their way to the server at once, of all receivers.
_THREADS: Final = 4
#: Of a text so much, and so many events of a digest are written out.
_TEXT: Final = 500
_WRITTEN: Final = 20
_SUBJECT: Final = 150
#: What a server says of a mailbox that is not there or takes nothing, ever (RFC 5321).
_NO_MAILBOX: Final = frozenset({550, 551, 553, 556})
_PORTS: Final = {"smtp": 587, "smtps": 465}


class Mailer:
    """Hands e-mail in."""

    def __init__(self, settings: Outbox, clock: Clock) -> None:
        """Raises `bad_setting`."""
        parts = urlsplit(settings.mail_server)
        if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
            raise TouchlineError(
                "bad_setting", "outbox.mail_server is smtp:// or smtps://, a host and a port."
            )
        self._host, self._secure = parts.hostname, parts.scheme == "smtps"
        self._port = parts.port or _PORTS[parts.scheme]
        self._settings, self._clock = settings, clock
        self.sender = settings.mail_from
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mail")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def next_ms(self) -> int:
        """When a receiver that has just had one may have another."""
        return self._clock.now_ms() + round(self._settings.mail_every_s * 1000)

    async def send(self, message: EmailMessage, to: str) -> Outcome:
        """Hand it in, and say what became of it."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await loop.run_in_executor(self._threads, self._send, message, to)
        except TimeoutError:
            return Outcome("again", f"no answer within {self._settings.timeout_s:g} s")

    def _send(self, message: EmailMessage, to: str) -> Outcome:
        try:
            with self._connected() as server:
                server.send_message(message, self._settings.mail_from, [to])
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            why = f"{code}: {said.decode(errors='replace')}"[:300]
            return Outcome("gone", why) if code in _NO_MAILBOX else Outcome("again", why)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return Outcome("again", f"{type(error).__name__}: {error}"[:300])
        return DONE

    def _connected(self) -> smtplib.SMTP:
        timeout, context = self._settings.timeout_s, ssl.create_default_context()
        if self._secure:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=timeout)
        try:
            if not self._secure and not is_loopback(self._host):
                server.starttls(context=context)  # raises where the server does not know it
            if self._settings.mail_user:
                server.login(self._settings.mail_user, self._settings.mail_password)
        except BaseException:
            server.close()
            raise
        return server


class MailOutlet:
    """A mailbox: an event at a time, what came meanwhile as a digest."""

    sort = "mail"
    digests = True
    #: What several channels have waits for the same bound.
    at_once = 1

    def __init__(self, address: str, name: str, mailer: Mailer, shown: Callable[[Item], bytes]) -> None:
        """`name` of the receiver; `shown`: an event as it may be shown now."""
        self._address, self._name, self._mailer = address, name, mailer
        self._shown = shown
        self._until_ms = 0

    async def deliver(self, items: Sequence[Item]) -> Outcome:
        events = [(item, self._shown(item)) for item in items]
        message = message_of(events, self._name, self._mailer.sender, self._address)
        outcome = await self._mailer.send(message, self._address)
        if outcome.what == "done":
            self._until_ms = self._mailer.next_ms()
        return outcome

    def hold_until(self, now_ms: int) -> int:
        """One e-mail in a while."""
        return self._until_ms if self._until_ms > now_ms else 0


def message_of(events: Sequence[tuple[Item, bytes]], name: str, sender: str, address: str) -> EmailMessage:
    """The e-mail about events, which are of one channel. Pure."""
    last, count = events[-1][0], len(events)
    message = EmailMessage(SMTP)
    # A header has one line, whatever somebody has called an event's type.
    message["Subject"] = _line(f"{last.stream}: {last.type if count == 1 else f'{count} events'}")[:_SUBJECT]
    message["From"], message["To"] = sender, address
    message["Date"] = format_datetime(datetime.fromtimestamp(last.at_ms / 1000, UTC))
    # The same event has the same one, should it be sent twice.
    message["Message-ID"] = f"<{last.id}.{count}.{name}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    lines = [_event(item, body) for item, body in events[:_WRITTEN]]
    if count > _WRITTEN:
        lines.append(f"... and {count - _WRITTEN} more.")
    lines.append(f"--\nTouchline sends this because of the webhook {name}, which its maker can remove.")
    message.set_content("\n\n".join(lines))
    return message


def _event(item: Item, body: bytes) -> str:
    """An event for people; of an alert, what set it off."""
    event: dict[str, Any] = msgspec.json.decode(body)
    data = event.get("data") or {}
    inner = data.get("event")
    if isinstance(inner, dict) and "stream" in inner:
        event, data = inner, inner.get("data") or {}
    stream, who = event.get("stream", item.stream), event.get("sender")
    told = data.get("text")
    text = told if isinstance(told, str) else msgspec.json.encode(data).decode()
    said = "(taken back)" if event.get("retracted") else text
    head = f"{event.get('server_ts') or to_rfc3339(item.at_ms)}  {stream}  {event.get('type', item.type)}"
    return f"{_line(head)}\n{_line(who) + ': ' if isinstance(who, str) else ''}{_lines(said)[:_TEXT]}"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _lines(text: str) -> str:
    return "\n".join(_line(line) for line in text.splitlines())
