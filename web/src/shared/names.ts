// Names as what they are: what cannot be seen is shown, letters that look like others are told, and who has no token is told apart.

import type { StreamEvent } from "@touchline/client";

import { language, t } from "./tongue.ts";

/** Combining marks beyond this many on one character are left out: they would paint over the lines around. */
const MOST_MARKS = 4;
const RUNS = new RegExp(`[\\p{M}\\p{Cf}]{${MOST_MARKS + 1},}`, "gu");
const MARK = /\p{M}/u;
const LONGEST = 60;

/** Joiners between the marks of a pile do not make it two. */
export function tame(text: string): string {
  return text.replace(RUNS, (run) => {
    let marks = 0;
    return [...run].filter((one) => !MARK.test(one) || ++marks <= MOST_MARKS).join("");
  });
}

/** Who wrote it: vouched for by a token, or as they call themselves. Edges name those without a token `guest-…`. */
export function author({ sender, data }: StreamEvent): { readonly name: string; readonly signed: boolean } {
  const signed = sender !== undefined && !sender.startsWith("guest-");
  const own = typeof data["name"] === "string" ? data["name"] : "";
  return { name: tame(signed ? sender : own || (sender ?? "")).slice(0, LONGEST), signed };
}

export interface Spelled {
  /** The name with what cannot be seen written out: `an[U+200B]a`. */
  readonly text: string;
  /** What is odd about its letters, in a word or two; empty: nothing. */
  readonly note: string;
  readonly why: string;
}

/** Format and control characters, fillers and blanks that are no space, spaces of other widths. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u180b-\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
const PICTURE = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}/u;
const JOINED = /\p{Script=Arabic}|\p{Script=Syriac}|\p{Script=Mongolian}|\p{Script=Devanagari}|\p{Script=Bengali}|\p{Script=Tamil}|\p{Script=Telugu}|\p{Script=Kannada}|\p{Script=Malayalam}|\p{Script=Sinhala}|\p{Script=Gujarati}|\p{Script=Gurmukhi}/u;
const SCRIPTS = ["Latin", "Cyrillic", "Greek", "Armenian", "Cherokee", "Hebrew", "Arabic", "Devanagari", "Thai", "Georgian", "Lisu", "Coptic"].map((name) => [name, new RegExp(`\\p{Script=${name}}`, "u")] as const);
/** Letters that are drawn as Latin ones are. */
const ALIKE = new Set("аеорсухіјѕһԁԛԝѵӏАВЕЅІЈКМНОРСТУХԌԚԜѴӀονϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧоսհօցզՍՏᎪᎬᎻᎽᏀᏃᎷᏔᏙᏢᏚᏞᎢ");

/** Of what most names are made; nothing in them needs a look. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/;
const MOST_KEPT = 500;
const kept = new Map<string, Spelled>();

/** Asked for each line that is drawn, so what was found out is kept. */
export function spelled(name: string): Spelled {
  if (PLAIN.test(name)) return { text: name, note: "", why: "" };
  const key = `${language.value} ${name}`;
  const known = kept.get(key) ?? looked(name);
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, known);
  return known;
}

function looked(name: string): Spelled {
  const letters = [...name];
  const text = letters.map((one, n) => (seen(one, letters, n) ? one : written(one))).join("").replace(/^ +| +$/g, (blanks) => "␣".repeat(blanks.length)).replace(/ {2,}/g, (blanks) => "␣".repeat(blanks.length));
  const found = SCRIPTS.filter(([, pattern]) => pattern.test(name)).map(([script]) => script);
  const other = found.find((script) => script !== "Latin");
  if (text !== name) return { text, note: t("hidden characters"), why: t("This name has characters that cannot be seen; they are written out here.") };
  if (found.length > 1) return { text, note: t("mixed letters"), why: t("This name mixes letters that look alike: {found}.", { found: found.join(", ") }) };
  if (other && letters.filter((one) => /\p{L}/u.test(one)).every((one) => ALIKE.has(one))) return { text, note: t("{other} letters", { other }), why: t("This name is written in {other} letters that look like Latin ones.", { other }) };
  if (/[\p{L}\p{N}]/u.test(name) && name.normalize("NFKC").normalize("NFC") !== name.normalize("NFC") && !/[\p{Script=Hangul}\p{Script=Katakana}\p{Script=Arabic}]/u.test(name)) return { text, note: t("look-alike letters"), why: t("This name is drawn like “{name}”, and is another one.", { name: name.normalize("NFKC") }) };
  return { text, note: "", why: "" };
}

function seen(one: string, letters: readonly string[], n: number): boolean {
  if (!UNSEEN.test(one)) return true;
  const [before, after] = [letters[n - 1] ?? "", letters[n + 1] ?? ""];
  if (one === "\ufe0f") return PICTURE.test(before) || /[0-9#*]/.test(before);
  if (one === "\u200d" && PICTURE.test(after)) return PICTURE.test(before) || before === "\ufe0f";
  // Persian, Hindi and others write with joiners.
  if (one === "\u200d" || one === "\u200c") return JOINED.test(before) && JOINED.test(after);
  // Flags of parts of countries.
  return /[\u{e0020}-\u{e007f}]/u.test(one) && letters.includes("🏴");
}

function written(one: string): string {
  return `[U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`;
}
