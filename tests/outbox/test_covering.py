"""Who waits for a stream is found by how patterns begin: the same ones as by asking each, and soon."""

import time

from hypothesis import given
from hypothesis import strategies as st

from control.outlets.webhooks import Webhook
from kernel.access.users import name_in_channel
from kernel.log.positions import Kind
from outbox.forwarding.pattern_index import Covering

parts = st.lists(st.sampled_from(["chat", "*", ":", "a", "b", "~1", "notify-"]), min_size=1, max_size=6)
hooks = st.lists(
    st.builds(
        lambda id_, streams, users: Webhook(
            id=id_, streams=tuple("".join(one) for one in streams), users=tuple(users)
        ),
        st.sampled_from("wxyz"),
        st.lists(parts, max_size=3),
        st.lists(st.sampled_from(["ana", "a b"]), max_size=2),
    ),
    max_size=8,
)
channels = st.sampled_from(["a", "ab", "a~1", "notify-ana", f"notify-{name_in_channel('a b')}", "b.a"])


@given(hooks, st.sampled_from("wxyz"), st.sampled_from(list(Kind)), channels)
def test_they_are_those_that_cover_it_whatever_was_changed_before(
    said: list[Webhook], dropped: str, kind: Kind, channel: str
) -> None:
    covering, all_ = Covering(), dict[str, Webhook]()
    for webhook in said:
        covering.put(webhook)
        all_[webhook.id] = webhook
    covering.drop(dropped)
    all_.pop(dropped, None)
    users = [user for user in ("ana", "a b") if channel == f"notify-{name_in_channel(user)}"]
    expected = [
        id_
        for id_, one in sorted(all_.items())
        if one.covers(f"{kind}:{channel}") or (kind is Kind.BROADCAST and set(users) & set(one.users))
    ]
    assert covering.about(kind, channel) == expected


def test_as_many_as_there_may_be_cost_nobody_a_moment() -> None:
    """Asked about one by one, each channel that is new took 20 ms; after every change all were new."""
    covering = Covering()
    for number in range(1000):
        streams = tuple(f"*:foe-{number}-{one}*a*a*a*b" for one in range(50))
        covering.put(Webhook(id=f"w{number}", streams=streams))
    begun = time.process_time()
    for number in range(100):
        assert covering.about(Kind.CHAT, f"foe-{number}-7" + "a" * 100 + "b") == [f"w{number}"]
    assert time.process_time() - begun < 0.1
