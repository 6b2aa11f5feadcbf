// Languages: each file has all that pages say, and says it with the same places to fill.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import es from "../src/languages/es.json";
import ko from "../src/languages/ko.json";
import { fromNow, many, t, type Words } from "../src/shared/tongue.ts";

const FILES: Readonly<Record<string, Words>> = { es, ko };
const sources = readdirSync(new URL("../src/", import.meta.url), { recursive: true, encoding: "utf-8" }).filter((name) => /\.tsx?$/.test(name)).map((name) => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf-8"));
const sentences = new Set(sources.flatMap((source) => [...source.matchAll(/\bt\("((?:[^"\\]|\\.)*)"/g)].map(([, sentence]) => sentence ?? "")));
const counted = new Set(sources.flatMap((source) => [...source.matchAll(/\bmany\([^"]*"[^"]*", "([^"]*)"/g)].map(([, forms]) => forms ?? "")));
const places = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

describe.each(Object.entries(FILES))("%s", (language, words) => {
  test("has every sentence, and what is counted in all its forms", () => {
    expect(sentences.size).toBeGreaterThan(80);
    expect([...sentences].filter((sentence) => typeof words[sentence] !== "string")).toEqual([]);
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.filter((form) => form !== "many");
    for (const key of counted) expect(Object.keys(words[key] ?? {}).sort(), key).toEqual([...forms].sort());
  });

  test("fills the same places", () => {
    for (const [key, said] of Object.entries(words)) for (const form of typeof said === "string" ? [said] : Object.values(said)) expect(places(form), key).toEqual(places(key));
  });
});

test("the files say the same things", () => expect(Object.keys(es)).toEqual(Object.keys(ko)));

test("without a file it is English", () => {
  expect([t("Live now"), t("{n} behind", { n: 3 }), many(1, "{n} viewer", "{n} viewers"), many(1200, "{n} viewer", "{n} viewers")]).toEqual(["Live now", "3 behind", "1 viewer", "1,200 viewers"]);
  const now = Date.parse("2026-07-19T19:00:00.000Z");
  expect(["2026-07-19T18:59:58.000Z", "2026-07-19T18:30:00.000Z", "2026-07-19T21:00:00.000Z", "soon"].map((at) => fromNow(at, now))).toEqual(["just now", "30 min. ago", "in 2 hr.", ""]);
});
