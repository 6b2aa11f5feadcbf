"""Who may read which channel, as its settings name them: edges, gateway and indexer keep to it alike."""

from collections.abc import Iterable

from kernel.positions import split_lane
from kernel.tokens import Grants


class ChannelAcl:
    """The channels that only some may read, and those. All other channels are for everybody."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def learn(self, channel: str, names: Iterable[str]) -> None:
        """Take what the channel's settings say now; nobody named: everybody may."""
        if names := frozenset(names):
            self._names[channel] = names
        else:
            self._names.pop(channel, None)

    def allow(self, grants: Grants, channel: str) -> bool:
        """Whether this user may read a channel, or the one that it is a lane of."""
        base = split_lane(channel)[0]
        names = self._names.get(base)
        return names is None or grants.user in names or grants.allows("admin", base)

    def hidden_from(self, grants: Grants) -> list[str]:
        """The channels that this user may not read."""
        return [channel for channel in self._names if not self.allow(grants, channel)]
