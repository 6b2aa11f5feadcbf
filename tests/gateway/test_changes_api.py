"""Edits and retractions over HTTP: only by those who may."""

import pytest

from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.accepted import chat, write
from tests.gateway.asking import OFFSETS, ask, token
from tests.pipeline import Pipeline
from tests.search_indexer.reading import records

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


@pytest.mark.parametrize("type_", ["edit", "retract", "\\u0065dit"])
async def test_what_was_said_is_changed_by_its_author_or_an_administrator(
    asked: Pipeline, type_: str
) -> None:
    (said,) = [chat("changed", next(OFFSETS), "as it was", sender="ana")]
    write(asked.settings, Kind.CHAT, [said])
    path, can = "/v1/streams/chat/changed/events", ("chat:changed",)
    event = '{"type": "%s", "data": {"text": "as it is", "target": "%s"}}'
    headers = {"Content-Type": "application/json"}

    async def change(user: str, target: str, **more: tuple[str, ...]) -> tuple[int, str]:
        body = (event % (type_, target)).encode()
        given_ = token(user, publish=can, **more)
        status, answer = await ask(asked, path, given_, "POST", data=body, headers=headers)
        return status, answer.get("code", "")

    assert await change("ben", said["id"]) == (403, "forbidden")
    assert await change("ana", said["id"]) == (202, "")
    assert await change("ben", said["id"], admin=can) == (202, "")
    assert await change("ana", str(int(said["id"]) + 1)) == (404, "not_found")
    assert await change("ana", "nothing") == (422, "invalid_event")
    # The rest of a batch goes on its way.
    lines = [event % (type_, said["id"]), '{"data": {"text": "I edit nothing"}}']
    ndjson = {"Content-Type": "application/x-ndjson"}
    status, answer = await ask(
        asked, path, token("ben", publish=can), "POST", data="\n".join(lines).encode(), headers=ndjson
    )
    assert (status, [one["ok"] for one in answer["results"]]) == (202, [False, True])
    codec, ingest = Codec("ingest-chat"), topic_names(asked.settings).ingest[Kind.CHAT]
    posted = [codec.decode(m.value()) for m in records(asked.settings, ingest) if m.key() == b"changed"]
    changes = [one["sender"] for one in posted if one["data"]["target"] == said["id"]]
    assert changes[-2:] == ["ana", "ben"]
