"""Plays a case of tests/shared/viewer_cases.json: a scripted edge, and a clock that moves when told."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from consumers.client.machine.core import Core
from consumers.client.machine.host import Closed, Gap, Status
from consumers.client.machine.subscription import Start
from kernel.errors import TouchlineError
from schemas.events import Event

Fields = dict[str, Any]


class _Wire:
    """A connection as the edge sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: list[Fields] = []
        self.looked = 0
        self.hung_up = False


class Runner:
    """A case being played. The first lines of the table say what its steps mean."""

    def __init__(self, case: Fields, defaults: Fields) -> None:
        self._case, self._welcome = case, defaults["welcome"]
        self._now, self._looked = 0.0, 0
        self._wires: list[_Wire] = []
        self._keys: dict[int, str] = {}
        self._status: Status = Closed()
        #: What was told, by what it is called in an `expect`.
        self._told: dict[str, list[Any]] = {
            name: [] for name in ("delivers", "gaps", "refused", "published", "failed", "rejected", "told")
        }
        urls: list[str] = case.get("urls") or defaults["urls"]
        self._core = Core(urls, self, has_token="token" in case, request_timeout_ms=60_000)
        self._core.start(self._now)

    def run(self) -> None:
        for number, step in enumerate(self._case["steps"], 1):
            try:
                self._step(step)
            except AssertionError as error:
                error.add_note(f"step {number}: {json.dumps(step)}")
                raise

    def _step(self, step: Fields) -> None:
        if "passes_ms" in step:
            self._pass(step["passes_ms"])
        elif "client" in step:
            self._client(step)
        elif "edge" in step:
            self._edge(step)
        elif "network" in step:
            self._core.set_online(step["network"] == "up", self._now)
        else:
            self._check(step)

    def _pass(self, ms: float) -> None:
        end = self._now + ms
        while (due := self._core.deadline) <= end:
            self._now = max(self._now, due)
            self._core.tick(self._now)
        self._now = end
        self._core.tick(end)

    def _client(self, step: Fields) -> None:
        stream = step.get("stream", "")
        match step["client"]:
            case "sync":
                self._core.sync()
            case "inbox":
                self._core.inbox(step["limit"])
            case "ack":
                self._core.ack(stream, step["seq"], self._now)
            case "unsubscribe":
                self._core.unsubscribe(stream)
            case "subscribe":
                start = Start(
                    step.get("after"),
                    step.get("last"),
                    step.get("reactions", False),
                    bool(step.get("members")),
                )
                self._core.subscribe(stream, start, self._now)
            case "react":
                message = {"op": "react", "stream": stream, **step["what"]}
                self._keys[self._core.request(message, stream, self._now)] = step["name"]
            case "publish":
                message = {"op": "publish", "stream": stream, "key": step["key"], "data": step["data"]}
                self._keys[self._core.request(message, stream, self._now)] = step["key"]
            case unknown:
                raise AssertionError(f"there is no {unknown}")

    def _edge(self, step: Fields) -> None:
        number = step.get("connection", len(self._wires))
        match step["edge"]:
            case "welcomes":
                self._say(number, {**self._welcome, **step.get("welcome", {})})
            case "says":
                self._say(number, *step["messages"])
            case "says text":
                self._core.received(number, step["text"].encode(), self._now)
            case "closes":
                self._core.closed(number, step["code"], self._now)
            case "answers":
                sent = reversed(self._wires[number - 1].sent)
                request = next((one for one in sent if _has(one, step["request"])), None)
                assert request is not None, "there is no request to answer"
                self._say(number, {"id": request["id"], **step["message"]})
            case unknown:
                raise AssertionError(f"there is no {unknown}")

    def _say(self, number: int, *messages: Fields) -> None:
        frame = "\n".join(json.dumps(message, ensure_ascii=False) for message in messages)
        self._core.received(number, frame.encode(), self._now)

    def _check(self, step: Fields) -> None:
        match step["expect"]:
            case "connects":
                self._looked += 1
                assert self._looked == step["connection"]
                assert len(self._wires) >= self._looked, "there is no new connection"
                assert self._wires[self._looked - 1].url == step["url"]
            case "no new connection":
                assert len(self._wires) == self._looked
            case "hangs up":
                assert self._wire(step).hung_up
            case "sends":
                wire = self._wire(step)
                assert wire.looked < len(wire.sent), "nothing was sent"
                wire.looked += 1
                assert _has(wire.sent[wire.looked - 1], step["message"]), wire.sent[wire.looked - 1]
            case "sends nothing":
                assert not [wire.sent[wire.looked :] for wire in self._wires if wire.sent[wire.looked :]]
            case "delivers":
                assert self._all_told("delivers") == step["events"]
            case "gaps":
                told = self._all_told("gaps")
                assert len(told) == len(step["gaps"])
                assert all(_has(gap, wanted) for gap, wanted in zip(told, step["gaps"], strict=True))
            case "status":
                assert _has(msgspec.to_builtins(self._status), step["status"]), self._status
            case name:
                told = self._told[name].pop(0)
                assert _has(told, {k: v for k, v in step.items() if k != "expect"}), told

    def _all_told(self, name: str) -> list[Any]:
        told, self._told[name] = self._told[name], []
        return told

    def _wire(self, step: Fields) -> _Wire:
        number: int = step.get("connection", len(self._wires))
        return self._wires[number - 1]

    # ── the host ─────────────────────────────────────────────────────────────────────────────────────

    def open(self, connection: int, url: str) -> None:
        self._wires.append(_Wire(url))
        assert connection == len(self._wires)

    def send(self, connection: int, message: Mapping[str, Any]) -> None:
        self._wires[connection - 1].sent.append(json.loads(json.dumps(message)))

    def close(self, connection: int, code: int) -> None:
        self._wires[connection - 1].hung_up = True

    def random(self) -> float:
        return 0.5

    def wall_ms(self) -> float:
        return self._now

    def want_token(self) -> None:
        self._core.token(self._case["token"], self._now)

    def event(self, stream: str, event: Event) -> None:
        self._told["delivers"].append([event.stream, event.seq])

    def gap(self, stream: str, gap: Gap) -> None:
        self._told["gaps"].append(msgspec.to_builtins(gap))

    def subscribed(self, stream: str, head: int) -> None:
        pass

    def refused(self, stream: str, error: TouchlineError) -> None:
        self._told["refused"].append({"stream": stream, "code": error.code})

    def reply(self, request: int, message: Mapping[str, Any]) -> None:
        self._told["published"].append({"key": self._keys[request]})

    def fail(self, request: int, error: TouchlineError) -> None:
        self._told["failed"].append({"key": self._keys[request], "code": error.code})

    def told(self, message: Mapping[str, Any]) -> None:
        self._told["told"].append(message)

    def rejected(self, message: Mapping[str, Any]) -> None:
        self._told["rejected"].append(message)

    def status(self, status: Status) -> None:
        self._status = status


def _has(message: Mapping[str, Any], fields: Fields) -> bool:
    return all(name in message and message[name] == value for name, value in fields.items())
