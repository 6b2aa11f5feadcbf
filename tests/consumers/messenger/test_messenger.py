"""All rooms of a user at an edge, told by hand what workers would write: what is pushed, and when."""

import asyncio
from collections.abc import Sequence

import pytest

from control.inbox.tables import Head
from kernel.access.tokens import StaticKeys, Verifier, sign
from kernel.clock import SystemClock
from kernel.settings.reading import Auth
from tests.consumers.messenger.by_hand import ByHand, Someone
from tests.streams.test_rooms_fold import changes

STREAM = "chat:room-study"


async def test_rows_come_and_then_those_that_change() -> None:
    async with ByHand() as edge:
        first = edge.say("ana", "hi @bob")
        bob = Someone(edge, "bob")
        page = await bob.ask("inbox")
        (row,) = page["rooms"]
        assert (row["room"], row["unread"], row["mentions"], row["last"]["seq"]) == ("study", 1, 1, first)
        second = edge.say("ana", "more")
        pushed = await bob.until(lambda m: m["op"] == "inbox" and "id" not in m)
        assert [(one["unread"], one["last"]["seq"]) for one in pushed["rooms"]] == [(2, second)]
        assert (await bob.ask("read", stream=STREAM, seq=second))["op"] == "ok"
        await bob.until(lambda m: m["op"] == "inbox" and "id" not in m and m["rooms"][0]["unread"] == 0)
        edge.post(changes("ana", "removed", users=["bob"]))
        await bob.until(lambda m: m["op"] == "inbox" and m["rooms"] == [{"room": "study", "gone": True}])
        bob.leave()


async def test_a_device_follows_from_what_it_acknowledged_and_hears_what_comes() -> None:
    async with ByHand() as edge:
        seqs = [edge.say("ana", f"m{n}") for n in range(25)]
        bob = Someone(edge, "bob")
        synced = await bob.ask("sync")
        assert (synced["op"], synced["rooms"], synced["behind"]) == ("synced", 1, 20)
        await bob.until(lambda m: m["op"] == "event" and m["seq"] == seqs[-1])
        assert bob.texts == [f"m{n}" for n in range(5, 25)]
        edge.say("ana", "live")
        await bob.until(lambda m: m["op"] == "event" and m["data"].get("text") == "live")
        assert (await bob.ask("ack", stream=STREAM, seq=seqs[-1]))["op"] == "ok"
        bob.leave()
        edge.book.flush(all_of_it=True)
        edge.fold()
        again = Someone(edge, "bob")
        assert (await again.ask("sync"))["behind"] == 1
        await again.until(lambda m: m["op"] == "event")
        assert again.texts == ["live"]
        quiet = Someone(edge, "bob", "tv")
        assert (await quiet.ask("sync"))["behind"] == 20
        for one in (again, quiet):
            one.leave()


async def test_a_device_that_is_back_looks_only_where_something_has_happened() -> None:
    async with ByHand() as edge:
        edge.let_in("bob", 300)
        bob = Someone(edge, "bob")
        assert (await bob.ask("sync"))["rooms"] == 301
        last = edge.world.log[-1]["seq"]
        assert (await bob.ask("ack", stream=STREAM, seq=last))["op"] == "ok"
        for number in range(300):
            edge.book.acked("bob", "phone", f"chat:room-quiet{number}", 9)
        bob.leave()
        edge.book.flush(all_of_it=True)
        edge.fold()
        look, asked = edge.rooms.inboxes.heads, list[str]()

        def counting(channels: Sequence[str]) -> dict[str, Head]:
            asked.extend(channels)
            return look(channels)

        edge.rooms.inboxes.heads = counting  # type: ignore[method-assign]
        for number in range(3):
            new = edge.say("ana", f"new {number}")
            asked.clear()
            bob = Someone(edge, "bob")
            synced = await bob.ask("sync")
            assert (synced["rooms"], synced["behind"]) == (301, number + 1), "none of it is acknowledged"
            await bob.until(lambda m, new=new: m["op"] == "event" and m["seq"] == new)
            # Those of the first time, of which it has all by now, are looked at once more.
            assert len(set(asked)) < (310 if number == 0 else 10)
            bob.leave()
        tv = Someone(edge, "bob", "tv")
        assert (await tv.ask("sync"))["rooms"] == 301
        assert len(set(asked)) > 300, "another device looks at all of them"
        tv.leave()


