"""Writes the reference pages, and what pages and the JavaScript client share with the roles, from the code.

Run `make docs` after a change; a test compares the files with what this would write.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import prometheus_client
from msgspec import Meta, inspect

from consumers.protocol import messages, shapes
from control.channels.bounds import SETTINGS, Rule
from control.crowd import polls
from control.moderation.reports import MAX_REASON
from control.nearby import fences
from gateway.channels import channels
from gateway.operators import published_metrics, records
from kernel import times
from kernel.access.users import MAX_USER
from kernel.close_codes import BANDS, CLOSES, Close, Return
from kernel.errors import CODES
from kernel.log import positions
from kernel.process import metrics
from kernel.settings.reading import PREFIX, SECTIONS
from search_indexer import alerts
from search_indexer.query import operators, parser

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/make_reference.py; change the code that it names instead. -->"


def settings_page() -> str:
    """Every setting, from kernel/settings/reading.py."""
    lines = [
        "# Settings",
        "",
        MADE,
        "",
        "Each setting is an environment variable, or a line of `touchline.toml` in the working directory (or of the file that",
        f"`{PREFIX}CONFIG` names): `{PREFIX}EDGE_PORT=9000` is `port = 9000` under `[edge]`. The environment wins.",
        f"`{PREFIX}TOKEN` is no setting: commands show it (`--token`).",
        "A setting that does not exist, or has a value that is not allowed, stops the program with its name.",
    ]
    for section, kind in SECTIONS.items():
        doc = " ".join((kind.__doc__ or "").split())
        lines += [
            "",
            f"## [{section}]",
            "",
            doc,
            "",
            "| variable | default | what it does |",
            "|---|---|---|",
        ]
        default, hints = kind(), get_type_hints(kind, include_extras=True)
        for field in kind.__struct_fields__:
            if (section, field) == ("kafka", "client"):
                lines.append(
                    f"| `{PREFIX}KAFKA_…` |  | properties of librdkafka, passed through as they are |"
                )
                continue
            lines.append(
                f"| `{PREFIX}{section}_{field}`".upper()
                + f" | {shown(getattr(default, field))} | {described(hints[field])} |"
            )
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """A default as one would write it."""
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return f"`{text}`" if text else "(empty)"


def described(hint: Any) -> str:
    """The description of a setting, and what is allowed."""
    text = next((m.description for m in metas(hint) if m.description), "")
    node = inspect.type_info(hint)
    node = node.type if isinstance(node, inspect.Metadata) else node
    allowed = [f"`{value}`" for value in node.values] if isinstance(node, inspect.LiteralType) else []
    bounds = [
        f"{sign} {limit}"
        for sign, name in ((">", "gt"), (">=", "ge"), ("<=", "le"))
        if (limit := next((getattr(m, name) for m in metas(hint) if getattr(m, name) is not None), None))
        is not None
    ]
    rest = "; ".join(filter(None, [" or ".join(allowed), " and ".join(bounds)]))
    return f"{text} ({rest})" if rest else text


def metas(hint: Any) -> list[Meta]:
    """The Meta annotations of a type, also those of the alias that it is made from."""
    if get_origin(hint) is not Annotated:
        return []
    inner, *rest = get_args(hint)
    return [m for m in rest if isinstance(m, Meta)] + metas(inner)


def metrics_page() -> str:
    """Every metric, from kernel/process/metrics.py."""
    lines = [
        "# Metrics",
        "",
        MADE,
        "",
        "Every role serves Prometheus metrics under `/metrics` on its port. This is the closed set, beside the",
        "process metrics of the client library.",
        "",
        "| metric | type | labels | what it says |",
        "|---|---|---|---|",
    ]
    for made in vars(metrics).values():
        if isinstance(made, prometheus_client.metrics.MetricWrapperBase):
            family = next(iter(made.describe()))
            suffix = "_total" if family.type == "counter" else ""
            labels = ", ".join(made._labelnames)  # the library has no public name for them
            lines.append(f"| `{family.name}{suffix}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every error code, from kernel/errors.py."""
    lines = [
        "# Error codes",
        "",
        MADE,
        "",
        "An error is a stable code, for programs, and a sentence, for people. The same code means the same thing on the",
        "WebSocket, over HTTP (as `code` in problem+json), in the SDK (`error.code`), and as a reason in `touchline.rejected`.",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| `{code}` | {meaning} |" for code, meaning in CODES.items()),
    ]
    return "\n".join(lines) + "\n"


