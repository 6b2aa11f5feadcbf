"""What doors do with webhooks and with what users want to be told. All raises TouchlineError.

A door asks by its own tables whether it can be done, gives the command, sealed, and waits until its tables
have it.
"""

import asyncio
import secrets as random
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from standardwebhooks import Webhook as Signing
from standardwebhooks.webhooks import EmptyWebhookSecretError

from control.commands.signed import seal
from control.entity.user_quotas import Shares
from control.outlets.notifying import SET_NOTIFYING, Notifying, off_of, read_quiet
from control.outlets.notifying import said_of as said_of_wishes
from control.outlets.notifying import shown as wishes_shown
from control.outlets.push_subscription import Subscription, read_subscription
from control.outlets.secrets import Secrets
from control.outlets.vapid import read_vapid
from control.outlets.webhooks import (
    REMOVE_WEBHOOK,
    RETRY_WEBHOOK,
    SET_WEBHOOK,
    Wanted,
    Webhook,
    check_id,
    check_wanted,
    said_of,
    shown,
)
from control.rooms.service import Command, Who
from control.state import ControlState
from kernel.access.mailboxes import is_mail, mailbox_of
from kernel.access.outward import Outward
from kernel.access.signing import Signer
from kernel.access.users import name_in_channel
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.settings.reading import Settings

MAX_SECRET: Final = 256
#: Who administers a part only has at most this part of all webhooks that there may be.
_SHARE: Final = 10
#: Webhooks that are looked through for one read.
_IN_A_READ: Final = 20
_SECRET_BYTES: Final = 32
_NO_USERS: Final = "Users have no webhooks of their own here."
_ALLOWS_USERS: Final = "TOUCHLINE_OUTBOX_USER_WEBHOOKS=true allows them."
_NO_PUSH: Final = "Nothing is pushed to browsers here: there is no VAPID key."
_KEY_FOR_PUSH: Final = "TOUCHLINE_OUTBOX_VAPID_KEY names the file of one, for gateways and outboxes."


