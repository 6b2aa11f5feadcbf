"""A registry of the user's own, with Confluent's client: its ids are written, and what it knows is read."""

import asyncio
import re
import ssl
from pathlib import Path

import pytest

from embedded.ports import find_free
from kernel.errors import TouchlineError
from kernel.process.health import Health
from kernel.settings.reading import Settings, load_settings
from schemas.catalog import Version, built_in
from schemas.codec import Codec, Undecodable
from schemas.registry import RegistryAway, catalog_for, codec_for, fingerprint_of, wait_for_registry
from tests.certificates import self_signed
from tests.pipeline import ROOT, eventually
from tests.registries import GIVEN, IDS, running_registry

CHAT = Version("ingest-chat", 1)
SAID = {
    "type": "message",
    "key": None,
    "sender": "ana",
    "client_ts": None,
    "data": {"text": "Olé", "target": None, "extra": None},
}


def settings_for(url: str, **given: str) -> Settings:
    return load_settings({"TOUCHLINE_SCHEMA_REGISTRY_URL": url, **given})


def under(number: int) -> bytes:
    """The event under another schema id."""
    return b"\0" + number.to_bytes(4) + Codec("ingest-chat").encode(SAID)[5:]


def test_without_a_registry_nobody_is_asked() -> None:
    assert catalog_for(load_settings({})) is built_in()


def test_a_registrys_ids_are_written_and_the_built_in_ones_stay_readable() -> None:
    with running_registry() as registry:
        codec = codec_for(settings_for(registry.url), "ingest-chat")
        assert codec.encode(SAID) == under(IDS[CHAT])
        assert codec.decode(codec.encode(SAID)) == codec.decode(Codec("ingest-chat").encode(SAID)) == SAID
        asked = registry.asked.total()
        codec_for(settings_for(registry.url), "fanout")
        assert registry.asked.total() == asked


def test_a_schema_is_registered_where_it_is_not_yet() -> None:
    with running_registry(empty=True) as registry:
        assert catalog_for(settings_for(registry.url)).id_of(CHAT) == IDS[CHAT]
        subject = "/subjects/touchline.ingest.chat-value"
        assert (registry.asked[subject], registry.asked[f"{subject}/versions"]) == (1, 1)


@pytest.mark.skipif(not GIVEN, reason="TEST_SCHEMA_REGISTRY_URL names no registry")
def test_a_registry_that_was_empty_has_all_schemas_afterwards() -> None:
    settings = settings_for(GIVEN, TOUCHLINE_TOPICS_PREFIX=f"t{find_free()}")
    codec = codec_for(settings, "event-chat")
    assert codec.schema_id < 0x544C0000
    assert codec_for(settings, "fanout").schema_id != codec.schema_id


def test_our_schema_under_an_id_that_others_were_given_is_read_and_asked_for_once() -> None:
    with running_registry(others={777: CHAT}) as registry:
        settings = settings_for(registry.url)
        for codec in (codec_for(settings, "ingest-chat"), codec_for(settings, "ingest-chat")):
            for _ in range(3):
                assert codec.decode(under(777)) == SAID
        assert registry.asked["/schemas/ids/777"] == 1


def test_an_id_that_means_nothing_to_us_is_a_rejection_and_asked_for_once() -> None:
    with running_registry() as registry:
        codec = codec_for(settings_for(registry.url), "ingest-chat")
        for number in (999, 999, IDS[Version("fanout", 1)]):
            with pytest.raises(Undecodable) as unknown:
                codec.decode(under(number))
            assert unknown.value.code == "unknown_schema"
        assert registry.asked["/schemas/ids/999"] == 1


def test_while_the_registry_is_away_an_unknown_id_is_no_reason_to_refuse_a_record() -> None:
    with running_registry() as registry:
        codec = codec_for(settings_for(registry.url), "ingest-chat")
    with pytest.raises(RegistryAway):
        codec.decode(under(888))
    assert codec.decode(under(IDS[CHAT])) == SAID