def typescript() -> str:
    """What is one table for the roles, the pages and the JavaScript client: codes, limits, metrics."""
    limits = {
        "MAX_SEQ": positions.MAX_SEQ,
        "MAX_LANES": positions.MAX_LANES,
        "MAX_CHANNEL": positions.MAX_CHANNEL,
        "MAX_STREAM": upper(messages.StreamName, "max_length"),
        "MAX_KEY": upper(messages.Key, "max_length"),
        "MAX_SEQS": shapes.MAX_SEQS,
        "MAX_USER": MAX_USER,
        "MAX_LAST": upper(get_type_hints(messages.Subscribe, include_extras=True)["last"], "le"),
        "MAX_PAGE": upper(get_type_hints(messages.History, include_extras=True)["limit"], "le"),
    }
    fields = {
        "MAX_QUERY": parser.MAX_LENGTH,
        "MAX_TIME": times.MAX_TIME,
        "MAX_ZONE": times.MAX_ZONE,
        "MAX_REASON": MAX_REASON,
        "MAX_QUESTION": polls.MAX_QUESTION,
        "MAX_OPTION": polls.MAX_OPTION,
        "MAX_ALERT": alerts.MAX_ID,
        "MAX_FENCE": fences.MAX_ID,
        "MAX_RECORD_KEY": records.MAX_KEY,
    }
    patterns = {
        "CHANNEL_PATTERN": positions.CHANNEL,
        "ALERT_PATTERN": alerts.ID,
        "FENCE_PATTERN": fences.ID,
    }
    names = {}
    for constant, made in vars(metrics).items():
        if isinstance(made, prometheus_client.metrics.MetricWrapperBase):
            family = next(iter(made.describe()))
            names[constant] = family.name + ("_total" if family.type == "counter" else "")
    lines = [
        "// Made by docs/make_reference.py (`make docs`); change the code that it names instead.",
        "",
        "// ── kernel/close_codes.py: what ends a connection, and whether a client comes back ──",
        "",
        f"export const SUBPROTOCOL = {json.dumps(messages.SUBPROTOCOL)};",
        "",
        *constant_of("CLOSE", {close.name: close.value for close in Close}),
        "",
        "export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];",
        "",
        *constant_of("CLOSE_SENTENCES", {close.value: CLOSES[close] for close in Close}),
        "",
        "/** A band of a hundred codes, and what it asks of the client. Codes outside of them are accidents. */",
        "export const BANDS = [",
        *(f"  [{first}, {json.dumps(what.value)}]," for first, what in BANDS),
        "] as const;",
        "",
        f"export type Return = {' | '.join(json.dumps(what.value) for what in Return)};",
        "",
        "// ── kernel/errors.py: the codes of refusals ──",
        "",
        "export type ErrorCode =",
        *(f"  | {json.dumps(code)}" for code in CODES),
        "  ;",
        "",
        "// ── kernel/log/positions.py and consumers/protocol/messages.py: limits ──",
        "",
        f"export const CHANNEL = /^{positions.CHANNEL.pattern}$/;",
        *(f"export const {name} = {value};" for name, value in limits.items()),
        "",
        "// ── what the pages' fields take: of search_indexer/, control/, gateway/operators/records.py, kernel/times.py ──",
        "",
        "/** For the `pattern` of an input, where a hyphen has to be escaped. */",
        *(f"export const {name} = {json.dumps(for_input(one.pattern))};" for name, one in patterns.items()),
        "/** In characters, as the roles count: a field counts those beyond the BMP as two, and never takes more. */",
        *(f"export const {name} = {value};" for name, value in fields.items()),
        "",
        "// ── kernel/process/metrics.py: names as they are scraped, and the labels by which the operators' stream tells one ──",
        "",
        *constant_of("METRICS", names),
        "",
        "export const METRIC_LABELS: Readonly<Record<string, readonly string[]>> = {",
        *(f"  {name}: {json.dumps(labels)}," for name, labels in published_metrics.SHOWN.items() if labels),
        "};",
    ]
    return "\n".join(lines) + "\n"


def channel_settings() -> str:
    """What may be set for a channel, for the operators' page: control/channels/bounds.py, and the schema's words."""
    said = channels.setting_docs()
    rows = {
        name: {"kind": type(rule).__name__.lower(), **rule._asdict(), "says": said[name]}
        for name, rule in SETTINGS.items()
    }
    lines = [
        "// Made by docs/make_reference.py (`make docs`); change control/channels/bounds.py instead.",
        "",
        "export interface Setting {",
        f"  readonly kind: {' | '.join(json.dumps(rule.__name__.lower()) for rule in get_args(Rule))};",
        "  readonly says: string;",
        "  /** Of a number. */",
        "  readonly low?: number;",
        "  readonly high?: number;",
        "  readonly whole?: boolean;",
        "  /** Of a list, and of each text in it. */",
        "  readonly most?: number;",
        "  readonly longest?: number;",
        "  /** Of a name. */",
        "  readonly pattern?: string;",
        "}",
        "",
        "export const CHANNEL_SETTINGS: Readonly<Record<string, Setting>> = {",
        *(f"  {name}: {json.dumps(row, ensure_ascii=False)}," for name, row in rows.items()),
        "};",
    ]
    return "\n".join(lines) + "\n"


def query_operators() -> str:
    """What a query may ask beside words, for the analyst's desk: search_indexer/query/operators.py."""
    rows = [
        {"name": one.name, "says": one.says, "examples": one.values or (one.example,)}
        for one in operators.OPERATORS.values()
    ]
    lines = [
        "// Made by docs/make_reference.py (`make docs`); change search_indexer/query/operators.py instead.",
        "",
        "export const OPERATORS: readonly { readonly name: string; readonly says: string; readonly examples: readonly string[] }[] = [",
        *(f"  {json.dumps(row, ensure_ascii=False)}," for row in rows),
        "];",
    ]
    return "\n".join(lines) + "\n"


def constant_of(name: str, values: Mapping[Any, Any]) -> list[str]:
    """A TypeScript object whose values are types too."""
    rows = [f"  {key}: {json.dumps(value, ensure_ascii=False)}," for key, value in values.items()]
    return [f"export const {name} = {{", *rows, "} as const;"]


def for_input(pattern: str) -> str:
    """A pattern as browsers want it."""
    return pattern.replace("-]", "\\-]")


def upper(hint: Any, bound: str) -> int:
    """An upper bound that a type's Meta names, also where the type is one of a union."""
    hints = [hint, *get_args(hint)]
    found = [
        getattr(meta, bound) for each in hints for meta in metas(each) if getattr(meta, bound) is not None
    ]
    return int(found[0])


#: Where each goes, from this folder.
PAGES = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "errors.md": errors_page,
    "../clients/js/src/generated.ts": typescript,
    "../web/src/ops/generated.ts": channel_settings,
    "../web/src/analyst/generated.ts": query_operators,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), "utf-8")
