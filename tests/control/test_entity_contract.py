"""The contract of entity state, on a real Kafka: fold, follow, look up, take over."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from control.entity.types import MAX_STATE_BYTES, STAMP, Stamp, pair_key, prefix_of
from kernel.errors import TouchlineError
from kernel.log.positions import partition_of
from tests.control.notes import LISTED, Note, note_type
from tests.control.rig import Rig, until

MakeRig = Callable[..., Rig]
#: What touches the table on disk is proven of each store; what else they have to do, in test_stores.
BOTH = pytest.mark.parametrize("make_rig", ["sqlite", "rocksdb"], indirect=True)


def note(user: str, text: str, revision: int) -> bytes:
    return msgspec.json.encode(Note(user=user, text=text, revision=revision))


def skipped(rig: Rig) -> float:
    return REGISTRY.get_sample_value("touchline_table_records_skipped_total", {"topic": rig.notes}) or 0


# ── fold, follow, look up ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
async def test_an_input_is_folded_by_the_owner_and_seen_by_who_watches(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.start_owner("one")
    async with rig.reading() as reader:
        view, heard = reader.view, []
        assert view.watch("ana", lambda key, state: heard.append((key, state and state.text))) is None
        rig.post("ana", text="hello", add=2)
        rig.post("ben", text="hey", add=1)
        rig.flush()
        await until("who watches hears of it", lambda: heard)
        assert heard == [(b"ana", "hello")]
        await until("others are found when they are looked up", lambda: view.get("ben"))
        loop = asyncio.get_running_loop()
        began = loop.time()
        rig.post("ana", text="again", add=3)
        rig.flush()
        await until("the change is in force", lambda: (view.get("ana") or Note(user="")).text == "again")
        assert loop.time() - began < 2
        rig.post("ana", "remove")
        rig.flush()
        await until("a tombstone removes", lambda: view.get("ana") is None)
        assert heard == [(b"ana", "hello"), (b"ana", "again"), (b"ana", None)]
        # Pairs: what has no bound is a record a pair, found by its prefix, in the order of keys.
        for tag in ("b", "a", "c", "b"):
            rig.post("ben", "tag", tag)
        rig.post("ben", "untag", "c")
        rig.post("bend", "tag", "other")
        rig.flush()
        await until("pairs are there", lambda: view.get(pair_key("bend", "other")))
        await until("one is gone", lambda: view.get(pair_key("ben", "c")) is None)
        assert [(k, s.text) for k, s in view.scan(prefix_of("ben"))] == [
            (b"ben\0a", "a"),
            (b"ben\0b", "b"),
        ]
        after = pair_key("ben", "a")
        assert [s.text for _, s in view.scan(prefix_of("ben"), after=after, limit=1)] == ["b"]
        await until("they are counted", lambda: (view.get("ben") or Note(user="")).tags == 2)


@pytest.mark.slow
async def test_bad_inputs_are_refused_and_the_rest_goes_on(make_rig: MakeRig) -> None:
    rig = make_rig()
    where = partition_of("ana", rig.partitions)
    rig.put(rig.inputs, "ana", b"no command", where)
    rig.put(rig.inputs, "ana", None, where)
    rig.put(rig.inputs, None, b"\xff", partition_of("", rig.partitions))
    rig.post("ana", "juggle")
    rig.post("ana", text="x" * MAX_STATE_BYTES)
    rig.post("ana", text="good")
    rig.flush()
    rig.start_owner("one")
    async with rig.reading() as reader:
        await until("the good one holds", lambda: reader.view.get("ana"))
        assert (reader.view.get("ana") or Note(user="")).text == "good"
    refused = [m.value().decode() for m in rig.records(rig.refused)]
    codes = Counter(text.partition(":")[0] for text in refused)
    assert codes == {"undecodable": 3, "bad_request": 1, "too_large": 1}
    assert any(f"{MAX_STATE_BYTES} are allowed" in text for text in refused)


async def test_a_bad_record_of_a_state_is_told_and_passed_over(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    rig.put(rig.notes, "ana", note("ana", "good", 1), 0)
    rig.put(rig.notes, "ana", b"\x00bad", 0)
    async with rig.reading() as reader:
        assert skipped(rig) == 1
        state = reader.view.watch("ana", lambda _, __: None)
        assert state is not None
        assert state.text == "good"
        rig.put(rig.notes, "ana", b"bad again", 0)
        rig.put(rig.notes, "cleo", note("cleo", "after it", 1), 0)
        await until("what comes after it is read", lambda: reader.view.get("cleo"))
        assert skipped(rig) == 2
        assert (reader.view.get("ana") or Note(user="")).text == "good"


async def test_nothing_is_known_before_all_was_read(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    async with rig.reading() as reader:
        assert reader.view.get("nobody") is None
    rig.admin.delete_topics([rig.notes])[rig.notes].result(30)
    from control.entity.tables import Tables
    from kernel.clock import SystemClock

    type_ = note_type(rig.notes)
    tables = Tables(rig.settings, "early", [type_], clock=SystemClock(), on_failed=lambda _: None)
    tables.start()
    with pytest.raises(TouchlineError, match="was not read yet"):
        tables.view(type_).get("ana")
    await tables.stop()


async def test_a_reader_holds_what_it_uses(make_rig: MakeRig) -> None:
    rig = make_rig(2)
    for number in range(500):
        name = f"user-{number}"
        rig.producer.produce(rig.notes, note(name, "x", 1), name)
    rig.flush()
    async with rig.reading(remembered=10) as reader:
        view = reader.view
        view.watch("user-7", lambda _, __: None)
        assert all(view.get(f"user-{n}") for n in range(500))
        assert len(view.in_use) == 11
        forgotten: list[bytes] = []
        view.on_forget = forgotten.append
        view.get("user-3")
        assert len(forgotten) == 1
        assert len(view.in_use) == 11


async def test_who_asks_for_the_end_of_what_is_there_waits_for_nothing_to_come(make_rig: MakeRig) -> None:
    rig = make_rig(2)
    rig.put(rig.notes, "ana", note("ana", "x", 1), 0)
    async with rig.reading() as reader:
        await reader.tables.at_end()
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            await reader.tables.at_end()
        # Two requests to the broker each; what does not come would be waited for 0.2 s.
        assert asyncio.get_running_loop().time() - began < 2
        rig.put(rig.notes, "ana", note("ana", "y", 2), 0)
        await reader.tables.at_end()
        assert getattr(reader.view.get("ana"), "text", None) == "y"


async def test_who_gives_up_waiting_for_the_end_ends_nobody(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    async with rig.reading() as reader:
        for turn in range(1, 4):
            for number in range(10_000):
                name = f"user-{number}"
                rig.producer.produce(rig.notes, note(name, "x" * 200, turn), name)
                rig.producer.poll(0)
            rig.flush()
            waiting = asyncio.ensure_future(reader.tables.at_end())
            await asyncio.sleep(0.03 * turn)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        await reader.tables.at_end()
        assert not reader.failed.done(), reader.failed
        assert reader.view.get("user-9999") is not None


@BOTH
async def test_records_with_a_flag_are_listed(make_rig: MakeRig) -> None:
    rig = make_rig(2)
    for name, listed in (("ana", True), ("ben", False), ("cleo", True)):
        value = msgspec.json.encode(Note(user=name, listed=listed, revision=1))
        rig.producer.produce(rig.notes, value, name)
    rig.flush()
    async with rig.reading(type_=note_type(rig.notes, listing=True)) as reader:
        assert sorted(k for k, _ in reader.view.listed(LISTED)) == [b"ana", b"cleo"]
        rig.put(rig.notes, "ana", note("ana", "", 2), partition_of("ana", 2))
        await until("no more", lambda: [k for k, _ in reader.view.listed(LISTED)] == [b"cleo"])


# ── partitions ───────────────────────────────────────────────────────────────────────────────────────────


@BOTH
async def test_the_highest_revision_holds_wherever_it_lies(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    rig.put(rig.notes, "ana", note("ana", "old", 3), 0)
    rig.put(rig.notes, "ben", note("ben", "old", 3), 0)
    rig.grow(3)
    rig.put(rig.notes, "ana", note("ana", "new", 4), 2)
    async with rig.reading() as reader:
        view = reader.view
        assert [(view.get(n) or Note(user="")).text for n in ("ana", "ben")] == ["new", "old"]
        assert [s.text for _, s in view.scan(b"")] == ["new", "old"]
        # A removal in the new place holds against the record in the old one.
        rig.put(rig.notes, "ana", None, 2, headers=[(STAMP, Stamp(5).to_header())])
        await until("it is gone", lambda: view.get("ana") is None)
        # And more partitions, while it reads.
        rig.grow(4)
        rig.put(rig.notes, "ben", note("ben", "newer", 4), 3)
        await until("the new partition is read", lambda: view.get("ben") and view.get("ben").text == "newer")  # type: ignore[union-attr]


@pytest.mark.slow
@BOTH
async def test_partitions_are_added_while_inputs_come(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    rig.start_owner("one")
    users, wanted = [f"user-{n}" for n in range(30)], Counter[str]()

    def post(count: int) -> None:
        for number in range(count):
            user = users[number % len(users)]
            rig.post(user, text=str(number), add=1)
            wanted[user] += 1
        rig.flush()

    post(300)
    async with rig.reading() as reader:

        def totals() -> dict[str, int]:
            return {user: (reader.view.get(user) or Note(user="")).total for user in users}

        await until("all of the first are folded", lambda: totals() == wanted)
        # The producer goes by the old number for a while: what it puts wrong is put right.
        post(150)
        rig.grow(4)
        post(150)
        await until("everybody's sum is right", lambda: totals() == wanted, within=120)
        post(90)
        await until("they go on", lambda: totals() == wanted)
    # The newest of each lies where it belongs.
    last = {(m.key().decode(), m.partition()): m.value() for m in rig.records(rig.notes)}
    lie = {key: [p for (k, p), v in last.items() if k == key and v is not None] for key, _ in last}
    assert all(partition_of(user, 4) in lie[user] for user in users)
    async with rig.reading("fresh") as reader:
        assert {user: (reader.view.get(user) or Note(user="")).total for user in users} == wanted


# ── take over ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@BOTH
async def test_owners_come_go_and_are_killed_and_each_input_counts_once(make_rig: MakeRig) -> None:
    rig, rng = make_rig(4), random.Random(5)
    users, wanted = [f"user-{n}" for n in range(50)], Counter[str]()

    async def post(count: int) -> None:
        for _ in range(count):
            user = rng.choice(users)
            rig.post(user, text="x", add=1)
            wanted[user] += 1
        rig.flush()
        await asyncio.sleep(0)

    one = rig.start_owner("one")
    async with rig.reading() as reader:

        def folded() -> int:
            return sum((reader.view.get(user) or Note(user="")).total for user in users)

        await post(2000)
        await until("it has begun", lambda: folded() > 0)
        two = rig.start_owner("two")  # a rebalance, while inputs come
        await post(2000)
        await until("the second has a share", lambda: "opened [" in rig.log("two"))
        await post(2000)
        one.kill()  # kill -9, in the middle of it
        one.wait()
        await post(2000)
        await until("the other goes on", lambda: folded() == wanted.total(), within=120)
        two.kill()
        two.wait()
        await post(1000)
        rig.start_owner("one")  # with a table that is behind
        await until("the first is back", lambda: folded() == wanted.total(), within=120)
        seen = {user: (reader.view.get(user) or Note(user="")).total for user in users}
        assert seen == wanted
    assert {name: note.total for name, note in rig.recount().items()} == wanted


@pytest.mark.slow
async def test_what_an_owner_writes_that_is_none_any_more_is_written_over(make_rig: MakeRig) -> None:
    rig = make_rig(2)
    rig.start_owner("one")
    rig.post("ana", text="first")
    rig.post("ana", text="second")
    rig.flush()
    async with rig.reading() as reader:
        await until("both are folded", lambda: (reader.view.get("ana") or Note(user="")).revision == 2)
        rig.put(rig.notes, "ana", note("ana", "late", 1), partition_of("ana", 2))
        mine = {"ana"}

        def last() -> Any:
            return rig.recount()["ana"].text if mine else None

        await until("the right one is the last again", lambda: last() == "second")


# ── the table on disk ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@BOTH
async def test_a_reader_that_is_killed_at_any_moment_goes_on_without_a_gap(make_rig: MakeRig) -> None:
    rig, rng = make_rig(3), random.Random(11)
    written: dict[str, int] = {}

    def write(count: int) -> None:
        for _ in range(count):
            name = f"user-{rng.randrange(3000)}"
            written[name] = written.get(name, 0) + 1
            rig.producer.produce(rig.notes, note(name, "x" * rng.randrange(200), written[name]), name)
        rig.producer.poll(0)

    write(20_000)
    rig.flush()
    for round_ in range(6):
        process = rig.start("reader_process", "killed")
        await until("it writes its table", lambda: any(rig.home.glob("state/*/killed-0.[dr]*")))
        write(3000)
        if round_ % 2:
            await until("it is ready", lambda r=round_: rig.log("killed").count("ready") > r // 2)
            write(3000)
        process.kill()
        process.wait()
    rig.flush()
    async with rig.reading("killed") as reader:
        found = {key.decode(): state.revision for key, state in reader.view.scan(b"", limit=10_000)}
    assert found == written


async def test_a_table_is_used_again_and_made_anew_where_it_cannot_be(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    rig.put(rig.notes, "ana", note("ana", "first", 1), 0)

    async def reads(role: str = "reader") -> tuple[str, int]:
        async with rig.reading(role) as reader:
            state = reader.view.get("ana")
            inode = next(rig.home.glob(f"state/*/{role}-0.db")).stat().st_ino
            return state.text if state else "", inode

    text, first = await reads()
    assert text == "first"
    assert await reads() == ("first", first)
    (file,) = rig.home.glob("state/*/reader-0.db")
    # Damaged.
    with file.open("r+b") as raw:
        raw.truncate(5000)
    assert (await reads())[0] == "first"
    file.write_bytes(b"no database at all" * 1000)
    assert (await reads())[0] == "first"
    # Of a topic that was made anew.
    rig.admin.delete_topics([rig.notes, rig.inputs, rig.refused])
    await until("it is gone", lambda: rig.notes not in rig.admin.list_topics(timeout=60).topics)
    await asyncio.to_thread(_make_again, rig)
    rig.put(rig.notes, "ana", note("ana", "second life", 1), 0)
    assert (await reads())[0] == "second life"


def _make_again(rig: Rig) -> None:
    from confluent_kafka import KafkaException

    for _ in range(100):
        try:
            rig.make_topics()
        except KafkaException:  # the broker is still busy with the old one
            continue
        return


async def test_each_process_has_a_file_of_its_own(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    rig.put(rig.notes, "ana", note("ana", "here", 1), 0)
    async with rig.reading(), rig.reading() as other:
        assert other.view.get("ana") is not None
        assert len(list(rig.home.glob("state/*/reader-*.db"))) == 2
    async with rig.reading() as again:
        assert again.view.get("ana") is not None
        assert len(list(rig.home.glob("state/*/reader-*.db"))) == 2


async def test_a_directory_that_cannot_be_used_is_told(make_rig: MakeRig) -> None:
    rig = make_rig(1)
    (rig.home / "state").write_text("a file")
    with pytest.raises(TouchlineError, match="Tables cannot be kept in") as told:
        async with rig.reading():
            pass
    assert "TOUCHLINE_STATE_DIR" in told.value.hint