async def test_what_is_kept_of_a_device_that_left_hides_nothing_from_it() -> None:
    async with ByHand(many=1) as edge:

        async def back(*texts: str, device: str = "phone") -> Someone:
            """It is back, and gets these."""
            someone = Someone(edge, "bob", device)
            assert (await someone.ask("sync"))["rooms"] == 1
            await someone.until(lambda _: set(texts) <= set(someone.texts))
            return someone

        async def has_all(someone: Someone) -> None:
            assert (await someone.ask("ack", stream=STREAM, seq=edge.world.log[-1]["seq"]))["op"] == "ok"
            someone.leave()
            edge.book.flush(all_of_it=True)
            edge.fold()

        edge.say("ana", "one")
        await has_all(await back("one"))
        await has_all(await back())
        edge.say("ana", "two")
        await has_all(await back("two"))
        edge.post(changes("ana", "removed", users=["bob"]))
        edge.post(changes("ana", "added", users=["bob"]))
        edge.say("ana", "three")
        bob = await back("three")
        await has_all(bob)
        assert "two" not in bob.texts
        await has_all(await back())
        edge.sign_out("bob", "phone")
        (await back("one", "two", "three")).leave()
        edge.erase("bob")
        (await back("one", "two", "three")).leave()
        edge.post(changes("ana", "removed", users=["bob"]))
        bob = Someone(edge, "bob")
        assert (await bob.ask("sync"))["rooms"] == 0
        bob.leave()


async def test_who_asks_again_gets_again_what_is_not_acknowledged() -> None:
    async with ByHand() as edge:
        seqs = [edge.say("ana", f"m{n}") for n in range(3)]
        bob = Someone(edge, "bob")
        await bob.ask("sync")
        await bob.until(lambda m: m["op"] == "event" and m["seq"] == seqs[-1])
        await bob.ask("ack", stream=STREAM, seq=seqs[1])
        assert (await bob.ask("sync"))["behind"] == 1
        edge.say("ana", "live")
        await bob.until(lambda m: m["op"] == "event" and m["data"].get("text") == "live")
        assert (bob.texts.count("m1"), bob.texts.count("m2"), bob.texts.count("live")) == (1, 2, 1)
        bob.leave()


async def test_a_room_that_was_quiet_and_one_that_is_joined_later_come_by_themselves() -> None:
    async with ByHand() as edge:
        cat, bob = Someone(edge, "cat"), Someone(edge, "bob")
        assert (await cat.ask("sync"))["rooms"] == 0
        synced = await bob.ask("sync")
        last = edge.world.log[-1]["seq"]
        await bob.ask("ack", stream=STREAM, seq=last)
        assert synced["rooms"] == 1
        edge.post(changes("ana", "added", users=["cat"]))
        edge.say("ana", "hello")
        for one in (cat, bob):
            await one.until(lambda m: m["op"] == "event" and m["data"].get("text") == "hello")
        edge.post(changes("ana", "removed", users=["cat"]))
        await cat.until(lambda m: m["op"] == "error" and m["stream"] == STREAM)
        edge.say("ana", "not for cat")
        await bob.until(lambda m: m["op"] == "event" and m["data"].get("text") == "not for cat")
        assert "not for cat" not in cat.texts
        for one in (cat, bob):
            one.leave()


@pytest.mark.parametrize(
    ("history", "heard"),
    [("joined", ["mine", "mine too"]), ("all", ["mine", "while out", "mine too"])],
)
async def test_a_device_that_comes_late_gets_all_times_of_its_user(history: str, heard: list[str]) -> None:
    async with ByHand() as edge:
        cat = Someone(edge, "cat")
        await cat.ask("sync")
        cat.leave()
        edge.book.flush(all_of_it=True)
        edge.fold()
        edge.post(changes("ana", "changed", history=history))
        edge.say("ana", "before")
        for text, what in (("mine", "added"), ("while out", "removed"), ("mine too", "added")):
            edge.post(changes("ana", what, users=["cat"]))
            edge.say("ana", text)
        cat = Someone(edge, "cat")
        await cat.ask("sync")
        await cat.until(lambda m: m["op"] == "event" and m["data"].get("text") == "mine too")
        assert [text for text in cat.texts if text] == heard
        cat.leave()


