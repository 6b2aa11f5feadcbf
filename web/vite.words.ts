// The words of each page in other languages: of a language's one file, what the page's own modules can say.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseSync, type Plugin } from "vite";

/** What a page asks for its words by, and a part of one that is fetched later. */
const HERE = "words:here";
/** Makes names of the types of events, which come from anybody: `yellow_card` is a “Yellow card”. */
const NAMES_EVENTS = "viewer/match.ts";
/** The names that the studio gives them. */
const NAMED = "studio/templates.json";

interface Module {
  /** The texts that stand in it. */
  readonly texts: readonly string[];
  /** The files that it takes in, at once or later. */
  readonly files: readonly string[];
}

function readModule(file: string): Module {
  const source = readFileSync(file, "utf-8");
  const texts: string[] = [];
  const gather = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    const node = value as Readonly<Record<string, unknown>>;
    // What is taken in for its types alone brings no words.
    if (node["importKind"] === "type") return;
    if (node["type"] === "Literal" && typeof node["value"] === "string") texts.push(node["value"]);
    for (const inner of Object.values(node)) gather(inner);
  };
  // A file of data is an expression.
  gather(parseSync(file.replace(/\.json$/, ".ts"), file.endsWith(".json") ? `(${source})` : source).program);
  const named = texts.filter((text) => /^\.\.?\/.+\.(tsx?|json)$/.test(text));
  return { texts, files: [...new Set(named)].map((name) => join(dirname(file), name)) };
}

/** Says what a page, or a part of one, says in a language: `first` is the module that asks for it. */
export function wordsIn(sources: string): (first: string, language: string) => Readonly<Record<string, unknown>> {
  const [namesEvents, named] = [join(sources, NAMES_EVENTS), join(sources, NAMED)];
  const known = new Map<string, Module>();
  const read = (file: string): Module => {
    const module = known.get(file) ?? readModule(file);
    known.set(file, module);
    return module;
  };
  /** With all that it takes in but parts that have their own words. */
  const filesOf = (first: string): ReadonlySet<string> => {
    const files = new Set([first]);
    for (const file of files) {
      for (const one of read(file).files) if (!read(one).texts.includes(HERE)) files.add(one);
      if (file === namesEvents) files.add(named);
    }
    return files;
  };
  const textsOf = (first: string): ReadonlySet<string> => new Set([...filesOf(first)].flatMap((file) => read(file).texts));

  for (const page of readdirSync(sources).map((name) => join(sources, name, "main.tsx")).filter(existsSync)) filesOf(page);
  for (const [file, { texts }] of known) if (texts.includes(HERE)) filesOf(file);
  const all = new Set([...known.values()].flatMap((module) => module.texts));

  return (first, language) => {
    const texts = textsOf(first);
    const page = join(dirname(first), "main.tsx");
    const before = first === page ? new Set<string>() : textsOf(page);
    // What stands in no module is the name of a type of event.
    const names = filesOf(first).has(namesEvents);
    const said = JSON.parse(readFileSync(join(sources, "languages", `${language}.json`), "utf-8")) as Readonly<Record<string, unknown>>;
    return Object.fromEntries(Object.entries(said).filter(([key]) => (texts.has(key) && !before.has(key)) || (names && !all.has(key))));
  };
}

/** `import files from "words:here"`: for each language, how to get what this page, or part of one, says in it. */
export function words(sources: string): Plugin {
  const languages = readdirSync(join(sources, "languages")).map((name) => basename(name, ".json"));
  let said: ReturnType<typeof wordsIn>;
  return {
    name: "words",
    buildStart: () => void (said = wordsIn(sources)),
    resolveId: (id, importer) => (id === HERE ? `\0words:${importer}` : id.startsWith("\0words:") ? id : undefined),
    load(id) {
      const [, first, language] = /^\0words:(.+\.tsx)(?:\/(\w+))?$/.exec(id) ?? [];
      if (first === undefined) return undefined;
      if (language === undefined) return `export default {${languages.map((one) => `${one}: () => import(${JSON.stringify(`${id}/${one}`)})`).join()}}`;
      this.addWatchFile(join(sources, "languages", `${language}.json`));
      return `export default ${JSON.stringify(said(first, language))}`;
    },
  };
}
