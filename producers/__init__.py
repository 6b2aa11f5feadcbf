"""The Python SDK for producers: `Producer` for asyncio, `SyncProducer` for threads; and what they send."""

from producers.posts import Broadcast, Chat, Location, Post
from producers.producer import Producer
from producers.sending.delivery import Delivered, Failure, SomeNotDelivered
from producers.sync import SyncProducer

__all__ = [
    "Broadcast",
    "Chat",
    "Delivered",
    "Failure",
    "Location",
    "Post",
    "Producer",
    "SomeNotDelivered",
    "SyncProducer",
]
