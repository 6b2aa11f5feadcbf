// What a message says in pieces, whose turn it is, and what moderators are shown: without a page.

import { expect, test } from "vitest";

import { casesOf } from "../src/moderate/cases.ts";
import { toldWords } from "../src/moderate/log.tsx";
import { ChatLog, type Line } from "../src/shared/chatlog.ts";
import { calls, dayBegins, dayWords, goesOn, piecesOf } from "../src/viewer/said.tsx";

const kinds = (text: string) => piecesOf(text).filter(({ kind }) => kind !== "text").map(({ kind, text: piece }) => `${kind} ${piece}`);

test("addresses are links, without what stands behind them, and nothing else is", () => {
  expect(kinds("See https://a.example/b?c=1, or (http://d.example/e).")).toEqual(["link https://a.example/b?c=1", "link http://d.example/e"]);
  expect(kinds("javascript:alert(1) ftp://x <http://> [a](javascript:b)")).toEqual([]);
  expect(kinds("https://a.example/@ana")).toEqual(["link https://a.example/@ana"]);
  expect(piecesOf("a @b c https://d.example e").map(({ text }) => text).join("")).toBe("a @b c https://d.example e");
});

test("names are called by themselves, and not in addresses of mail", () => {
  expect(kinds("@ana, x@ana.example and @민수!")).toEqual(["name @ana", "name @민수"]);
  expect(calls("ask @ana.", "ana")).toBe(true);
  expect(calls("ask @anabel", "ana")).toBe(false);
  expect(calls("ask @", "")).toBe(false);
});

const lines = (...said: readonly [string, string, string][]): readonly Line[] => {
  const log = new ChatLog(100);
  log.append(said.map(([sender, text, server_ts], n) => ({ stream: "chat:a", seq: n + 1, id: String(n + 1), type: "message", sender, server_ts, data: { text } })) as never);
  return log.view();
};

test("whoever goes on is not named again, until they rest, another speaks, or a day begins", () => {
  const [a, b, c, d, e] = lines(["ana", "1", "2026-06-11T20:00:00Z"], ["ana", "2", "2026-06-11T20:01:00Z"], ["ben", "3", "2026-06-11T20:01:10Z"], ["ben", "4", "2026-06-11T20:31:10Z"], ["ben", "5", "2026-06-13T20:31:10Z"]) as [Line, Line, Line, Line, Line];
  expect([goesOn(a, undefined), goesOn(b, a), goesOn(c, b), goesOn(d, c), goesOn(e, d)]).toEqual([false, true, false, false, false]);
  expect([dayBegins(a, undefined), dayBegins(b, a), dayBegins(e, d)]).toEqual([false, false, true]);
  const now = new Date("2026-06-13T21:00:00");
  expect([dayWords("2026-06-13T10:00:00", now), dayWords("2026-06-12T10:00:00", now)]).toEqual(["Today", "Yesterday"]);
});

test("reports of one message are one case, the latest first, and what was done is said", () => {
  const report = (number: number, target: string, done = false) => ({ report: number, target, user: `u${number}`, reason: "r", at: "", event: { sender: "eve", data: { text: "rude" } }, stream: "chat:a", seq: 1, done });
  const cases = casesOf([report(3, "x"), report(2, "y", true), report(1, "x")]);
  expect(cases.map(({ message, reports, done }) => [message.id, message.sender, message.text, reports.length, done])).toEqual([["x", "eve", "rude", 2, false], ["y", "eve", "rude", 1, true]]);
  expect(toldWords({ do: "mute", user: "eve", for_ms: 600_000 })).toBe("muted eve for 10 minutes");
  expect(toldWords({ do: "set", settings: { slow_s: null, blocked: 2 } })).toBe("set slow_s to what it was, blocked to 2");
});
