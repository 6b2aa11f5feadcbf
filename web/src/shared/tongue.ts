// What pages say, in the reader's language. Sentences are their own keys: English is in the code, other languages are files that are fetched where they are read.

import { computed, signal } from "@preact/signals";

export const LANGUAGES = { en: "English", es: "Español", ko: "한국어" } as const;
export type Language = keyof typeof LANGUAGES;
/** A sentence, or its forms by number (`one`, `other`). */
export type Words = Readonly<Record<string, string | Readonly<Record<string, string>>>>;
/** Gets the words of a language, as far as a page says them (web/vite.words.ts). */
export type Files = Readonly<Record<string, () => Promise<{ readonly default: Words }>>>;

const KEPT = "touchline.language";

export const language = signal<Language>("en");
const words = signal<Words>({});
let files: Files = {};
/** As the browser writes numbers and times, if that is the language; else as the language does. */
export const locale = computed(() => navigator.languages.find((one) => one.split("-")[0] === language.value) ?? language.value);

/** Take the language that was chosen, or that the browser asks for. Where its file does not come, it is English. */
export async function speak(own: Files, wanted: Language = chosen()): Promise<void> {
  files = own;
  try {
    words.value = (await files[wanted]?.())?.default ?? {};
    language.value = wanted;
  } catch {
    [words.value, language.value] = [{}, "en"];
  }
  document.documentElement.lang = language.value;
}

/** What a part of a page says that is fetched later. */
export async function learn(more: Files): Promise<void> {
  try {
    words.value = { ...words.value, ...(await more[language.value]?.())?.default };
  } catch {
    // It says so in English.
  }
}

export function choose(wanted: Language): void {
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // As the browser asks, next time.
  }
  void speak(files, wanted);
}

export function t(sentence: string, given: Readonly<Record<string, string | number>> = {}): string {
  const said = words.value[sentence];
  return filled(typeof said === "string" ? said : sentence, given);
}

/** A sentence with a number in it: `many(3, "{n} viewer", "{n} viewers")`. */
export function many(n: number, one: string, other: string, given: Readonly<Record<string, string | number>> = {}): string {
  const forms = words.value[other];
  const form = typeof forms === "object" ? (forms[new Intl.PluralRules(language.value).select(n)] ?? forms["other"]) : undefined;
  return filled(form ?? (n === 1 ? one : other), { n: number(n), ...given });
}

export function number(value: number, options?: Intl.NumberFormatOptions): string {
  return value.toLocaleString(locale.value, options);
}

/** How long ago something was, or until it is. */
export function fromNow(at: string, nowMs: number): string {
  const seconds = (Date.parse(at) - nowMs) / 1000;
  if (Number.isNaN(seconds)) return "";
  const ago = Math.abs(seconds);
  if (seconds > -10 && seconds < 1) return t("just now");
  const [size, unit] = ago < 60 ? ([10, "second"] as const) : ago < 3600 ? ([60, "minute"] as const) : ago < 86_400 ? ([3600, "hour"] as const) : ([86_400, "day"] as const);
  const number = unit === "second" ? Math.max(1, Math.floor(ago / size)) * size : Math.floor(ago / size);
  return new Intl.RelativeTimeFormat(language.value, { numeric: "always", style: "short" }).format(seconds < 0 ? -number : number, unit);
}

function chosen(): Language {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // As the browser asks.
  }
  const asked = kept ? [kept] : navigator.languages.map((one) => one.split("-")[0] ?? "");
  return asked.find((one): one is Language => one in LANGUAGES) ?? "en";
}

function filled(sentence: string, given: Readonly<Record<string, string | number>>): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(given[name] ?? whole));
}
