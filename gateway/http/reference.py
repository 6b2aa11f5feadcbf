"""/docs: the OpenAPI document as a page for people, without scripts or anything from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from aiohttp import web

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 3rem; text-transform: capitalize }
article { border: 1px solid var(--line); border-radius: .5rem; padding: 0 1rem 1rem; margin: 1rem 0 }
h3 { font-size: 1rem; overflow-wrap: anywhere }
h3 b { display: inline-block; min-width: 3.5rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 }
th, td { text-align: left; vertical-align: top }
th, td { padding: .25rem .75rem .25rem 0; border-top: 1px solid var(--line) }
th { font-weight: 600; white-space: nowrap }
code, pre { font: 14px/1.45 ui-monospace, monospace }
pre { background: var(--soft); border-radius: .25rem; padding: .5rem .75rem; overflow: auto }
summary { cursor: pointer }
a:focus-visible, summary:focus-visible { outline: 2px solid; outline-offset: 2px }
"""
#: Nothing but this style, by its hash: a page that cannot run anything cannot be made to.
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

Document = Mapping[str, Any]


def route(document: Document) -> web.RouteDef:
    """Serves the page."""
    made = "".join(page(document)).encode()

    async def docs(_: web.Request) -> web.Response:
        return web.Response(body=made, content_type="text/html", charset="utf-8", headers=_HEADERS)

    return web.get("/docs", docs)


def page(document: Document) -> Iterator[str]:
    """The page, in parts."""
    title = f"{document['info']['title']} {document['info']['version']}"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: HTTP</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
    yield f"<h1>{escape(title)}</h1><p>{escape(document['info']['description'])} "
    yield 'As <a href="/openapi.json">OpenAPI</a>.</p>'
    by_tag: dict[str, list[tuple[str, str, Document]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    links = (f'<li><a href="#{_anchor(tag)}">{escape(tag)}</a></li>' for tag in by_tag)
    yield f"<nav><ul>{''.join(links)}</ul></nav>"
    for tag, operations in by_tag.items():
        yield f'<section id="{_anchor(tag)}"><h2>{escape(tag)}</h2>'
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
        yield "</section>"
    yield "</main></body></html>"


def _operation(method: str, path: str, operation: Document) -> Iterator[str]:
    name = escape(operation["operationId"])
    yield f'<article id="{name}"><h3><b>{method}</b> <code>{escape(path)}</code></h3>'
    yield f"<p>{escape(operation['summary'])}</p>"
    if parameters := operation.get("parameters"):
        yield "<table>"
        for parameter in parameters:
            needed = "" if parameter["required"] else ", optional"
            limits = f"<code>{escape(_limits(parameter['schema']))}</code>"
            yield f"<tr><th><code>{escape(parameter['name'])}</code></th><td>{parameter['in']}{needed}</td>"
            yield f"<td>{_text(parameter['description'])} {limits}</td></tr>"
        yield "</table>"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield _schema(f"Body: {kind}", body["schema"])
    yield "<table>"
    for status, reply in operation["responses"].items():
        yield f"<tr><th>{status}</th><td>{_text(reply['description'])}"
        for kind, content in reply.get("content", {}).items():
            if "$ref" not in content["schema"]:
                yield _schema(kind, content["schema"])
        yield "</td></tr>"
    yield "</table></article>"


def _schema(heading: str, schema: Document) -> str:
    shown = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return f"<details><summary>{escape(heading)}</summary><pre>{shown}</pre></details>"


def _limits(schema: Document) -> str:
    """A parameter's schema in a line."""
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    rest = ", ".join(f"{key} {value}" for key, value in schema.items() if key != "type")
    return f"{schema.get('type', '')}{f' ({rest})' if rest else ''}"


def _text(text: str) -> str:
    """A sentence in which `this` is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _anchor(tag: str) -> str:
    return escape(tag.replace(" ", "-"))
