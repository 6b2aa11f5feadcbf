// The moderator's desk without a page: what somebody has said, as a search finds it and as it is heard.

import { expect, test } from "vitest";

import { ChatLog } from "../src/shared/chatlog.ts";
import { type Message, messageOfLine, saidSince } from "../src/moderate/cases.ts";

const STREAM = "chat:a";
const at = (n: number) => `2026-07-19T19:00:0${n}.000Z`;

/** A log in which eve and bob have said these, in turn. */
function heard(...said: readonly (readonly [string, string])[]): ChatLog {
  const log = new ChatLog(100);
  log.append(said.map(([sender, text], n) => ({ stream: STREAM, seq: n + 1, id: `${n + 1}`, type: "message", sender, server_ts: at(n), data: { text } })));
  return log;
}

function texts(messages: readonly Message[]): string[] {
  return messages.map(({ text }) => text);
}

test("what no search finds yet is shown, the newest first", () => {
  const lines = heard(["eve", "one"], ["bob", "no"], ["eve", "two"], ["eve", "three"]).view();
  expect(texts(saidSince([], lines, "eve", STREAM))).toEqual(["three", "two", "one"]);
  const found = lines.filter(({ text }) => text === "two").map((line) => messageOfLine(line, STREAM));
  expect(texts(saidSince(found, lines, "eve", STREAM))).toEqual(["three"]);
});

test("of what was found nothing is shown twice, and older lines come with older pages", () => {
  const lines = heard(["eve", "one"], ["eve", "two"]).view();
  const found = lines.map((line) => messageOfLine(line, STREAM)).reverse();
  expect(saidSince(found, lines, "eve", STREAM)).toEqual([]);
  expect(saidSince(found.slice(0, 1), lines, "eve", STREAM)).toEqual([]);
});
