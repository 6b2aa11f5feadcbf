"""Reads the settings: defaults, then touchline.toml, then the environment, which wins.

A setting `[edge] port` of touchline.toml is `TOUCHLINE_EDGE_PORT` in the environment. What there is to set is
in `kernel.settings.sections`.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec

from kernel.errors import TouchlineError
from kernel.settings.attachments import Attachments
from kernel.settings.log import Log
from kernel.settings.nearby import Nearby
from kernel.settings.ops import Ops
from kernel.settings.outbox import Outbox
from kernel.settings.section import Section
from kernel.settings.sections import (
    SECTIONS,
    Auth,
    Edge,
    Elasticsearch,
    Embedded,
    Gateway,
    Indexer,
    Kafka,
    Producer,
    SchemaRegistry,
    Settings,
    Stream,
    Topics,
)
from kernel.settings.traces import Traces

__all__ = [
    "SECTIONS",
    "Attachments",
    "Auth",
    "Edge",
    "Elasticsearch",
    "Embedded",
    "Gateway",
    "Indexer",
    "Kafka",
    "Log",
    "Nearby",
    "Ops",
    "Outbox",
    "Producer",
    "SchemaRegistry",
    "Section",
    "Settings",
    "Stream",
    "Topics",
    "Traces",
    "as_environment",
    "load_settings",
]

PREFIX: Final = "TOUCHLINE_"
FILE: Final = "touchline.toml"
#: What begins like a setting: where the file of the settings is, and the token that a command shows.
_NO_SETTINGS: Final = frozenset({"CONFIG", "TOKEN"})


def load_settings(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Defaults, then touchline.toml (if there), then the environment. A wrong setting raises, by its name."""
    environment = os.environ if environment is None else environment
    given = Path(file or environment.get(f"{PREFIX}CONFIG") or FILE)
    tables: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    origin: dict[str, str] = {}
    for section, fields in _read_file(
        given, must_exist=file is not None or f"{PREFIX}CONFIG" in environment
    ).items():
        if section not in SECTIONS or not isinstance(fields, dict):
            raise _unknown(f"[{section}] in {given}", f"[{section}]", [f"[{name}]" for name in SECTIONS])
        for field, value in fields.items():
            tables[section][field] = value
            origin[f"{section}.{field}"] = f"{field} of [{section}] in {given}"
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX) not in _NO_SETTINGS:
            section, field = _place(variable)
            if section == "kafka" and field not in Kafka.__struct_fields__:
                tables["kafka"].setdefault("client", {})[field.replace("_", ".")] = text
                continue
            tables[section][field] = _from_text(section, field, text)
            origin[f"{section}.{field}"] = variable
    sections: dict[str, Any] = {name: _convert(name, table, origin) for name, table in tables.items()}
    return _at_home(Settings(**sections), tables)


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings that differ from the defaults, as environment variables for a child process."""
    environment: dict[str, str] = {}
    for name, kind in SECTIONS.items():
        section, default = getattr(settings, name), kind()
        for field in kind.__struct_fields__:
            value = getattr(section, field)
            if (name, field) == ("kafka", "client"):
                environment.update(
                    {f"{PREFIX}KAFKA_{k.replace('.', '_').upper()}": v for k, v in value.items()}
                )
            elif value != getattr(default, field):
                text = ",".join(value) if isinstance(value, tuple) else str(value)
                environment[f"{PREFIX}{name}_{field}".upper()] = text
    return environment


def _at_home(settings: Settings, given: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Where no server is named, the ones that `touchline up` starts with these very settings are meant."""
    embedded = settings.embedded
    changed: dict[str, Section] = {}
    if "bootstrap_servers" not in given["kafka"]:
        address = f"127.0.0.1:{embedded.kafka_port}"
        changed["kafka"] = msgspec.structs.replace(settings.kafka, bootstrap_servers=address)
    if "url" not in given["elasticsearch"]:
        url = f"http://127.0.0.1:{embedded.elasticsearch_port}"
        changed["elasticsearch"] = msgspec.structs.replace(settings.elasticsearch, url=url)
    if "dir" not in given["state"]:
        # Beside what `up` keeps.
        directory = str(Path(embedded.data_dir) / "state")
        changed["state"] = msgspec.structs.replace(settings.state, dir=directory)
    if "dir" not in given["attachments"]:
        directory = str(Path(embedded.data_dir) / "attachments")
        changed["attachments"] = msgspec.structs.replace(settings.attachments, dir=directory)
    return msgspec.structs.replace(settings, **changed)


def _read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if must_exist:
            raise TouchlineError("bad_setting", f"There is no settings file {path}.") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TouchlineError("bad_setting", f"{path} is not valid TOML: {error}.") from error


def _place(variable: str) -> tuple[str, str]:
    """TOUCHLINE_SCHEMA_REGISTRY_URL -> (`schema_registry`, `url`)."""
    rest = variable.removeprefix(PREFIX).lower()
    for section, kind in SECTIONS.items():
        if rest.startswith(f"{section}_"):
            field = rest.removeprefix(f"{section}_")
            if section == "kafka" or field in kind.__struct_fields__:
                return section, field
            raise _unknown(
                f"the environment variable {variable}",
                variable,
                [f"{PREFIX}{section}_{name}".upper() for name in kind.__struct_fields__],
            )
    raise _unknown(
        f"the environment variable {variable}", variable, [f"{PREFIX}{name}_…".upper() for name in SECTIONS]
    )


def _from_text(section: str, field: str, text: str) -> Any:
    hint = get_type_hints(SECTIONS[section], include_extras=True)[field]
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(inner) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _convert(name: str, table: dict[str, Any], origin: Mapping[str, str]) -> Section:
    kind = SECTIONS[name]
    for field in table:
        if field not in kind.__struct_fields__:
            raise _unknown(origin[f"{name}.{field}"], field, list(kind.__struct_fields__))
    hints = get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for field, value in table.items():
        try:
            values[field] = msgspec.convert(value, hints[field], strict=False)
        except msgspec.ValidationError as error:
            where = origin.get(f"{name}.{field}", f"{field} of [{name}]")
            raise TouchlineError(
                "bad_setting", f"{where} is {value!r}, which is not allowed: {error}."
            ) from None
    return kind(**values)


def _unknown(what: str, name: str, allowed: list[str]) -> TouchlineError:
    near = difflib.get_close_matches(name, allowed, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Allowed: {', '.join(allowed)}."
    return TouchlineError("bad_setting", f"There is no setting for {what}.", hint=hint)
