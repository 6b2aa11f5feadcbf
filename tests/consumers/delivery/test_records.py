"""Fan-out records of both versions, read by hand: the same as the codec reads them."""

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.records import FanoutRecord, UnreadableRecord, reader_for
from kernel.settings.reading import Settings
from schemas.catalog import Version, built_in, without_logical_types
from schemas.codec import Codec

READ = reader_for(Settings())
TEXT = st.text(max_size=200)
SEQS = st.integers(1, 2**53 - 1) | st.integers(2**41, 2**48 - 1)


def first_version(record: dict[str, Any]) -> bytes:
    """As workers wrote it before."""
    version, out = Version("fanout", 1), BytesIO()
    out.write(b"\0" + built_in().id_of(version).to_bytes(4))
    schema = fastavro.parse_schema(without_logical_types(built_in().schemas[version]))
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


@given(
    st.fixed_dictionaries(
        {
            "stream": TEXT,
            "seq": SEQS,
            "server_ts": st.integers(0, 2**41) | st.integers(2**34, 2**41),
            "type": st.text(min_size=1, max_size=80),
            "sender": st.none() | TEXT,
            "n": st.none() | SEQS,
            "target": st.none() | st.text("0123456789", max_size=40),
            "body": st.binary(min_size=2, max_size=300),
        }
    )
)
def test_by_hand_it_reads_as_by_the_codec(record: dict[str, Any]) -> None:
    assert READ(Codec("fanout").encode(record)) == FanoutRecord(**record)


@given(TEXT, st.none() | TEXT.filter(bool), SEQS)
def test_of_the_first_version_the_sender_is_the_bodys(stream: str, sender: str | None, seq: int) -> None:
    record = {"stream": stream, "seq": seq, "server_ts": 5, "body": compact(stream, sender)}
    wanted = FanoutRecord(stream, seq, 5, compact(stream, sender), sender=sender)
    assert READ(first_version(record)) == wanted


def compact(stream: str, sender: str | None) -> bytes:
    said = {} if sender is None else {"sender": sender}
    shown = {"stream": stream, "type": "position", **said, "server_ts": "t", "data": {"sender": "eve"}}
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize("cut", [6, 12, 30, 40])
def test_what_is_cut_off_is_not_read(cut: int) -> None:
    record = {"stream": "chat:a", "seq": 1 << 43, "server_ts": 1 << 40, "type": "message"}
    value = Codec("fanout").encode({**record, "sender": "ana", "n": 3, "target": None, "body": b"{}" * 9})
    with pytest.raises(UnreadableRecord):
        READ(value[:cut])
