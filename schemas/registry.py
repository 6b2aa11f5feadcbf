"""A schema registry of the user's own: our schemas are registered there, and its ids are written and read.

Without one configured nobody is asked, and the ids are those of schemas/ids.json.
"""

import asyncio
import json
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from fastavro.schema import fingerprint, to_parsing_canonical_form

from kernel.errors import TouchlineError
from kernel.extras import missing
from kernel.log.topics import topics
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.settings.reading import SchemaRegistry, Settings
from schemas.catalog import Catalog, Schema, Version, built_in
from schemas.codec import Codec

_log = get_logger("touchline.schemas")
_ANSWER_S: Final = 5.0
#: Ids that mean nothing to us are remembered, so that a flood of them is not one of requests.
_MAX_UNKNOWN: Final = 10_000
_NOT_FOUND: Final = 404


class RegistryAway(Exception):  # noqa: N818 - it reads as what it says
    """An id is unknown here, and the registry does not say what it stands for.

    No TouchlineError, for those refuse a record: this says nothing about the record. The role ends, and
    reads the record again when the registry answers.
    """


def catalog_for(settings: Settings) -> Catalog:
    """The schemas under the ids that this deployment writes. Blocks, the first time, if a registry is set.

    Raises TouchlineError: `unavailable` where the registry does not answer, `bad_setting` where it refuses.
    """
    if not settings.schema_registry.url:
        return built_in()
    subjects = tuple((f"{topic.name}-value", topic.value) for topic in topics(settings))
    return _registered(settings.schema_registry, subjects)


def codec_for(settings: Settings, name: str) -> Codec:
    """The codec of a schema in this deployment."""
    return Codec(name, catalog_for(settings))


async def wait_for_registry(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Wait until the registry has our schemas, with back-off, saying for what; at most until `stop`."""
    wait = 0.5
    while not stop.is_set():
        try:
            await asyncio.to_thread(catalog_for, settings)
        except TouchlineError as error:
            if error.code != "unavailable":
                raise
            health.fail("schemas", error.message)
            _log.warning("waiting for the schema registry", reason=error.message, retry_in_s=wait)
            try:
                await asyncio.wait_for(stop.wait(), wait)
            except TimeoutError:
                wait = min(wait * 2, 10.0)
        else:
            health.ok("schemas")
            return


def fingerprint_of(schema: Any) -> str:
    """The same for schemas whose values have the same bytes: texts and logical types do not count."""
    return fingerprint(to_parsing_canonical_form(schema), "SHA-256")


@cache
def _registered(given: SchemaRegistry, subjects: tuple[tuple[str, str], ...]) -> Catalog:
    """Once for each registry and set of topics: the answers do not change. Failures are not kept."""
    own = built_in()
    ids: dict[Version, int] = {}
    with _client(given) as client:
        for subject, name in subjects:
            for version in own.versions(name):
                number = _register(client, given.url, subject, own.schemas[version], version)
                # A registry may count per subject: the first id is written, the others are looked up if met.
                ids.setdefault(version, number)
    return own.with_ids(ids, lookup=_Lookup(given, own.schemas))


class _Lookup:
    """What ids stand for that other programs have registered our schemas under; each is asked for once."""

    def __init__(self, given: SchemaRegistry, schemas: Mapping[Version, Schema]) -> None:
        self._given, self._schemas = given, schemas
        self._unknown: set[int] = set()
        # Readers are in several threads, and the first of them is to ask for all.
        self._one = threading.Lock()

    def __call__(self, number: int) -> Version | None:
        with self._one:
            if number in self._unknown:
                return None
            try:
                with _client(self._given) as client:  # asked so seldom that no connection waits for it
                    registered = _asked(client.get_schema, number)
            except _Refused as refusal:
                if refusal.status != _NOT_FOUND:
                    raise RegistryAway(f"{self._given.url}: {refusal}") from refusal
                found = None
            except _Away as away:
                raise RegistryAway(f"{self._given.url}: {away}") from away
            else:
                found = version_of(registered.schema_str or "", self._schemas, self._schemas)
            if found is None:
                if len(self._unknown) >= _MAX_UNKNOWN:
                    self._unknown.clear()
                self._unknown.add(number)
            else:
                _log.info("a schema of ours has another id, too", schema=str(found), id=number)
            return found


class _Refused(Exception):  # noqa: N818
    """The registry has answered with an error."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{reason} ({status})")
        self.status = status


class _Away(Exception):  # noqa: N818
    """The registry has not answered."""


def _client(given: SchemaRegistry) -> Any:
    # Half a second to import, and only where there is a registry.
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing("registry", "A schema registry of your own") from error

    optional = {
        "basic.auth.user.info": given.user_info,
        "ssl.ca.location": given.ca_certs,
        "ssl.certificate.location": given.tls_cert,
        "ssl.key.location": given.tls_key,
    }
    named = {name: value for name, value in optional.items() if value}
    try:
        return SchemaRegistryClient({"url": given.url, "max.retries": 0, "timeout": _ANSWER_S, **named})
    except (ValueError, TypeError, OSError) as error:
        raise TouchlineError("bad_setting", f"[schema_registry] cannot be used: {error}.") from error


def _register(client: Any, url: str, subject: str, schema: Schema, version: Version) -> int:
    """The schema's id in this subject; registered there, if it was not."""
    from confluent_kafka.schema_registry import Schema as Registered  # noqa: PLC0415

    made = Registered(json.dumps(schema), "AVRO")
    try:
        try:
            # First only asked for: whoever registers beforehand need not give the roles the right to.
            number: int = _asked(client.lookup_schema, subject, made).schema_id
        except _Refused as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            number = _asked(client.register_schema, subject, made)
    except _Away as away:
        raise TouchlineError(
            "unavailable",
            f"The schema registry does not answer at {url} ({away}).",
            hint="Start it, or set TOUCHLINE_SCHEMA_REGISTRY_URL.",
        ) from away
    except _Refused as refusal:
        raise TouchlineError(
            "unavailable" if refusal.status >= 500 else "bad_setting",
            f"The schema registry at {url} does not take {version} as {subject}: {refusal}.",
            hint="Check its log, and TOUCHLINE_SCHEMA_REGISTRY_USER_INFO.",
        ) from refusal
    return number


def _asked(request: Any, *arguments: Any) -> Any:
    """Confluent's client raises its own errors, and those of whichever HTTP library it was installed with."""
    from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

    try:
        return request(*arguments)
    except SchemaRegistryError as error:
        raise _Refused(error.http_status_code, str(error.error_message)) from error
    except Exception as error:
        raise _Away(str(error) or type(error).__name__) from error


def version_of(text: str, versions: Iterable[Version], schemas: Mapping[Version, Schema]) -> Version | None:
    """Which of these versions a schema's text is, of several the newest; None if it is none of them."""
    try:
        wanted = fingerprint_of(json.loads(text))
    except Exception:
        return None
    return next((v for v in sorted(versions, reverse=True) if fingerprint_of(schemas[v]) == wanted), None)
