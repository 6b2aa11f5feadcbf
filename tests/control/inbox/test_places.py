"""How places rise: by the maximum, whatever order edges send in, whatever is sent again."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.entity.fold import EntityFold, Input, fold_input
from control.entity.known import Known
from control.inbox import places
from control.inbox.places import Ack, AckedByDevice, Places, ReadStream, fold_places, of_old_cursor
from control.inbox.tables import UserPlaces, places_type, put_together
from kernel.errors import TouchlineError
from kernel.log.topics import DAY_MS
from kernel.settings.reading import Settings
from schemas.codec import Codec

TYPE = places_type(Settings())
HOW = EntityFold(type=TYPE, fold=fold_places)
ACK = Codec("ack")


class Owner:
    """A user's records, as they are folded and written."""

    def __init__(self) -> None:
        self.written: dict[bytes, bytes] = {}
        self.offset = 0

    def take(self, ack: Ack, *, at_ms: int = 0, offset: int | None = None) -> int:
        """Fold an input as it comes from the log; the number of records written."""
        if offset is None:
            offset, self.offset = self.offset, self.offset + 1
        value = ACK.decode(ACK.encode(msgspec.to_builtins(ack)))
        key = places.places_key(ack.user, 0).partition(b"\0")[0]
        written = fold_input(HOW, Input(key, value, at_ms, "id-0", offset), self._known)
        for one in written:
            self.written[one.key] = one.value or b""
        return len(written)

    def _known(self, key: bytes) -> Known[Places]:
        value = self.written.get(key)
        state = None if value is None else TYPE.decode(value)
        stamp = TYPE.stamp_of(state) if state is not None else TYPE.stamp_of(Places())
        return Known(state, stamp)

    @property
    def known(self) -> UserPlaces:
        return put_together([TYPE.decode(self.written[key]) for key in sorted(self.written)])

    def acked(self, device: str, stream: str) -> int:
        found = self.known.device(device)
        return 0 if found is None else self.known.acked(stream, found.number)


def ack(device: str = "phone", acked: Mapping[str, int] | None = None, **more: int) -> Ack:
    places = {f"chat:{name}": seq for name, seq in {**(acked or {}), **more}.items()}
    return Ack(user="ana", devices=(AckedByDevice(device, places),))


SAID = st.tuples(
    st.sampled_from(("phone", "tv", "")), st.sampled_from("abc"), st.integers(0, 20), st.booleans()
)


@settings(deadline=None)
@given(st.lists(SAID, max_size=30), st.randoms())
def test_the_highest_holds_in_whatever_order_and_however_often(said: list[Any], chance: Any) -> None:
    inputs = []
    for device, stream, seq, read in said:
        name = f"chat:{stream}"
        inputs.append(
            Ack(user="ana", read=(ReadStream(name, seq, seq // 2),))
            if read
            else Ack(user="ana", devices=(AckedByDevice(device, {name: seq}),))
        )
    one, other = Owner(), Owner()
    for each in inputs:
        one.take(each)
    mixed = [*inputs, *inputs[::2]]
    chance.shuffle(mixed)
    for each in mixed:
        other.take(each)
    for stream in "abc":
        name = f"chat:{stream}"
        reads = [seq for _, s, seq, read in said if read and s == stream]
        for owner in (one, other):
            assert owner.known.read(name).seq == max(reads, default=0)
            for device in ("phone", "tv", ""):
                acked = [seq for d, s, seq, read in said if not read and (d, s) == (device, stream)]
                assert owner.acked(device, name) == max(acked, default=0)


def test_what_was_folded_changes_nothing_when_it_is_read_again() -> None:
    owner = Owner()
    assert owner.take(ack(a=5), offset=7) == 1
    before = dict(owner.written)
    assert owner.take(ack(a=5), offset=7) == 0
    assert owner.take(ack(a=4), offset=6) == 0
    assert owner.written == before


def test_a_user_of_many_streams_has_several_records_and_one_that_changes_is_one() -> None:
    owner = Owner()
    many = {f"s{n}": n + 1 for n in range(2 * places.MOST_STREAMS + 5)}
    assert owner.take(ack("phone", many)) == 3
    assert all(owner.acked("phone", f"chat:{name}") == seq for name, seq in many.items())
    assert owner.take(ack(s400=0, s200=900)) == 1
    assert owner.acked("phone", "chat:s200") == 900


def test_a_device_that_is_signed_out_is_forgotten_with_its_places() -> None:
    owner = Owner()
    owner.take(ack("phone", a=5))
    owner.take(ack("tv", a=3))
    owner.take(Ack(user="ana", forget=("phone",)), at_ms=9)
    assert [one.device for one in owner.known.devices] == ["tv"]
    assert owner.known.gone == {"phone": 9}
    assert owner.known.delivered("chat:a") == 3
    owner.take(ack("phone"))
    assert owner.acked("phone", "chat:a") == 0, "one of that name that comes again is another one"


def test_devices_that_are_away_for_thirty_days_go_and_so_many_are_kept() -> None:
    owner = Owner()
    owner.take(ack("phone", a=5))
    owner.take(ack("tv", a=3), at_ms=31 * DAY_MS)
    assert [one.device for one in owner.known.devices] == ["tv"]
    for n in range(places.MOST_DEVICES):
        owner.take(ack(f"d{n}"), at_ms=32 * DAY_MS + n)
    devices = [one.device for one in owner.known.devices]
    assert len(devices) == places.MOST_DEVICES
    assert "tv" not in devices


def test_an_old_record_of_cursors_is_the_same_as_an_acknowledgement() -> None:
    owner = Owner()
    owner.take(of_old_cursor({"user": "ana", "device": "phone", "at": 1, "acked": {"chat:a": 7}}))
    assert owner.acked("phone", "chat:a") == 7


@pytest.mark.parametrize(
    "bad",
    [
        Ack(user=""),
        Ack(user="ana", devices=(AckedByDevice("d" * 129, {}),)),
        Ack(user="ana", devices=(AckedByDevice("d", {"chat:a": -1}),)),
        Ack(user="ana", devices=(AckedByDevice("d", {"c" * 141: 1}),)),
        Ack(user="ana", read=(ReadStream("chat:a", 1 << 60),)),
    ],
)
def test_what_no_edge_would_write_is_refused(bad: Ack) -> None:
    with pytest.raises(TouchlineError):
        Owner().take(bad)
