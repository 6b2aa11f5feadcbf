"""Rooms of the simulator: the same ones by a seed, of all sizes, and what is done in them could be done."""

from collections import Counter, defaultdict
from itertools import islice

from producers.simulation.conversations import Doing, Planned, people, rooms, talk

PEOPLE = people(150)


def some(seed: int = 7, number: int = 60) -> tuple[list[Planned], list[Doing]]:
    planned = rooms(number, PEOPLE, seed=seed)
    return planned, list(islice(talk(planned, PEOPLE, per_s=20, seed=seed), 4000))


def test_a_seed_makes_the_same_again_and_another_one_something_else() -> None:
    assert some() == some() != some(8)


def test_most_rooms_are_small_and_some_are_large() -> None:
    assert len(set(PEOPLE)) == len(PEOPLE)
    planned = rooms(400, PEOPLE, seed=3)
    sizes = sorted(len(one.members) for one in planned)
    assert (sizes[0], sizes[150]) == (2, 2)
    assert 30 < sizes[-1] <= 100
    assert all(len(set(one.members)) == len(one.members) and one.maker in one.members for one in planned)
    assert {one.history for one in planned} == {"all", "joined"}


def test_what_is_done_is_what_members_may_do() -> None:
    planned, done = some()
    members = {one.room: set(one.members) for one in planned}
    authors: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for one in done:
        inside = members[one.room]
        assert one.by in inside, one
        if one.what == "say":
            assert one.number == len(authors[one.room]) + 1
            assert one.about < one.number
            authors[one.room][one.number] = one.by
        elif one.what in ("edit", "retract"):
            assert authors[one.room][one.about] == one.by
        elif one.what == "add":
            assert not inside & set(one.users)
            inside |= set(one.users)
        else:
            inside -= set(one.users)
        assert 1 <= len(inside) <= 100
    kinds = Counter(one.what for one in done)
    assert kinds["say"] > 3000
    assert all(kinds[what] > 20 for what in ("edit", "retract", "add", "remove"))
    assert abs(done[-1].at_s - 200) < 20, "20 a second"
    # Some rooms are much busier than others.
    busy = Counter(one.room for one in done).most_common()
    assert busy[0][1] > 10 * busy[-1][1]