class OutletService:
    """Webhooks as administrators have them, and users of their own alerts; wishes as users have them."""

    def __init__(self, state: ControlState, command: Command, settings: Settings) -> None:
        self._state, self._command = state, command
        self._signer, self._secrets = Signer(settings.auth), Secrets(settings.auth)
        self._outward, self._outbox = Outward(settings), settings.outbox
        self._vapid = read_vapid(settings)
        self._shares = Shares(lambda: state.outlets.webhooks, lambda webhook: webhook.maker)

    # ── webhooks ─────────────────────────────────────────────────────────────────────────────────────

    async def set_webhook(self, who: Who, id_: str, wanted: Wanted) -> tuple[dict[str, Any], bool]:
        """Make a webhook, or change it; and whether it is new. A secret that was made up is told once."""
        check_id(id_)
        check_wanted(wanted)
        own = not self._administers(who, wanted.streams, wanted.users)
        if own:
            self._must_own(who, wanted)
        if is_mail(wanted.url):
            mailbox_of(wanted.url, who.user, self._outbox, own=own)
        else:
            self._outward.check(wanted.url)
        before = self._state.outlets.webhook(id_)
        if before is not None:
            self._must_have_made(who, before)
        else:
            await self._check_room_for(who)
        told: dict[str, Any] = {}
        if wanted.secret is not None or before is None:
            secret = new_secret() if wanted.secret is None else check_secret(wanted.secret)
            sealed = self._secrets.seal(secret, id_)
            # Nobody verifies an e-mail by it.
            told = {"secret": secret} if wanted.secret is None and not is_mail(wanted.url) else {}
        else:
            sealed = before.secret
        webhook = Webhook(
            id=id_,
            url=wanted.url,
            secret=sealed,
            streams=tuple(dict.fromkeys(wanted.streams)),
            users=tuple(dict.fromkeys(wanted.users)),
            types=tuple(dict.fromkeys(wanted.types)),
            maker=who.user if before is None else before.maker,
            own=own or (before is not None and before.own and before.streams == wanted.streams),
        )
        await self._say(SET_WEBHOOK, webhook, who, after=before)
        return {**shown(webhook), **told}, before is None

    async def _check_room_for(self, who: Who) -> None:
        most = self._outbox.max_webhooks
        if self._state.outlets.webhooks.count() >= most:
            raise TouchlineError("limit_reached", f"There are {most} webhooks, as many as there may be.")
        share = max(1, most // _SHARE)
        if who.user is None or who.grants.allows("admin", "*"):
            return
        if await self._shares.of(who.user) >= share:
            raise TouchlineError(
                "limit_reached",
                f"You have {share} webhooks, as many as one may have of the {most} that there may be.",
                hint="Remove one, or have one for more streams.",
            )

    def webhook(self, who: Who, id_: str) -> Webhook:
        """A webhook, for whoever administers it, or has it of their own. Raises `not_found`."""
        found = self._state.outlets.webhook(check_id(id_))
        if found is None:
            raise TouchlineError("not_found", f"There is no webhook {id_}.")
        self._must_have(who, found)
        return found

    @property
    def cost(self) -> float:
        """How many reads it is to look through all webhooks: there may be a thousand of 7 kB each."""
        return 1.0 + self._state.outlets.webhooks.count() / _IN_A_READ

    async def webhooks(self, who: Who) -> list[dict[str, Any]]:
        """All that somebody administers, or has of their own."""
        return await asyncio.to_thread(self._webhooks, who)

    def _webhooks(self, who: Who) -> list[dict[str, Any]]:
        return [shown(one) for one in self._state.outlets.all_webhooks() if self._has(who, one)]

    async def remove_webhook(self, who: Who, id_: str) -> dict[str, Any]:
        """Post nothing more; what was not posted yet is not posted either."""
        before = self.webhook(who, id_)
        await self._say(REMOVE_WEBHOOK, before, who, after=before)
        return shown(before)

    async def retry_webhook(self, who: Who, id_: str) -> dict[str, Any]:
        """Try now what waits for its next try, and once more what was given up."""
        before = self.webhook(who, id_)
        await self._say(RETRY_WEBHOOK, before, who, after=before)
        return shown(before)

    async def _say(self, command: str, webhook: Webhook, who: Who, *, after: Webhook | None) -> None:
        revision = 0 if after is None else after.revision
        said = seal(command, webhook.id, said_of(webhook), self._signer)
        await self._command(webhook.id, command, said, who.user)

        def in_force() -> bool:
            now = self._state.outlets.webhook(webhook.id)
            if command == REMOVE_WEBHOOK or now is None:
                return now is None and command == REMOVE_WEBHOOK
            # Two may have made one of this id at once: the fold has taken the first.
            return now.revision > revision and now.maker == webhook.maker

        await self._state.rooms.until(in_force)

    def _administers(self, who: Who, streams: tuple[str, ...], users: tuple[str, ...]) -> bool:
        return all(who.grants.allows("admin", pattern) for pattern in (*streams, *(("*",) if users else ())))

    def _has(self, who: Who, webhook: Webhook) -> bool:
        mine = webhook.own and webhook.maker is not None and webhook.maker == who.user
        return mine or self._administers(who, webhook.streams, webhook.users)

    def _must_have(self, who: Who, webhook: Webhook) -> None:
        if not self._has(who, webhook):
            raise TouchlineError("forbidden", f"The webhook {webhook.id} is of what you do not administer.")

    def _must_have_made(self, who: Who, webhook: Webhook) -> None:
        """Raise `forbidden` where a webhook is somebody else's: whoever administers the same streams may look
        at it and remove it, and not have its events posted elsewhere."""
        self._must_have(who, webhook)
        if webhook.maker != who.user and not who.grants.allows("admin", "*"):
            raise TouchlineError(
                "forbidden",
                f"The webhook {webhook.id} was made by somebody else: only they change it.",
                hint="Make one of your own, or remove this one.",
            )

    def _must_own(self, who: Who, wanted: Wanted) -> None:
        """Raise `forbidden` where these are not all streams of alerts that somebody has made."""
        owner_of = self._state.readers.owner_of
        for pattern in (*wanted.streams, *(("*",) if wanted.users else ())):
            channel = pattern.removeprefix(f"{Kind.BROADCAST}:")
            if channel == pattern or who.user is None or owner_of(channel) != who.user:
                raise TouchlineError(
                    "forbidden",
                    f"A webhook of {pattern} needs admin on it; without, one is of your own alerts.",
                )
        # To whom e-mail may go is a setting of its own.
        if not self._outbox.user_webhooks and not is_mail(wanted.url):
            raise TouchlineError("forbidden", _NO_USERS, hint=_ALLOWS_USERS)

    # ── what users want to be told ───────────────────────────────────────────────────────────────────

    def wishes(self, who: Who) -> dict[str, Any]:
        """What one wants to be told; and the key for a browser's subscription, where there is one."""
        shown_ = wishes_shown(self._state.outlets.notifying_of(who.named()))
        return shown_ if self._vapid is None else {**shown_, "push_key": self._vapid.public}

    async def set_wishes(self, who: Who, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Say what one wants to be told. Types and quiet hours that are not named are as they are for
        everybody; a webhook and a push subscription stay until null takes them away."""
        user = who.named()
        before = self._state.outlets.notifying_of(user)
        types, quiet = wanted.get("types"), wanted.get("quiet")
        types = {} if types is None else types
        if not isinstance(types, Mapping):
            raise TouchlineError("bad_request", "types is an object: {type: true or false}.")
        if quiet is not None:
            if not isinstance(quiet, str):
                raise TouchlineError("bad_request", "quiet is a text, like 22:00-07:00 Europe/Paris.")
            read_quiet(quiet)
        wishes = replace(before, user=user, off=off_of(types), quiet=quiet or "", revision=0, places={})
        wishes, told = self._with_webhook(wishes, wanted)
        wishes = self._with_push(wishes, wanted)
        said = seal(SET_NOTIFYING, name_in_channel(user), said_of_wishes(wishes), self._signer)
        await self._command(name_in_channel(user), SET_NOTIFYING, said, user)
        await self._state.rooms.until(
            lambda: self._state.outlets.notifying_of(user).revision > before.revision
        )
        return {**self.wishes(who), **told}

    def _with_webhook(self, wishes: Notifying, wanted: Mapping[str, Any]) -> tuple[Notifying, dict[str, Any]]:
        if "webhook" not in wanted:
            return wishes, {}
        url = wanted["webhook"]
        if url is None:
            return replace(wishes, webhook="", secret=""), {}
        if not self._outbox.user_webhooks:
            raise TouchlineError("forbidden", _NO_USERS, hint=_ALLOWS_USERS)
        if not isinstance(url, str):
            raise TouchlineError("bad_request", "webhook is an address.")
        self._outward.check(url)
        if url == wishes.webhook:
            return wishes, {}
        secret = new_secret()
        sealed = self._secrets.seal(secret, secret_about(wishes.user))
        return replace(wishes, webhook=url, secret=sealed), {"secret": secret}

    def _with_push(self, wishes: Notifying, wanted: Mapping[str, Any]) -> Notifying:
        if "push" not in wanted:
            return wishes
        if wanted["push"] is None:
            return replace(wishes, push="")
        subscription: Subscription = read_subscription(wanted["push"])
        if self._vapid is None:
            raise TouchlineError("forbidden", _NO_PUSH, hint=_KEY_FOR_PUSH)
        self._outward.check(subscription.endpoint)
        text = msgspec.json.encode(subscription).decode()
        return replace(wishes, push=self._secrets.seal(text, secret_about(wishes.user)))

    async def forget(self, user: str) -> None:
        """Nothing is kept of what a user wanted: their data are erased."""
        before = self._state.outlets.notifying_of(user)
        if not before.revision:
            return
        said = seal(SET_NOTIFYING, name_in_channel(user), said_of_wishes(Notifying(user=user)), self._signer)
        await self._command(name_in_channel(user), SET_NOTIFYING, said, user)
        await self._state.rooms.until(
            lambda: self._state.outlets.notifying_of(user).revision > before.revision
        )


def secret_about(user: str) -> str:
    """What the secrets of a user are sealed for."""
    return f"notifying {name_in_channel(user)}"


def new_secret() -> str:
    """A secret as Standard Webhooks writes it."""
    return "whsec_" + b64encode(random.token_bytes(_SECRET_BYTES)).decode()


def check_secret(secret: str) -> str:
    """Raise `bad_request` where posts cannot be signed by a secret."""
    try:
        fits = 0 < len(secret) <= MAX_SECRET and secret.isascii() and Signing(secret) is not None
    except (ValueError, EmptyWebhookSecretError):
        fits = False
    if not fits:
        raise TouchlineError(
            "bad_request",
            f"secret is no secret of Standard Webhooks: whsec_ and base64, of at most {MAX_SECRET} signs.",
        )
    return secret
