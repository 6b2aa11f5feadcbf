"""Following channels over HTTP: what is said is in force when it is answered."""

from tests.feeds.following import follow, new
from tests.pipeline import Pipeline
from tests.rooms.people import ok, refused, until


async def followers(pipeline: Pipeline, channel: str) -> int:
    answer = await ok(pipeline, "GET", f"/v1/channels/{channel}/followers", None)
    return int(answer["followers"])


async def test_who_follows_is_counted_and_listed(feeding: Pipeline) -> None:
    ana, bob, one, two, three = new("ana", "böb 🐈", "one", "two", "three")
    await follow(feeding, ana, two, one, three)
    await follow(feeding, ana, one)  # again: the same
    await follow(feeding, bob, one)

    async def counted() -> bool:
        return [await followers(feeding, channel) for channel in (one, two, three)] == [2, 1, 1]

    await until(counted)
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await ok(feeding, "GET", f"/v1/follows?limit=2&cursor={cursor}", ana)
        listed += [follow["channel"] for follow in page["follows"]]
        cursor = page["next"]
    assert listed == sorted([one, two, three])
    ended = await ok(feeding, "DELETE", f"/v1/follows/{one}", ana)
    assert ended == {"channel": one, "since": None}
    await ok(feeding, "DELETE", f"/v1/follows/{one}", ana)  # again: the same

    async def one_less() -> bool:
        return await followers(feeding, one) == 1

    await until(one_less)


async def test_bounds_and_refusals(feeding: Pipeline) -> None:
    ana, eve, closed = new("ana", "eve", "closed")
    await follow(feeding, ana, *(f"{ana}-{number}" for number in range(20)))
    assert await refused(feeding, "PUT", f"/v1/follows/{ana}-20", ana) == (422, "too_many")
    assert await refused(feeding, "PUT", "/v1/follows/room-study", eve) == (400, "bad_request")
    assert await refused(feeding, "PUT", f"/v1/follows/notify-{eve}", eve) == (400, "bad_request")
    assert await refused(feeding, "PUT", f"/v1/follows/{closed}", None) == (400, "bad_request")
    assert await refused(feeding, "GET", "/v1/follows?cursor=%20", eve) == (400, "bad_request")
    assert await refused(feeding, "GET", "/v1/follows?limit=0", eve) == (400, "bad_request")
    # Each other's own channels, and that in a circle: nothing comes of it but what is posted there.
    assert await refused(feeding, "PUT", f"/v1/follows/user-{ana}", eve) == (403, "forbidden")
    await follow(feeding, eve, f"user-{eve}")


async def test_erased_users_follow_nothing(feeding: Pipeline) -> None:
    ana, one = new("ana", "one")
    await follow(feeding, ana, one)
    await ok(feeding, "DELETE", f"/v1/users/{ana}/data", ana)

    async def nothing() -> bool:
        listed = (await ok(feeding, "GET", "/v1/follows", ana))["follows"]
        return (await followers(feeding, one), listed) == (0, [])

    await until(nothing)