async def test_a_room_that_is_asked_for_by_itself_is_followed_again_when_it_is_left() -> None:
    async with ByHand() as edge:
        bob = Someone(edge, "bob")
        await bob.ask("sync")
        assert (await bob.ask("subscribe", stream=STREAM))["op"] == "subscribed"
        edge.say("ana", "one")
        assert (await bob.ask("unsubscribe", stream=STREAM))["op"] == "ok"
        edge.say("ana", "two")
        await bob.until(lambda m: m["op"] == "event" and m["data"].get("text") == "two")
        assert bob.texts.count("one") == 1
        bob.leave()


async def test_a_room_that_another_edge_serves_now_is_told_with_how_far_it_came() -> None:
    async with ByHand() as edge:
        bob = Someone(edge, "bob")
        edge.say("ana", "one")
        await bob.ask("sync")
        two = edge.say("ana", "two")
        await bob.until(lambda message: message.get("seq") == two)
        # Nothing is said there afterwards that would bring it up.
        edge.lose_partitions("ws://other/v1/ws")
        told = await bob.until(lambda message: message["op"] == "redirect")
        assert told == {"op": "redirect", "stream": STREAM, "url": "ws://other/v1/ws", "after": two}
        bob.leave()


async def test_receipts_typing_and_who_is_there() -> None:
    async with ByHand() as edge:
        edge.post(changes("ana", "changed", receipts=True))
        seq = edge.say("ana", "hello")
        ana, bob = Someone(edge, "ana"), Someone(edge, "bob")
        await ana.ask("subscribe", stream=STREAM, members=True)
        await bob.ask("sync")
        await ana.until(lambda m: m["op"] == "join" and m["user"] == "bob")
        there = await ana.ask("presence", stream=STREAM, members=True)
        assert [(one["user"], one["devices"]) for one in there["members"]] == [("ana", 1), ("bob", 1)]
        await bob.ask("read", stream=STREAM, seq=seq)
        await ana.until(lambda m: m["op"] == "receipt" and (m["user"], m["read"]) == ("bob", seq))
        await bob.ask("typing", stream=STREAM)
        await ana.until(lambda m: m["op"] == "typing" and m["user"] == "bob")
        bob.leave()
        await ana.until(lambda m: m["op"] == "leave" and m["user"] == "bob")
        eve = Someone(edge, "eve")
        for op in ("typing", "presence"):
            assert (await eve.ask(op, stream=STREAM, members=True))["code"] == "not_found"
        await eve.ask("subscribe", stream=STREAM, members=True)
        bob = Someone(edge, "bob")
        await bob.ask("sync")
        await asyncio.sleep(0.1)
        assert not [m for m in eve.heard if m["op"] == "join"], "strangers hear of nobody"
        for one in (ana, bob, eve):
            one.leave()


async def test_rooms_that_the_token_does_not_cover_are_left_out() -> None:
    auth, clock = Auth(secret="a-secret-of-thirty-two-bytes-or-more"), SystemClock()
    async with ByHand(clock, Verifier(auth, StaticKeys(auth), clock)) as edge:

        def come(device: str, *patterns: str) -> Someone:
            can = dict.fromkeys(("subscribe", "history"), patterns)
            expires_s = clock.now_ms() / 1000 + 60
            token = sign("bob", can, expires_s=expires_s, key=auth.secret)
            return Someone(edge, "bob", device, token=token)

        def renewed(*patterns: str) -> str:
            expires_s = clock.now_ms() / 1000 + 60
            return sign("bob", {"subscribe": patterns}, expires_s=expires_s, key=auth.secret)

        edge.say("ana", "hi @bob")
        inside, outside = come("d1", "chat:*"), come("d2", "chat:pub*")
        assert (await inside.ask("sync"))["rooms"] == 1
        assert (await outside.ask("sync"))["rooms"] == 0
        assert len((await inside.ask("inbox"))["rooms"]) == 1
        assert (await outside.ask("inbox"))["rooms"] == []
        edge.say("ana", "more")
        await inside.until(lambda m: m["op"] == "event" and m["data"].get("text") == "more")
        await inside.until(lambda m: m["op"] == "inbox" and "id" not in m)
        await inside.ask("typing", stream=STREAM)
        edge.post(changes("ana", "removed", users=["bob"]))
        await inside.until(lambda m: m["op"] == "inbox" and m["rooms"] == [{"room": "study", "gone": True}])
        edge.post(changes("ana", "added", users=["bob"]))
        edge.say("ana", "again")
        await inside.until(lambda m: m["op"] == "event" and m["data"].get("text") == "again")
        assert [m["op"] for m in outside.heard] == ["synced", "inbox"]
        # A token that is renewed and covers less: what it does not cover is followed no more.
        assert (await inside.ask("auth", token=renewed("chat:pub*")))["op"] == "ok"
        edge.say("ana", "without you")
        assert (await inside.ask("ping"))["op"] == "pong"
        assert "without you" not in inside.texts
        for one in (inside, outside):
            one.leave()


