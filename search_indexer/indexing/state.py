"""What the index says of itself: the generation that is searched, and the watermarks of its partitions."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from elasticsearch import AsyncElasticsearch, BadRequestError, ConflictError, NotFoundError, TransportError

from history.pages import Watermark
from history.sources import names
from history.sources.elasticsearch_client import documents_of
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from search_indexer.indexing.mappings import made_with, put_templates, template_name
from search_indexer.indexing.progress import Partition

_log = get_logger("touchline.index")
_DAY_MS: Final = 24 * 60 * 60 * 1000
#: For so long a generation that was replaced stays, for searches and pages that are under way.
_GRACE_MS: Final = 60_000
#: So long before a day begins its indices are made: several times as long as it takes until they are looked
#: for again. Not a day before: each index, though empty, is asked by each search (docs/decisions/0159).
_AHEAD_MS: Final = 60 * 60 * 1000
_EXISTS: Final = "resource_already_exists_exception"


class IndexState:
    """Reads and writes the state index."""

    def __init__(self, client: AsyncElasticsearch, settings: Settings, clock: Clock) -> None:
        self._client, self._settings, self._clock = client, settings, clock
        self._prefix = settings.elasticsearch.index_prefix
        self._index = names.state_index(self._prefix)

    async def live(self) -> int | None:
        """The generation that is searched; None on an Elasticsearch that has none."""
        try:
            found = await self._client.get(index=self._index, id=names.LIVE)
        except NotFoundError:
            return None
        generation: int = found["_source"]["generation"]
        return generation

    async def open(self) -> int:
        """The live generation, made where there is none, with its templates as this version has them.

        A generation's number is the time at which it was begun: after Elasticsearch was emptied a new one
        never shares its names with one that some indexer may still be writing to.
        """
        generation = await self.live()
        if generation is None:
            await self._make_index()
            generation = self._clock.now_ms()
            await put_templates(self._client, self._settings, generation, live=True)
            try:
                await self._client.index(
                    index=self._index,
                    id=names.LIVE,
                    document={
                        "generation": generation,
                        "since": generation,
                        "made_with": made_with(self._settings),
                    },
                    op_type="create",
                    refresh=True,
                )
                _log.info("a new index is begun", generation=generation)
                await self._clear_but(generation)
            except ConflictError:  # another indexer was quicker
                await self._drop_templates(generation)
                found = await self.live()
                if found is None:
                    raise
                generation = found
        await put_templates(self._client, self._settings, generation, live=True)
        await self._tell_mismatch()
        return generation

    async def _tell_mismatch(self) -> None:
        """Say where the index was made with other words than documents would be made with now."""
        found = await self._client.options(ignore_status=404).get(index=self._index, id=names.LIVE)
        said, wanted = found.get("_source", {}).get("made_with"), made_with(self._settings)
        if said is not None and said != wanted:
            _log.warning(
                "the index was made with other settings: run touchline index --rebuild",
                made_with=said,
                as_set=wanted,
            )

    async def make_days(self, generation: int) -> None:
        """Have the indices of today, and of tomorrow when it is near: a day's first event does not wait until
        one is made."""
        now = self._clock.now_ms()
        for kind in Kind:
            for day in sorted({names.day_of(now), names.day_of(now + _AHEAD_MS)}):
                index = names.index_name(self._prefix, kind, generation, day)
                try:
                    if not await self._client.indices.exists(index=index):
                        await self._client.indices.create(index=index)
                except BadRequestError as error:  # another indexer, or an event, was quicker
                    if error.error != _EXISTS:
                        raise

    async def begin(self) -> int:
        """A generation beside the live one."""
        await self.open()
        generation = self._clock.now_ms()
        await put_templates(self._client, self._settings, generation, live=False)
        await self._client.index(
            index=self._index, id=names.building_id(generation), document={"generation": generation}
        )
        return generation

    async def swap(self, generation: int) -> None:
        """Search this generation from now on. Raises where Elasticsearch was emptied since it was begun."""
        try:
            await self._client.delete(index=self._index, id=names.building_id(generation))
        except NotFoundError:
            raise TouchlineError(
                "unavailable",
                "Elasticsearch was emptied while the new index was built.",
                hint="Run `touchline index --rebuild` again.",
            ) from None
        await put_templates(self._client, self._settings, generation, live=True)
        actions: list[dict[str, Any]] = []
        for kind in Kind:
            name, new = (
                names.alias(self._prefix, kind),
                names.generation_prefix(self._prefix, kind, generation),
            )
            present = await self._client.indices.get(index=f"{self._prefix}-{kind}-g*", allow_no_indices=True)
            for index, about in present.items():
                if index.startswith(new):
                    actions.append({"add": {"index": index, "alias": name}})
                elif name in about["aliases"]:
                    actions.append({"remove": {"index": index, "alias": name}})
        if actions:
            await self._client.indices.update_aliases(actions=actions)
        await self._client.index(
            index=self._index,
            id=names.LIVE,
            document={
                "generation": generation,
                "since": self._clock.now_ms(),
                "made_with": made_with(self._settings),
            },
            refresh=True,
        )

    async def watermarks(
        self, generation: int, partitions: Iterable[Partition], topic_ids: Mapping[Kind, str]
    ) -> dict[Partition, Watermark]:
        """Where the index is complete; the start of the log where it has nothing yet."""
        wanted = {
            names.watermark_id(generation, kind, number, topic_ids[kind]): (kind, number)
            for kind, number in partitions
        }
        positions = dict.fromkeys(wanted.values(), Watermark())
        if wanted:
            answer = await self._client.mget(index=self._index, ids=list(wanted))
            for found in documents_of(answer):
                source = found["_source"]
                positions[wanted[found["_id"]]] = Watermark(source["offset"], source["seq"])
        return positions

    async def publish(
        self, generation: int, watermarks: Mapping[Partition, Watermark], topic_ids: Mapping[Kind, str]
    ) -> None:
        """Say how far the index is complete and findable. A watermark never goes back."""
        operations: list[dict[str, Any]] = []
        for (kind, number), mark in watermarks.items():
            action = {
                "_id": names.watermark_id(generation, kind, number, topic_ids[kind]),
                "version": mark.offset,
                "version_type": "external_gte",
            }
            about = {"generation": generation, "kind": kind, "partition": number, "at": self._clock.now_ms()}
            operations += [{"index": action}, {**about, "offset": mark.offset, "seq": mark.seq}]
        if operations:
            answer = await self._client.bulk(index=self._index, operations=operations)
            statuses = [item["index"]["status"] for item in answer["items"]]
            # A conflict: another indexer has said more already.
            if failed := [status for status in statuses if status >= 300 and status != 409]:
                raise TransportError(f"{len(failed)} watermarks could not be written ({failed[0]})")

    async def sweep(self) -> list[str]:
        """Drop whole indices: of days that are past the retention, and of generations that were replaced."""
        found = await self._client.get(index=self._index, id=names.LIVE)
        live, since = found["_source"]["generation"], found["_source"]["since"]
        now = self._clock.now_ms()
        oldest = names.day_of(now - self._settings.indexer.retention_days * _DAY_MS)
        dropped: list[str] = []
        for kind in Kind:
            present = await self._client.indices.get(index=f"{self._prefix}-{kind}-g*", allow_no_indices=True)
            for index in present:
                number, _, day = index.removeprefix(f"{self._prefix}-{kind}-g").partition("-")
                replaced = int(number) < live and now - since > _GRACE_MS
                if day < oldest or replaced:
                    dropped.append(index)
        for index in dropped:
            await self._client.indices.delete(index=index, ignore_unavailable=True)
        if now - since > _GRACE_MS:
            await self._forget_before(live)
        if dropped:
            _log.info("dropped indices", count=len(dropped))
        return dropped

    async def drop(self, generation: int) -> None:
        """Take away a generation that was not finished."""
        await self._client.options(ignore_status=404).delete(
            index=self._index, id=names.building_id(generation)
        )
        await self._drop_templates(generation)
        for kind in Kind:
            name = names.generation_prefix(self._prefix, kind, generation)
            present = await self._client.indices.get(index=f"{name}*", allow_no_indices=True)
            for index in present:
                await self._client.indices.delete(index=index, ignore_unavailable=True)

    async def _clear_but(self, generation: int) -> None:
        """Take away what is there of all other generations: an emptied Elasticsearch may have a rest.

        Some indexer may still have been writing to the one that was live; what it writes now makes an index
        without a template, so without an alias: no search finds it, and the next sweep drops it.
        """
        await self._drop_templates_if(lambda number: number != generation)
        for kind in Kind:
            kept = names.generation_prefix(self._prefix, kind, generation)
            present = await self._client.indices.get(index=f"{self._prefix}-{kind}-g*", allow_no_indices=True)
            for index in present:
                if not index.startswith(kept):
                    await self._client.indices.delete(index=index, ignore_unavailable=True)

    async def _drop_templates_if(self, wanted: Callable[[int], bool]) -> None:
        pattern = re.compile(rf"{re.escape(self._prefix)}-(?:{'|'.join(Kind)})-g(\d+)")
        templates = await self._client.indices.get_index_template(name=f"{self._prefix}-*")
        for template in templates["index_templates"]:
            found = pattern.fullmatch(template["name"])
            if found and wanted(int(found[1])):
                await self._delete_template(template["name"])

    async def _forget_before(self, live: int) -> None:
        """Take away templates and watermarks of generations that were replaced."""
        await self._drop_templates_if(lambda number: number < live)
        old = await self._client.search(index=self._index, size=10_000, source_includes=["generation"])
        operations = [
            {"delete": {"_id": hit["_id"]}}
            for hit in old["hits"]["hits"]
            if hit["_id"] != names.LIVE and hit["_source"].get("generation", live) < live
        ]
        if operations:
            await self._client.bulk(index=self._index, operations=operations)

    async def _make_index(self) -> None:
        try:
            await self._client.indices.create(
                index=self._index,
                settings={"number_of_shards": 1, "auto_expand_replicas": "0-1"},
                mappings={"dynamic": False, "properties": {"alert": {"type": "boolean"}}},
            )
        except BadRequestError as error:
            if error.error != _EXISTS:
                raise

    async def _drop_templates(self, generation: int) -> None:
        for kind in Kind:
            await self._delete_template(template_name(self._settings, kind, generation))

    async def _delete_template(self, name: str) -> None:
        # Another indexer may have been quicker.
        await self._client.options(ignore_status=404).indices.delete_index_template(name=name)
