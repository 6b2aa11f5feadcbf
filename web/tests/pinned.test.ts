// The pinned message: of what is heard and what is told, the newer order holds.

import type { StreamEvent } from "@touchline/client";
import { expect, test } from "vitest";

import { ChatLog } from "../src/shared/chatlog.ts";
import { ordered } from "../src/shared/pinned.ts";

const NONE = { order: "", target: "" };
function event(id: number, type: string, target: string, more: Partial<StreamEvent> = {}): StreamEvent {
  return { stream: "chat:a", seq: id, id: `${id}`, type, server_ts: "2026-07-19T19:00:00.000Z", data: { target }, ...more };
}

test("the newest holds, in whatever order it is heard", () => {
  const [first, second] = [event(9, "pin", "1"), event(12, "pin", "2")];
  expect(ordered(NONE, [first, second])).toEqual({ order: "12", target: "2" });
  expect(ordered(ordered(NONE, [second]), [first])).toEqual({ order: "12", target: "2" });
  // 100 is newer than 12, and text would say otherwise.
  expect(ordered({ order: "100", target: "3" }, [second])).toEqual({ order: "100", target: "3" });
});

test("an end is one of what is pinned", () => {
  const now = { order: "12", target: "2" };
  expect(ordered(now, [event(13, "unpin", "1")])).toBe(now);
  expect(ordered(now, [event(13, "unpin", "2")])).toEqual({ order: "13", target: "" });
  expect(ordered({ order: "13", target: "" }, [event(12, "pin", "2")]).target).toBe("");
});

test("what is taken back is not pinned, live or found so", () => {
  const now = { order: "12", target: "2" };
  expect(ordered(now, [event(14, "retract", "2")]).target).toBe("");
  expect(ordered(now, [event(14, "retract", "1")])).toBe(now);
  expect(ordered(now, [event(14, "pin", "", { retracted: true, data: {} })])).toEqual({ order: "14", target: "" });
});

test("pins are no lines of the chat", () => {
  const log = new ChatLog(10);
  log.append([event(1, "message", "", { data: { text: "x" } }), event(2, "pin", "1"), event(3, "unpin", "1")]);
  expect(log.view().map(({ text }) => text)).toEqual(["x"]);
});
