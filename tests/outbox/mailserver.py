"""A mail server that others wrote (aiosmtpd), as what e-mail is handed to."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class Mails:
    """What came, and how it is answered."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.to: list[str] = []
        #: What it says of a mailbox, and of a message.
        self.of_mailbox, self.of_message, self.after_s = "250 OK", "250 OK", 0.0
        self.url = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.of_mailbox.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.of_mailbox

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(self.after_s)
        if self.of_message.startswith("250"):
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.got.append(message)
            self.to += envelope.rcpt_tos
        return self.of_message

    async def until(self, count: int, within: float = 60) -> list[EmailMessage]:
        """The e-mails, once there are so many."""
        deadline = time.monotonic() + within
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} e-mails"
            await asyncio.sleep(0.05)
        return self.got


@contextmanager
def mail_server() -> Iterator[Mails]:
    """One at work, in a thread of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mails = Mails()
    controller = Controller(mails, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    mails.url = f"smtp://127.0.0.1:{port}"
    try:
        yield mails
    finally:
        controller.stop()
