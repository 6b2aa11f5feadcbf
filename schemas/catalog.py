"""The schema files and their ids: every version that was ever written stays here, so that it can be read."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

Schema = dict[str, Any]
#: Says what an id stands for that is not in the catalog; None: no schema of ours.
Lookup = Callable[[int], "Version | None"]

_FOLDER: Final = Path(__file__).parent
AVSC: Final = _FOLDER / "avsc"
IDS: Final = _FOLDER / "ids.json"


class Version(NamedTuple):
    """A version of a named schema, like `event-chat/v1`."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}/v{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Version":
        name, _, number = text.rpartition("/v")
        return cls(name, int(number))


class Catalog:
    """Schemas by name, version and id. What it writes does not change: `with_ids` gives another one.

    Built-in ids start at 0x544C0000 ("TL" in a hex dump), so that they never meet those that a schema
    registry hands out, counting from 1: a topic may hold both.
    """

    def __init__(
        self,
        schemas: Mapping[Version, Schema],
        ids: Mapping[Version, int],
        others: Mapping[int, Version] = MappingProxyType({}),
        lookup: Lookup | None = None,
    ) -> None:
        """`others` are ids that are read, but not written; `lookup` is asked for those that are unknown."""
        self.schemas: Final = MappingProxyType(dict(schemas))
        self._ids: Final = dict(ids)
        self._by_id = {**others, **{number: version for version, number in ids.items()}}
        self._lookup = lookup

    def id_of(self, version: Version) -> int:
        """The id written before values of this version."""
        return self._ids[version]

    def by_id(self, number: int) -> Version | None:
        """The version that this id stands for; None if it is unknown. It may ask a registry, once."""
        found = self._by_id.get(number)
        if found is None and self._lookup is not None and (found := self._lookup(number)) is not None:
            self._by_id[number] = found
        return found

    @property
    def ids(self) -> Mapping[int, Version]:
        """Every id that can be read, as far as is known without asking."""
        return MappingProxyType(self._by_id)

    @property
    def names(self) -> list[str]:
        return sorted({version.name for version in self.schemas})

    def versions(self, name: str) -> list[Version]:
        """The versions of a schema, oldest first. Raises KeyError."""
        found = sorted(version for version in self.schemas if version.name == name)
        if not found:
            raise KeyError(name)
        return found

    def latest(self, name: str) -> Version:
        """The version that is written now."""
        return self.versions(name)[-1]

    def with_ids(
        self,
        ids: Mapping[Version, int],
        others: Mapping[int, Version] = MappingProxyType({}),
        lookup: Lookup | None = None,
    ) -> "Catalog":
        """The same schemas written under other ids (those of a registry); the built-in ones stay readable."""
        return Catalog(self.schemas, {**self._ids, **ids}, {**self._by_id, **others}, lookup)


@cache
def built_in() -> Catalog:
    """The schemas of this checkout, under the ids of schemas/ids.json."""
    ids = {Version.parse(text): number for text, number in json.loads(IDS.read_text("utf-8")).items()}
    schemas = {v: json.loads((AVSC / v.name / f"v{v.number}.avsc").read_text("utf-8")) for v in ids}
    return Catalog(schemas, ids)


def without_logical_types(schema: Any) -> Any:
    """The same schema with times as plain integers: datetime objects would double the codec's time."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        kept = {k: without_logical_types(v) for k, v in schema.items() if k not in ("logicalType", "doc")}
        return kept["type"] if len(kept) == 1 and "type" in kept else kept
    return schema
