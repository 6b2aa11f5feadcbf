"""Attachments in rooms: whoever may read the message has them, and nobody else; and when they go."""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from control.attachments.references import Facts, Mark, Marks, fetched_key, mark_type
from control.entity.stores.sqlite import SqliteStore
from control.entity.stores.store import Row
from control.entity.view import View
from gateway.attachments.directory import Directory
from gateway.attachments.service import AttachmentService
from kernel.access.presigned import UrlSigner
from kernel.attachment_ids import new_attachment
from kernel.clock import SystemClock
from kernel.settings.reading import load_settings
from schemas.codec import Codec
from tests.attachments.people import Person, gone
from tests.pipeline import Pipeline


async def test_a_room_s_attachments_are_for_those_who_may_read_the_message(
    live: Pipeline, ana: Person, ben: Person
) -> None:
    name = f"r{secrets.token_hex(4)}"
    stream, cem = f"chat:room-{name}", Person(live, "cem")
    made = await ana.ask(
        "POST", "/v1/rooms", json={"room": name, "name": "Study", "members": ["ben"], "history": "joined"}
    )
    assert made.status == 201, made.body
    stranger = await cem.announce(stream, b"x")
    assert (stranger.status, stranger.code) == (404, "not_found")
    early = await ana.upload(stream, b"early")
    assert (await ana.publish(stream, early)).status == 202
    assert await ben.bytes_of(early) == b"early"
    assert (await cem.look(early)).status == 404
    members = f"/v1/rooms/{name}/members"
    assert (await ana.ask("POST", members, json={"add": ["cem"]})).status == 200
    late = await ben.upload(stream, b"late")
    assert (await ben.send(stream, late))["op"] == "published"
    # Who joins later has what was posted from then on.
    assert await cem.bytes_of(late) == b"late"
    assert (await cem.look(early)).status == 404
    assert (await ana.ask("POST", members, json={"remove": ["ben"]})).status == 200
    for attachment in (early, late):
        assert (await gone(ben, attachment)).code == "not_found"
    assert (await ben.ask("POST", f"/v1/attachments/{late}/fetched")).status == 404
    assert (await ben.announce(stream, b"x")).status == 404
    assert (await cem.ask("POST", f"/v1/attachments/{late}/fetched", device="phone")).status == 204
    assert await ana.bytes_of(late) == b"late", "not all have it yet"


async def test_it_goes_with_the_last_device_that_fetches_it(live: Pipeline) -> None:
    """Devices as edges have seen them, and who fetches what as the gateway is told."""
    una, udo = Person(live, "una"), Person(live, "udo")
    for person, device in ((una, "laptop"), (udo, "phone"), (udo, "tv")):
        await person.comes(device)
    name = f"r{secrets.token_hex(4)}"
    made = await una.ask("POST", "/v1/rooms", json={"room": name, "name": "Two", "members": ["udo"]})
    assert made.status == 201, made.body
    attachment = await una.upload(f"chat:room-{name}", b"for two", device="laptop")
    assert (await una.publish(f"chat:room-{name}", attachment)).status == 202
    fetched = f"/v1/attachments/{attachment}/fetched"
    assert await udo.bytes_of(attachment) == b"for two"
    assert (await udo.ask("POST", fetched, device="phone")).status == 204
    assert await udo.bytes_of(attachment) == b"for two", "the tv has it not"
    assert (await udo.ask("POST", fetched, device="tv")).status == 204
    assert (await gone(udo, attachment)).code == "not_found"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "table.db", {"attachments": "id"})
    yield made
    made.close()


async def service_with(
    tmp_path: Path, store: SqliteStore, attachment: str, facts: Facts, have: Sequence[tuple[str, str]]
) -> tuple[AttachmentService, list[bytes]]:
    """A service whose table says who has fetched it; and the keys of which it writes that nothing is left."""
    settings = load_settings(
        {"TOUCHLINE_ATTACHMENTS_DIR": str(tmp_path / "files"), "TOUCHLINE_AUTH_INTERNAL_SECRET": "s" * 32}
    )
    type_ = mark_type(settings)
    marks = [Mark(what="fetched", stream="", user=user, device=device) for user, device in have]
    keys = [fetched_key(attachment, user, device) for user, device in have]
    store.load("attachments", [Row(k, 0, 2, None, type_.encode(m)) for k, m in zip(keys, marks, strict=True)])
    store.finish_load({})
    view: View[Mark] = View(type_)
    view.open(store)
    clock, forgotten = SystemClock(), list[bytes]()
    directory = Directory(settings.attachments, UrlSigner(settings), clock)
    await directory.open()
    async with directory.receiving(attachment, facts, 0) as receiving:
        await receiving.write(b"x")
        await receiving.finish()

    async def write(written: Sequence[tuple[bytes, bytes | None]]) -> None:
        forgotten.extend(key for key, value in written if value is None)

    codec = Codec("attachment")
    service = AttachmentService(settings.attachments, clock, directory, Marks(view), codec=codec, write=write)
    return service, forgotten


@pytest.mark.parametrize(
    ("readers", "have", "goes"),
    [
        ({"ana": ["laptop"], "ben": ["phone"]}, [("ben", "phone")], True),
        ({"ana": ["laptop"], "ben": ["phone", "tablet"]}, [("ben", "phone")], False),
        ({"ana": ["laptop", "phone"], "ben": ["phone"]}, [("ben", "phone")], False),
        ({"ana": ["laptop"], "ben": ["phone"], "cem": []}, [("ben", "phone")], False),
        ({"ana": ["laptop"], "ben": ["phone"]}, [("ben", "other")], False),
        (None, [("ben", "phone")], False),
    ],
    ids=["all", "a device lacks", "the sender's other device", "who has none", "another device", "a crowd"],
)
async def test_it_goes_when_all_devices_of_all_members_have_it(
    tmp_path: Path,
    store: SqliteStore,
    readers: Mapping[str, Collection[str]] | None,
    have: Sequence[tuple[str, str]],
    *,
    goes: bool,
) -> None:
    attachment = new_attachment(SystemClock().now_ms(), b"1" * 14)
    sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    facts = Facts(
        stream="chat:room-r", name="a", type="a/b", size=1, sha256=sha256, owner="ana", device="laptop"
    )
    service, forgotten = await service_with(tmp_path, store, attachment, facts, have)
    service.readers_of = lambda _: readers
    assert await service.delete_if_all_have(attachment, facts) is goes
    assert (await service.store.find(attachment) is None) is goes
    assert forgotten == ([fetched_key(attachment, *one) for one in have] if goes else [])
