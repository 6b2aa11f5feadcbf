"""What a channel is about: counted by the minute, added up over partitions, told and asked for."""

import pytest

from control.crowd.counters import MINUTE_MS, Windows, shown, words_in
from tests.crowd.people import begin, new_stream, react, say
from tests.pipeline import Pipeline
from tests.rooms.people import ok, person, refused, until

NOON = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS


def test_words_count_once_a_message_and_are_words() -> None:
    assert words_in("Goal! GOAL?? goal, an 12345 o'clock #8 ünïcode") == {"goal", "o'clock", "ünïcode"}
    assert len(words_in(" ".join(f"word{chr(97 + n)}x" for n in range(26)) * 50)) <= 50


def test_rates_and_tops_are_of_the_last_minutes_over_all_partitions() -> None:
    one, other = Windows(), Windows()
    for minute in range(8):
        for number in range(10):
            one.said("ana", "goal again", NOON + minute * MINUTE_MS + number)
        other.said("ben", "offside surely", NOON + minute * MINUTE_MS)
    for _ in range(5):
        other.said("cat", "penalty penalty", NOON + 7 * MINUTE_MS)
    other.reacted("👏", 250, NOON + 7 * MINUTE_MS)
    parts = [one.record("final"), other.record("final")]
    found = shown(parts, NOON + 8 * MINUTE_MS - 1)
    assert found["messages_per_min"] == pytest.approx((5 * 11 + 5) / 5, abs=0.1)
    assert found["senders"] == [["ana", 50], ["ben", 5], ["cat", 5]]
    assert found["emoji"] == [["👏", 250]]
    # Said as much as before is no news: of eight minutes the last five are compared with those before.
    assert found["words"][0] == ["again", 50]
    assert ["penalty", 5] in found["words"]
    assert shown(parts, NOON + 30 * MINUTE_MS)["senders"] == []


def test_what_is_written_is_gone_on_with_and_old_minutes_go() -> None:
    windows = Windows()
    windows.said("ana", "goal", NOON)
    windows.places["1-0"] = 7
    again = Windows(windows.record("final"))
    again.said("ana", "goal", NOON + MINUTE_MS)
    record = again.record("final")
    assert (len(record.minutes), record.places) == (2, {"1-0": 7})
    again.said("ana", "goal", NOON + 11 * MINUTE_MS)
    assert [one.minute - NOON // MINUTE_MS for one in again.record("final").minutes] == [11]


def test_what_very_many_say_is_bounded() -> None:
    windows = Windows()
    for number in range(5000):
        windows.said(f"user{number}", f"word{number}x spam", NOON)
        windows.reacted(f":e{number}:", 1, NOON)
    (minute,) = windows.record("final").minutes
    assert minute.messages == 5000
    assert max(len(minute.senders), len(minute.words), len(minute.emoji)) <= 50
    assert minute.words["spam"] == 5000


@pytest.mark.servers
async def test_counters_are_asked_for_and_told_as_events(crowded: Pipeline) -> None:
    stream = new_stream()
    channel = stream.partition(":")[2]
    path = f"/v1/channels/{channel}/counters"
    assert await ok(crowded, "GET", path, "ana") == {"channel": channel, "counted": False, "viewers": 0}
    await ok(crowded, "PUT", f"/v1/channels/{channel}", None, {"counters": True})

    async def is_on() -> bool:
        return bool((await ok(crowded, "GET", path, "ana"))["counted"])

    await until(is_on)

    async def is_counted() -> bool:
        await say(crowded, stream, "penalty kick", sender="ana")
        return bool((await ok(crowded, "GET", path, "ana")).get("messages_per_min"))

    await until(is_counted)
    event = await say(crowded, stream, "penalty again", sender="ben")
    await react(crowded, stream, "👏", "ana", n=5)
    await react(crowded, stream, "👍", "ana", target=event)
    await begin(crowded, stream)

    async def is_all() -> bool:
        found = await ok(crowded, "GET", path, "ana")
        return (
            found["emoji"] == [["👏", 5], ["👍", 1]]
            and ["ben", 1] in found["senders"]
            and "penalty" in [word for word, _ in found["words"]]
        )

    await until(is_all)
    async with person(crowded, "ana") as ana:
        await ana.ask("subscribe", stream=f"broadcast:{channel}", last=5)
        told = await ana.until(lambda m: m["op"] == "event" and m["type"] == "counters")
        assert told["sender"] == "touchline"
        assert {"viewers", "messages_per_min", "emoji", "senders", "words"} <= told["data"].keys()
    assert (await refused(crowded, "GET", "/v1/channels/room-nowhere/counters", "eve"))[0] == 404
