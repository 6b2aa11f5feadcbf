"""A bucket behind the S3 API as a store: clients put and get the bytes there, and gateways never see them.

An address to upload to is signed over size, type, SHA-256 and facts: S3 itself refuses what differs from
them. The facts are the object's metadata.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from control.attachments.references import Facts
from gateway.attachments.content import disposition
from gateway.attachments.store import LISTED, Address
from kernel.attachment_ids import is_attachment
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.settings.attachments import Attachments

_META: Final = "touchline"
#: What S3 keeps beside an object at most, less its name.
_MAX_META: Final = 2000
_TIMEOUT_S: Final = 10
_MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})


class _Facts(msgspec.Struct):
    """The facts that S3 does not know by itself."""

    stream: str
    name: str
    sha256: str
    owner: str | None = None
    device: str = ""


class Bucket:
    """See `gateway.attachments.store.Store`."""

    def __init__(self, settings: Attachments, clock: Clock) -> None:
        if not settings.s3_bucket:
            raise TouchlineError("bad_setting", "TOUCHLINE_ATTACHMENTS_S3_BUCKET names no bucket.")
        self._settings, self._clock = settings, clock
        self._client: Any = None

    async def open(self, stack: AsyncExitStack) -> None:
        """Make the client, which `stack` closes. The bucket need not be in reach yet."""
        settings = self._settings
        given = {
            "aws_access_key_id": settings.s3_access_key,
            "aws_secret_access_key": settings.s3_secret_key,
            "endpoint_url": settings.s3_endpoint,
        }
        config = AioConfig(
            signature_version="s3v4",
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            retries={"total_max_attempts": 3, "mode": "standard"},
            # Servers of one's own have no name for each bucket.
            s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
        )
        client = get_session().create_client(
            "s3",
            region_name=settings.s3_region,
            config=config,
            **{name: value for name, value in given.items() if value},
        )
        self._client = await stack.enter_async_context(client)

    async def upload(self, attachment: str, facts: Facts, base: str) -> Address:  # noqa: ARG002 - a Store
        meta = _written(facts)
        digest = base64.b64encode(bytes.fromhex(facts.sha256)).decode()
        url = await self._address(
            "put_object",
            self._settings.upload_s,
            Key=self._key(attachment),
            ContentLength=facts.size,
            ContentType=facts.type,
            ChecksumSHA256=digest,
            Metadata={_META: meta},
        )
        headers = {
            "Content-Type": facts.type,
            "x-amz-checksum-sha256": digest,
            f"x-amz-meta-{_META}": meta,
        }
        return Address("PUT", url, headers, self._end(self._settings.upload_s))

    async def find(self, attachment: str) -> Facts | None:
        async with _told():
            try:
                head = await self._client.head_object(
                    Bucket=self._settings.s3_bucket, Key=self._key(attachment), ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _MISSING:
                    return None
                raise
        return _read(head)

    async def download(self, attachment: str, facts: Facts, base: str) -> Address:  # noqa: ARG002 - a Store
        url = await self._address(
            "get_object",
            self._settings.url_s,
            Key=self._key(attachment),
            ResponseContentDisposition=disposition(facts),
            ResponseContentType=facts.type,
        )
        return Address("GET", url, {}, self._end(self._settings.url_s))

    async def delete(self, attachment: str) -> None:
        async with _told():
            await self._client.delete_object(Bucket=self._settings.s3_bucket, Key=self._key(attachment))

    async def listed(self, after: str, before: str) -> list[str]:
        prefix = self._settings.s3_prefix
        async with _told():
            page = await self._client.list_objects_v2(
                Bucket=self._settings.s3_bucket, Prefix=prefix, StartAfter=prefix + after, MaxKeys=LISTED
            )
        names = (found["Key"].removeprefix(prefix) for found in page.get("Contents", ()))
        return [name for name in names if is_attachment(name) and after < name < before]

    async def tidy(self, now_ms: int) -> None:
        """Nothing: an object is there whole, or not at all."""

    async def _address(self, method: str, seconds: float, **params: Any) -> str:
        async with _told():
            url = await self._client.generate_presigned_url(
                method, Params={"Bucket": self._settings.s3_bucket, **params}, ExpiresIn=int(seconds)
            )
        return str(url)

    def _key(self, attachment: str) -> str:
        return self._settings.s3_prefix + attachment

    def _end(self, seconds: float) -> int:
        return int(self._clock.now_ms() / 1000 + int(seconds))


def _written(facts: Facts) -> str:
    rest = _Facts(facts.stream, facts.name, facts.sha256, facts.owner, facts.device)
    text = base64.urlsafe_b64encode(msgspec.json.encode(rest)).decode()
    if len(text) > _MAX_META:
        raise TouchlineError("bad_request", "The names of file, user and device are too long together.")
    return text


def _read(head: Mapping[str, Any]) -> Facts | None:
    """The facts of an object; None where it is none that came by an address of ours."""
    try:
        text = base64.urlsafe_b64decode(head["Metadata"][_META])
        rest = msgspec.json.decode(text, type=_Facts)
    except (KeyError, binascii.Error, ValueError, msgspec.DecodeError):
        return None
    digest = head.get("ChecksumSHA256")
    # Some servers of this API do not keep the checksum; those that do are asked.
    if digest is not None and base64.b64decode(digest).hex() != rest.sha256:
        return None
    return Facts(
        stream=rest.stream,
        name=rest.name,
        type=head["ContentType"],
        size=head["ContentLength"],
        sha256=rest.sha256,
        owner=rest.owner,
        device=rest.device,
    )


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """What goes wrong with S3, as an error of ours; it never tells the keys."""
    try:
        yield
    except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
        raise TouchlineError(
            "unavailable", f"The bucket of attachments does not answer ({type(error).__name__})."
        ) from error
