"""What is known of a user beside what they have posted, as who asks for their data gets it."""

from types import SimpleNamespace
from typing import Any

from control.attachments.references import Facts
from control.inbox.places import Device, PlaceOfDevice, Places, ReadPosition
from control.inbox.tables import put_together
from control.nearby.fences import Fence
from gateway.moderation.user_export import attachments_of, devices_and_places, fences_of
from kernel.attachment_ids import new_attachment
from kernel.clock import to_rfc3339

HERE, GONE = new_attachment(1, b"1" * 14), new_attachment(2, b"2" * 14)


def test_devices_and_how_far_they_are() -> None:
    acked = (PlaceOfDevice(2, 5), PlaceOfDevice(7, 9))
    streams = (ReadPosition("chat:room-a", read=4, acked=acked), ReadPosition("chat:room-b", acked=acked[:1]))
    records = [Places(devices=(Device("phone", 2, 60_000),), streams=streams)]
    assert list(devices_and_places(put_together(records))) == [
        {"what": "device", "device": "phone", "last_active": to_rfc3339(60_000)},
        {"what": "place", "stream": "chat:room-a", "read": 4, "acked": {"phone": 5}},
        {"what": "place", "stream": "chat:room-b", "read": 0, "acked": {"phone": 5}},
    ]


async def test_fences_are_their_makers() -> None:
    fences = [(id_.encode(), Fence(id=id_, maker=maker, lat=1.0, lon=2.0, radius_m=3.0))
              for id_, maker in (("a", "ana"), ("b", "bob"), ("c", "ana"))]  # fmt: skip
    view = SimpleNamespace(scan=lambda _, after, limit: [one for one in fences if one[0] > after][:limit])
    consent: Any = SimpleNamespace(followed=True, fences=view)
    assert [line["fence"]["id"] async for line in fences_of(consent, "ana")] == ["a", "c"]


async def test_attachments_that_are_there_are_told_of() -> None:
    facts = Facts(stream="chat:a", name="a.png", type="image/png", size=1, sha256="00")

    async def find(attachment: str) -> Facts | None:
        return facts if attachment == HERE else None

    service: Any = SimpleNamespace(store=SimpleNamespace(find=find))
    event = b'{"data":{"text":"","attachments":["%b","%b",7]}}' % (HERE.encode(), GONE.encode())
    (line,) = [one async for one in attachments_of(service, event)]
    assert (line["attachment"], line["name"], line["stream"]) == (HERE, "a.png", "chat:a")
