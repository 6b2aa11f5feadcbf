"""The read API of a schema registry: Confluent's deserializers and Kafka UIs decode every topic with it.

A subject is `<topic>-value`, as Confluent's default strategy has it; its versions are those in schemas/avsc.
Serializers register what they write before they write it: a schema that is here gets the id that it has, and
another one is refused, because schemas change in the tree.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.context import Context
from gateway.http.bodies import whole
from gateway.http.operations import Operation, Parameter, Reply
from kernel.log.topics import topics
from schemas.catalog import Catalog, Version
from schemas.registry import version_of

CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_ID: Final = Parameter("id", "path", "The schema's id.", {"type": "integer", "minimum": 0}, required=True)
_SUBJECT: Final = Parameter("subject", "path", "`<topic>-value`.", {"type": "string"}, required=True)
_VERSION: Final = Parameter(
    "version",
    "path",
    "A number, or `latest`.",
    {"type": "string", "pattern": "^(latest|[1-9][0-9]{0,8})$"},
    required=True,
)
_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_LIST: Final[Mapping[str, Any]] = {"type": "array"}
#: The registry's own error codes, which its clients look at.
_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA = 40401, 40402, 40403
_OTHER_SCHEMA, _NOT_AVRO = 409, 42201
_LONGEST: Final = 256 * 1024
_POSTED: Final[Mapping[str, Mapping[str, Any]]] = {
    content_type: {
        "type": "object",
        "required": ["schema"],
        "properties": {"schema": {"type": "string", "description": "The schema, as JSON in a string."}},
    }
    for content_type in (CONTENT_TYPE, "application/json")
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    catalog = context.catalog
    subjects = {f"{topic.name}-value": topic.value for topic in topics(context.settings)}

    async def by_id(request: web.Request) -> web.Response:
        version = _by_id(catalog, request.match_info["id"])
        return (
            _failed(_NO_SCHEMA, "Schema") if version is None else _answer({"schema": _text(catalog, version)})
        )

    async def versions_of_id(request: web.Request) -> web.Response:
        version = _by_id(catalog, request.match_info["id"])
        if version is None:
            return _failed(_NO_SCHEMA, "Schema")
        return _answer(
            [
                {"subject": s, "version": version.number}
                for s, name in sorted(subjects.items())
                if name == version.name
            ]
        )

    async def all_subjects(_: web.Request) -> web.Response:
        return _answer(sorted(subjects))

    async def versions(request: web.Request) -> web.Response:
        name = subjects.get(request.match_info["subject"])
        if name is None:
            return _failed(_NO_SUBJECT, "Subject")
        return _answer([version.number for version in catalog.versions(name)])

    async def one(request: web.Request) -> web.Response:
        wanted = request.match_info["version"]
        name = subjects.get(request.match_info["subject"])
        if name is None:
            return _failed(_NO_SUBJECT, "Subject")
        version = next(
            (v for v in reversed(catalog.versions(name)) if wanted in ("latest", str(v.number))), None
        )
        if version is None:
            return _failed(_NO_VERSION, "Version")
        return _answer(described(request, version))

    def described(request: web.Request, version: Version) -> dict[str, Any]:
        return {
            "subject": request.match_info["subject"],
            "id": catalog.id_of(version),
            "version": version.number,
            "schemaType": "AVRO",
            "schema": _text(catalog, version),
        }

    async def posted(request: web.Request, missing: int, what: str, status: int) -> Version | web.Response:
        """The version whose schema was posted to a subject; else the answer."""
        name = subjects.get(request.match_info["subject"])
        if name is None:
            return _failed(_NO_SUBJECT, "Subject")
        try:
            body = msgspec.json.decode(await whole(request, _LONGEST), type=_RegisterRequest)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return _answer({"error_code": _NOT_AVRO, "message": "The body holds no schema."}, 422)
        found = version_of(body.schema, catalog.versions(name), catalog.schemas)
        if found is None:
            return _answer({"error_code": missing, "message": what}, status)
        return found

    async def look_up(request: web.Request) -> web.Response:
        found = await posted(request, _NO_SCHEMA, "Schema not found.", 404)
        return found if isinstance(found, web.Response) else _answer(described(request, found))

    async def register(request: web.Request) -> web.Response:
        found = await posted(request, _OTHER_SCHEMA, "Touchline's schemas change with its releases.", 409)
        return found if isinstance(found, web.Response) else _answer({"id": catalog.id_of(found)})

    async def types(_: web.Request) -> web.Response:
        return _answer(["AVRO"])

    def operation(
        path: str, handler: Any, name: str, summary: str, schema: Mapping[str, Any], *parameters: Parameter
    ) -> Operation:
        replies = {200: Reply(summary, schema, CONTENT_TYPE)}
        if parameters:
            replies[404] = Reply("There is no such thing.", _OBJECT, CONTENT_TYPE)
        return Operation(
            method="GET", path=path, handler=handler, name=name, summary=summary, tag="schema registry",
            parameters=parameters, replies=replies,
        )  # fmt: skip

    def posting(path: str, handler: Any, name: str, summary: str, *refusals: int) -> Operation:
        texts = {404: "There is no such thing.", 409: "It is another schema.", 422: "That is no schema."}
        refused = {status: Reply(texts[status], _OBJECT, CONTENT_TYPE) for status in (404, *refusals, 422)}
        return Operation(
            method="POST", path=path, handler=handler, name=name, summary=summary, tag="schema registry",
            parameters=(_SUBJECT,), body=_POSTED,
            errors=("bad_request", "too_large", "unsupported_media_type"),
            replies={200: Reply(summary, _OBJECT, CONTENT_TYPE), **refused},
        )  # fmt: skip

    return [
        operation("/schemas/ids/{id}", by_id, "schemaById", "A schema by its id.", _OBJECT, _ID),
        operation(
            "/schemas/ids/{id}/versions", versions_of_id, "idVersions", "Where a schema is used.", _LIST, _ID
        ),
        operation("/schemas/types", types, "schemaTypes", "The types of schemas.", _LIST),
        operation("/subjects", all_subjects, "subjects", "All subjects.", _LIST),
        operation(
            "/subjects/{subject}/versions", versions, "versions", "A subject's versions.", _LIST, _SUBJECT
        ),
        operation(
            "/subjects/{subject}/versions/{version}",
            one,
            "version",
            "One version of a subject.",
            _OBJECT,
            _SUBJECT,
            _VERSION,
        ),
        posting("/subjects/{subject}", look_up, "lookUpSchema", "The version that has this schema."),
        posting(
            "/subjects/{subject}/versions",
            register,
            "registerSchema",
            "The id of a schema that is here, as serializers ask for it; no other is taken.",
            409,
        ),
    ]


class _RegisterRequest(msgspec.Struct):
    schema: str


def _by_id(catalog: Catalog, text: str) -> Version | None:
    return catalog.ids.get(int(text)) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def _text(catalog: Catalog, version: Version) -> str:
    return json.dumps(catalog.schemas[version], ensure_ascii=False, separators=(",", ":"))


def _answer(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=CONTENT_TYPE)


def _failed(code: int, what: str) -> web.Response:
    return _answer({"error_code": code, "message": f"{what} not found."}, 404)
