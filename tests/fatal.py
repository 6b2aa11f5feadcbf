"""Makes librdkafka give a producer up, as when it cannot keep its promise: by its own call for tests."""

import ctypes
import gc
from pathlib import Path

import confluent_kafka
from confluent_kafka import KafkaError, Producer


def producers() -> list[Producer]:
    """All that there are in this process."""
    return [each for each in gc.get_objects() if type(each) is Producer]


def give_up(producer: Producer) -> None:
    """A fatal error, raised inside of librdkafka."""
    bundled = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    (library,) = bundled.glob("librdkafka-*.so*")
    call = ctypes.CDLL(str(library)).rd_kafka_test_fatal_error
    call.argtypes, call.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p], ctypes.c_int
    # The first thing behind the head of the object is librdkafka's handle.
    handle = ctypes.c_void_p.from_address(id(producer) + object.__basicsize__)
    call(handle, KafkaError._INCONSISTENT, b"a part of a batch is gone")
