// Names are shown as what they are.

import type { StreamEvent } from "@touchline/client";
import { describe, expect, test } from "vitest";

import { author, spelled, tame } from "../src/shared/names.ts";

test.each(["ana", "Søren", "José", "jose\u0301", "wolf_92", "O'Neil", "Ольга", "Μαρία", "김민재", "さくら", "محمد", "न्‍या", "علی\u200cرضا", "👩\u200d🚀 ana", "❤\ufe0f", "ana ben", "ﾊﾝｶｸ", "İpek"])("%j is a name like any other", (name) => {
  expect([spelled(name).text, spelled(name).note]).toEqual([name, ""]);
});

test.each([
  ["an\u200ba", "an[U+200B]a", "hidden characters"], ["ana\u2060", "ana[U+2060]", "hidden characters"], ["\u202eana", "[U+202E]ana", "hidden characters"], ["an\u00ada", "an[U+00AD]a", "hidden characters"],
  ["ana\u3164", "ana[U+3164]", "hidden characters"], ["ana ", "ana␣", "hidden characters"], ["ana  b", "ana␣␣b", "hidden characters"], ["a\u200dna", "a[U+200D]na", "hidden characters"], ["ana\ufe0f", "ana[U+FE0F]", "hidden characters"],
  ["an\u0430", "an\u0430", "mixed letters"], ["\u03bfana", "\u03bfana", "mixed letters"], ["\u0430\u0440\u0435", "\u0430\u0440\u0435", "Cyrillic letters"], ["ａｎａ", "ａｎａ", "look-alike letters"], ["𝐚𝐧𝐚", "𝐚𝐧𝐚", "look-alike letters"],
])("%j is shown as %s, with %s", (name, text, note) => {
  expect([spelled(name).text, spelled(name).note]).toEqual([text, note]);
  expect(spelled(name).why).not.toBe("");
});

describe("who wrote it", () => {
  const said = (sender: string | undefined, name?: string): StreamEvent => ({ stream: "chat:a", seq: 1, id: "1", type: "message", server_ts: "", data: name ? { name } : {}, ...(sender ? { sender } : {}) });

  test("is who a token vouches for, whatever name the message has; else the name that was chosen, and it is no other's", () => {
    expect(author(said("ana", "ben"))).toEqual({ name: "ana", signed: true });
    expect(author(said("guest-12", "ana"))).toEqual({ name: "ana", signed: false });
    expect(author(said(undefined, "ana"))).toEqual({ name: "ana", signed: false });
  });
});

test("marks do not pile up, with joiners between them neither", () => {
  const pile = tame(`e${"\u0301\u200d\u0301\u034f".repeat(1000)}!`);
  expect([...pile].filter((one) => /\p{M}/u.test(one)).length).toBe(4);
  expect(tame("🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} ก็ 👩\u200d🚀")).toBe("🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} ก็ 👩\u200d🚀");
});