def test_a_registry_that_answers_with_an_error_has_said_nothing_of_the_record_either() -> None:
    with running_registry() as registry:
        codec = codec_for(settings_for(registry.url), "ingest-chat")
    with running_registry(port=registry.port, user="ana:secret"), pytest.raises(RegistryAway):
        codec.decode(under(888))


def test_a_registry_that_does_not_answer_is_named_in_a_sentence() -> None:
    with pytest.raises(TouchlineError, match=r"does not answer at http://127\.0\.0\.1:1 ") as away:
        catalog_for(settings_for("http://127.0.0.1:1"))
    assert away.value.code == "unavailable"


@pytest.mark.parametrize("url", ["ftp://registry", "registry:8081"])
def test_an_address_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(TouchlineError) as wrong:
        catalog_for(settings_for(url))
    assert wrong.value.code == "bad_setting"


def test_user_and_password_are_shown_to_a_registry_that_asks_for_them() -> None:
    with running_registry(user="ana:secret") as registry:
        with pytest.raises(TouchlineError, match=r"does not take .*Unauthorized") as refused:
            catalog_for(settings_for(registry.url))
        assert refused.value.code == "bad_setting"
        right = settings_for(registry.url, TOUCHLINE_SCHEMA_REGISTRY_USER_INFO="ana:secret")
        assert catalog_for(right).id_of(CHAT) == IDS[CHAT]


def test_a_subject_that_the_registry_does_not_have_is_said() -> None:
    with running_registry() as registry:
        other = settings_for(registry.url, TOUCHLINE_TOPICS_PREFIX="others")
        with pytest.raises(TouchlineError, match=r"as others\.ingest\.broadcast-value"):
            catalog_for(other)


def test_tls_is_checked_against_the_authority_of_the_settings(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "registry")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with running_registry(tls=context) as registry:
        with pytest.raises(TouchlineError, match=r"CERTIFICATE|certificate"):
            catalog_for(settings_for(registry.url))
        trusted = settings_for(registry.url, TOUCHLINE_SCHEMA_REGISTRY_CA_CERTS=str(certificate))
        assert catalog_for(trusted).id_of(CHAT) == IDS[CHAT]


async def test_a_role_waits_for_the_registry_and_says_so() -> None:
    port, health, stop = find_free(), Health(), asyncio.Event()
    settings = settings_for(f"http://127.0.0.1:{port}")
    waiting = asyncio.create_task(wait_for_registry(settings, stop, health))
    async with asyncio.timeout(20):
        await asyncio.to_thread(
            eventually,
            "it says what it waits for",
            lambda: "does not answer" in health.problems.get("schemas", ""),
        )
        with running_registry(port=port):
            await waiting
    assert health.ready
    assert catalog_for(settings).id_of(CHAT) == IDS[CHAT]


async def test_a_role_does_not_wait_for_a_registry_that_refuses_it() -> None:
    with running_registry(user="ana:secret") as registry:
        async with asyncio.timeout(20):
            with pytest.raises(TouchlineError, match="Unauthorized"):
                await wait_for_registry(settings_for(registry.url), asyncio.Event(), Health())


async def test_a_role_that_is_stopped_does_not_wait_any_longer() -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(wait_for_registry(settings_for("http://127.0.0.1:1"), stop, Health()))
    stop.set()
    async with asyncio.timeout(10):
        await waiting


def test_schemas_that_are_read_alike_have_one_fingerprint() -> None:
    schema = built_in().schemas[CHAT]
    assert fingerprint_of({**schema, "doc": "another text"}) == fingerprint_of(schema)
    assert fingerprint_of({**schema, "fields": schema["fields"][:-1]}) != fingerprint_of(schema)


def test_every_part_has_its_codecs_by_the_settings() -> None:
    """A codec made without a catalog would write and read built-in ids, whatever registry is set."""
    parts = ("consumers", "gateway", "history", "producers", "search_indexer", "streams", "touchline")
    sources = [file for part in parts for file in (ROOT / part).rglob("*.py")]
    bare = [file.name for file in sources if re.search(r"\bCodec\(f?\"[^\"]*\"\)", file.read_text("utf-8"))]
    assert len(sources) > 100
    assert bare == []
