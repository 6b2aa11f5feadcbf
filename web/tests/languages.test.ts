// Languages: each file has all that pages say, and says it with the same places to fill; and pages show nothing besides.

import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

import es from "../src/languages/es.json";
import ko from "../src/languages/ko.json";
import { fromNow, many, t, type Words } from "../src/shared/tongue.ts";
import { TEMPLATES } from "../src/studio/templates.ts";
import { wordsIn } from "../vite.words.ts";
import { pages, wordsOf } from "./words.ts";

const FILES: Readonly<Record<string, Words>> = { es, ko };
const modules = pages();
const found = [...modules.values()];
const sentences = new Set(found.flatMap((page) => [...page.sentences]));
const counted = new Set(found.flatMap((page) => [...page.counted]));
/** Labels of tables, and of the sports, which are data. */
const labels = new Set([...found.flatMap((page) => [...page.kept.keys()]), ...TEMPLATES.flatMap(({ name, phases, actions }) => [name, ...phases.map((one) => one.name), ...actions.map((one) => one.name)])]);
const places = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

describe.each(Object.entries(FILES))("%s", (language, words) => {
  test("has every sentence, and what is counted in all its forms", () => {
    expect(sentences.size).toBeGreaterThan(500);
    expect([...sentences, ...labels].filter((sentence) => typeof words[sentence] !== "string")).toEqual([]);
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.filter((form) => form !== "many");
    for (const key of counted) expect(Object.keys(words[key] ?? {}).sort(), key).toEqual([...forms].sort());
  });

  test("fills the same places", () => {
    for (const [key, said] of Object.entries(words)) for (const form of typeof said === "string" ? [said] : Object.values(said)) expect(places(form), key).toEqual(places(key));
  });
});

test("what pages show is asked for in the reader's language", () => expect(found.flatMap(({ bare }) => bare)).toEqual([]));

test("a text that is not asked for is found, wherever it stands", () => {
  const page = `import { t } from "../shared/tongue.ts";
const TABS = [["told", "For you"]];
export function Page({ n }: { n: number }) {
  if (n < 0) throw new Error("It is less than nothing.");
  return <p class="quiet big" title="Of old" aria-label={n > 1 ? "Many" : t("One")}>Hello you {t("{n} here", { n })} {\`\${n} of them\`} <kbd>Enter</kbd></p>;
}`;
  const { sentences, bare, kept } = wordsOf("page.tsx", page);
  expect([...sentences]).toEqual(["One", "{n} here"]);
  expect(bare).toEqual(["page.tsx:4 It is less than nothing.", "page.tsx:5 Of old", "page.tsx:5 Many", "page.tsx:5 Hello you", "page.tsx:5 {} of them"]);
  expect([...kept.keys()]).toEqual(["For you"]);
});

describe("a page gets of a file what it says", () => {
  const sources = fileURLToPath(new URL("../src/", import.meta.url));
  const said = wordsIn(sources);
  const PARTS: Readonly<Record<string, readonly string[]>> = { ops: ["later"] };
  const own = (page: string) => ["main", ...(PARTS[page] ?? [])].flatMap((part) => Object.keys(said(`${sources}${page}/${part}.tsx`, "ko")));

  test.each(["analyst", "home", "moderate", "nearby", "ops", "studio", "viewer"])("%s", (page) => {
    const has = new Set(own(page));
    for (const [name, { sentences, counted, kept }] of modules) if (name.startsWith(`${page}/`)) expect([...sentences, ...counted, ...kept.keys()].filter((key) => !has.has(key)), name).toEqual([]);
    expect(has).toContain("The gateway cannot be reached right now.");
    expect(has.size).toBeLessThan(Object.keys(ko).length / 2);
  });

  test("and each thing once, also where a part of it is fetched later", () => expect(own("ops").length).toBe(new Set(own("ops")).size));

  test("names of types of events, where events are shown", () => {
    const names = ["Goal", "Penalty", "Possession", "Yellow card"];
    expect(["viewer", "studio", "home"].map((page) => names.filter((name) => !own(page).includes(name)))).toEqual([[], [], []]);
    expect(own("ops")).not.toContain("Penalty");
  });
});

test("the files say the same things", () => expect(Object.keys(es)).toEqual(Object.keys(ko)));

test("without a file it is English", () => {
  expect([t("Live now"), t("{n} behind", { n: 3 }), many(1, "{n} viewer", "{n} viewers"), many(1200, "{n} viewer", "{n} viewers")]).toEqual(["Live now", "3 behind", "1 viewer", "1,200 viewers"]);
  const now = Date.parse("2026-07-19T19:00:00.000Z");
  expect(["2026-07-19T18:59:58.000Z", "2026-07-19T18:30:00.000Z", "2026-07-19T21:00:00.000Z", "soon"].map((at) => fromNow(at, now))).toEqual(["just now", "30 min. ago", "in 2 hr.", ""]);
});
