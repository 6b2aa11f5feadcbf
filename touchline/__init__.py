"""The public API: `from touchline import Producer, Viewer`.

Everything here is loaded when it is asked for: `touchline --help` needs neither Kafka's client nor a socket.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from kernel.version import VERSION as __version__  # noqa: N811

if TYPE_CHECKING:
    from consumers.client.requests.attachments import Attachment as Attachment
    from consumers.client.requests.attachments import Attachments as Attachments
    from consumers.client.requests.crowd import Crowd as Crowd
    from consumers.client.requests.crowd import applaud as applaud
    from consumers.client.requests.crowd import react as react
    from consumers.client.requests.crowd import vote as vote
    from consumers.client.requests.crowd import watch_crowd as watch_crowd
    from consumers.client.requests.feeds import Feeds as Feeds
    from consumers.client.requests.feeds import watch_feed as watch_feed
    from consumers.client.requests.moderation import Moderation as Moderation
    from consumers.client.requests.nearby import Nearby as Nearby
    from consumers.client.requests.nearby import around as around
    from consumers.client.requests.nearby import locate as locate
    from consumers.client.requests.nearby import watch_nearby as watch_nearby
    from consumers.client.requests.rooms import Rooms as Rooms
    from consumers.client.requests.schedule import Schedule as Schedule
    from consumers.client.requests.search import Search as Search
    from consumers.client.viewer import Closed as Closed
    from consumers.client.viewer import Connecting as Connecting
    from consumers.client.viewer import Gap as Gap
    from consumers.client.viewer import Live as Live
    from consumers.client.viewer import Offline as Offline
    from consumers.client.viewer import Refused as Refused
    from consumers.client.viewer import Start as Start
    from consumers.client.viewer import Status as Status
    from consumers.client.viewer import Viewer as Viewer
    from consumers.client.viewer import Waiting as Waiting
    from kernel.errors import TouchlineError as TouchlineError
    from kernel.settings.reading import Settings as Settings
    from kernel.settings.reading import load_settings as load_settings
    from producers import Broadcast as Broadcast
    from producers import Chat as Chat
    from producers import Delivered as Delivered
    from producers import Failure as Failure
    from producers import Location as Location
    from producers import Post as Post
    from producers import Producer as Producer
    from producers import SomeNotDelivered as SomeNotDelivered
    from producers import SyncProducer as SyncProducer
    from schemas.events import Event as Event


# Import statements, not names in strings: whoever moves a module, and the wheel, find them.
def _viewer() -> ModuleType:
    import consumers.client.viewer as home  # noqa: PLC0415

    return home


def _rooms() -> ModuleType:
    import consumers.client.requests.rooms as home  # noqa: PLC0415

    return home


def _nearby() -> ModuleType:
    import consumers.client.requests.nearby as home  # noqa: PLC0415

    return home


def _feeds() -> ModuleType:
    import consumers.client.requests.feeds as home  # noqa: PLC0415

    return home


def _attachments() -> ModuleType:
    import consumers.client.requests.attachments as home  # noqa: PLC0415

    return home


def _producers() -> ModuleType:
    import producers as home  # noqa: PLC0415

    return home


def _events() -> ModuleType:
    import schemas.events as home  # noqa: PLC0415

    return home


def _moderation() -> ModuleType:
    import consumers.client.requests.moderation as home  # noqa: PLC0415

    return home


def _schedule() -> ModuleType:
    import consumers.client.requests.schedule as home  # noqa: PLC0415

    return home


def _search() -> ModuleType:
    import consumers.client.requests.search as home  # noqa: PLC0415

    return home


def _crowd() -> ModuleType:
    import consumers.client.requests.crowd as home  # noqa: PLC0415

    return home


def _errors() -> ModuleType:
    import kernel.errors as home  # noqa: PLC0415

    return home


def _settings() -> ModuleType:
    import kernel.settings.reading as home  # noqa: PLC0415

    return home


_HOMES: Final[Mapping[str, Callable[[], ModuleType]]] = MappingProxyType(
    {
        "Attachment": _attachments,
        "Attachments": _attachments,
        "Broadcast": _producers,
        "Chat": _producers,
        "Crowd": _crowd,
        "Delivered": _producers,
        "Failure": _producers,
        "Location": _producers,
        "Post": _producers,
        "Moderation": _moderation,
        "Feeds": _feeds,
        "watch_feed": _feeds,
        "Nearby": _nearby,
        "Rooms": _rooms,
        "Schedule": _schedule,
        "Search": _search,
        "applaud": _crowd,
        "around": _nearby,
        "locate": _nearby,
        "react": _crowd,
        "vote": _crowd,
        "watch_crowd": _crowd,
        "watch_nearby": _nearby,
        "Producer": _producers,
        "SomeNotDelivered": _producers,
        "SyncProducer": _producers,
        "Closed": _viewer,
        "Connecting": _viewer,
        "Gap": _viewer,
        "Live": _viewer,
        "Offline": _viewer,
        "Refused": _viewer,
        "Start": _viewer,
        "Status": _viewer,
        "Viewer": _viewer,
        "Waiting": _viewer,
        "Event": _events,
        "TouchlineError": _errors,
        "Settings": _settings,
        "load_settings": _settings,
    }
)

__all__ = [
    "Attachment",
    "Attachments",
    "Broadcast",
    "Chat",
    "Closed",
    "Connecting",
    "Crowd",
    "Delivered",
    "Event",
    "Failure",
    "Feeds",
    "Gap",
    "Live",
    "Location",
    "Moderation",
    "Nearby",
    "Offline",
    "Post",
    "Producer",
    "Refused",
    "Rooms",
    "Schedule",
    "Search",
    "Settings",
    "SomeNotDelivered",
    "Start",
    "Status",
    "SyncProducer",
    "TouchlineError",
    "Viewer",
    "Waiting",
    "__version__",
    "applaud",
    "around",
    "load_settings",
    "locate",
    "react",
    "vote",
    "watch_crowd",
    "watch_feed",
    "watch_nearby",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = globals()[name] = getattr(_HOMES[name](), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