async def test_what_cannot_be_is_refused() -> None:
    async with ByHand() as edge:
        seq = edge.say("ana", "hello")
        bob, eve = Someone(edge, "bob"), Someone(edge, "eve")
        for op in ("ack", "read"):
            assert (await bob.ask(op, stream=STREAM, seq=seq + 1))["code"] == "bad_request"
            assert (await eve.ask(op, stream=STREAM, seq=seq))["code"] == "not_found"
        assert (await bob.ask("read", stream="chat:final", seq=1))["code"] == "bad_request"
        assert (await bob.ask("ack"))["code"] == "bad_request"
        assert (await bob.ask("ack", stream=STREAM, seq=seq, seqs={}))["code"] == "bad_request"
        for one in (bob, eve):
            one.leave()


async def test_places_of_a_device_that_is_away_go_when_it_is_signed_out() -> None:
    async with ByHand() as edge:
        seqs = [edge.say("ana", f"m{n}") for n in range(25)]
        bob = Someone(edge, "bob")
        await bob.ask("sync")
        assert (await bob.ask("ack", stream=STREAM, seq=seqs[-1]))["op"] == "ok"
        edge.book.flush(all_of_it=True)
        edge.fold()
        bob.leave()
        edge.sign_out("bob", "phone")
        again = Someone(edge, "bob")
        assert (await again.ask("sync"))["behind"] == 20
        assert (await again.ask("ack", stream=STREAM, seq=seqs[20]))["op"] == "ok"
        assert edge.book.delivered("bob", STREAM) == seqs[20]
        again.leave()


async def test_places_go_when_a_users_data_are_erased() -> None:
    async with ByHand() as edge:
        seqs = [edge.say("ana", f"m{n}") for n in range(25)]
        bob = Someone(edge, "bob")
        await bob.ask("sync")
        await bob.ask("ack", stream=STREAM, seq=seqs[-1])
        await bob.ask("read", stream=STREAM, seq=seqs[-1])
        edge.book.flush(all_of_it=True)
        edge.fold()
        assert [one.device for one in edge.rooms.inboxes.devices_of("bob", 60_000)] == ["phone"]
        edge.erase("bob")
        assert edge.rooms.inboxes.devices_of("bob", 60_000) == []
        again = Someone(edge, "bob", "phone")
        assert (await again.ask("sync"))["behind"] == 20
        (row,) = (await again.ask("inbox"))["rooms"]
        assert (row["unread"], row["read"]) == (25, 0)
        await again.ask("ack", stream=STREAM, seq=seqs[20])
        assert edge.book.delivered("bob", STREAM) == seqs[20]
        for one in (bob, again):
            one.leave()


async def test_a_device_that_is_signed_out_goes_and_may_come_again() -> None:
    async with ByHand() as edge:
        phone, tv = Someone(edge, "bob"), Someone(edge, "bob", "tv")
        edge.book.flush(all_of_it=True)
        edge.fold()
        edge.sign_out("bob", "phone")
        assert [phone.closed, tv.closed] == [4001, None]
        phone.leave()
        again = Someone(edge, "bob")
        assert again.closed is None
        edge.service.messenger.disconnect("bob")
        assert {again.closed, tv.closed} == {4001}
        for one in (again, tv):
            one.leave()
