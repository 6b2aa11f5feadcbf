// What is looked for, and how it is shown: as the page's address has it, as a search, as an export, as an alert.

import { MAX_QUERY } from "../shared/generated.ts";
import { t } from "../shared/tongue.ts";

export const FIELDS = ["kind", "channel", "sender", "type", "mark"] as const;
export type Field = (typeof FIELDS)[number];
/** Those of them that a search takes as filters. */
export const FILTERS = ["kind", "channel", "sender", "type"] as const;
export type Filter = (typeof FILTERS)[number];
export type Sort = "" | "relevance" | "newest" | "oldest" | "meaning";

export const COLUMNS = ["time", "stream", "sender", "type", "text", "data", "seq", "id", "score"] as const;
const USUAL: readonly string[] = ["time", "stream", "sender", "text"];
const MOST_COLUMNS = 20;
const SORTS: readonly string[] = ["relevance", "newest", "oldest", "meaning"];

export interface Wanted extends Readonly<Record<Filter, readonly string[]>> {
  readonly q: string;
  readonly since: string;
  readonly until: string;
  /** Of times that name none; empty: the reader's own. */
  readonly zone: string;
  readonly sort: Sort;
  readonly interval: string;
  readonly by: Field | "";
  readonly compare: boolean;
  readonly standout: boolean;
  /** The columns of the table, in their order: names of COLUMNS, or `data.minute`. */
  readonly columns: readonly string[];
}

export const NOTHING: Wanted = {
  q: "", kind: [], channel: [], sender: [], type: [], since: "", until: "", zone: "", sort: "", interval: "", by: "", compare: false, standout: false, columns: USUAL,
};

export function fromAddress(search: string): Wanted {
  const given = new URLSearchParams(search);
  const one = (name: string) => [...(given.get(name) ?? "")].slice(0, MAX_QUERY).join("");
  const several = (name: string) => [...new Set(given.getAll(name))].filter((value) => value !== "").slice(0, 50);
  const [sort, by] = [one("sort"), one("by")];
  const columns = one("cols").split(",").filter((name) => isColumn(name)).slice(0, MOST_COLUMNS);
  return {
    q: one("q"), kind: several("kind"), channel: several("channel"), sender: several("sender"), type: several("type"),
    since: one("since"), until: one("until"), zone: one("zone"), interval: one("interval"),
    sort: (SORTS.includes(sort) ? sort : "") as Sort,
    by: ((FIELDS as readonly string[]).includes(by) ? by : "") as Field | "",
    compare: one("compare") === "1", standout: one("standout") === "1",
    columns: columns.length > 0 ? columns : USUAL,
  };
}

export function isColumn(name: string): boolean {
  return (COLUMNS as readonly string[]).includes(name) || /^data\.[^,]{1,100}$/.test(name);
}

/** The same as parameters of the address: whoever opens it asks the same, and sees of it what they may. `zone` is the reader's own,
 * so that times mean to others what they meant here. */
export function toAddress(wanted: Wanted, zone: string): URLSearchParams {
  const made = new URLSearchParams();
  if (wanted.q.trim()) made.set("q", wanted.q.trim());
  for (const name of FILTERS) for (const value of wanted[name]) made.append(name, value);
  for (const name of ["since", "until", "sort", "interval", "by"] as const) if (wanted[name]) made.set(name, wanted[name]);
  for (const name of ["compare", "standout"] as const) if (wanted[name]) made.set(name, "1");
  if (wanted.columns.join() !== USUAL.join()) made.set("cols", wanted.columns.join());
  if (made.size > 0 && (wanted.zone || zone)) made.set("zone", wanted.zone || zone);
  return made;
}

/** What is asked of the gateway: without how it is shown, and without counts. */
export function toSearch(wanted: Wanted, zone: string): URLSearchParams {
  const made = new URLSearchParams({ q: wanted.q.trim() });
  for (const name of FILTERS) for (const value of wanted[name]) made.append(name, value);
  for (const name of ["since", "until", "sort"] as const) if (wanted[name]) made.set(name, wanted[name]);
  if (wanted.zone || zone) made.set("zone", wanted.zone || zone);
  return made;
}

/** Its first page, with everything that is counted of it. */
export function toCounts(wanted: Wanted, zone: string, limit: number): URLSearchParams {
  const made = toSearch(wanted, zone);
  for (const field of FIELDS) made.append("facet", field);
  for (const name of ["interval", "by"] as const) if (wanted[name]) made.set(name, wanted[name]);
  if (wanted.standout) made.set("standout", "1");
  if (wanted.compare && wanted.since) made.set("compare", "1");
  made.set("limit", String(limit));
  return made;
}

/** All hits: by time, as a stream of them is. */
export function toExport(wanted: Wanted, zone: string, form: "ndjson" | "csv", cursor: string): URLSearchParams {
  const made = toSearch(wanted, zone);
  if (["relevance", "meaning"].includes(made.get("sort") ?? "")) made.delete("sort");
  made.set("format", form);
  if (cursor) made.set("cursor", cursor);
  return made;
}

/** What an alert is told: it is about what comes, so times and the order are left out. */
export function toAlert(wanted: Wanted): Record<string, string | readonly string[]> {
  const body: Record<string, string | readonly string[]> = {};
  if (wanted.q.trim()) body["q"] = wanted.q.trim();
  for (const name of FILTERS) if (wanted[name].length > 0) body[name] = wanted[name];
  return body;
}

export interface Alert extends Readonly<Partial<Record<Filter, readonly string[]>>> {
  readonly id: string;
  readonly stream: string;
  readonly q?: string;
  readonly near?: string;
  readonly within?: string;
  readonly streams?: readonly string[];
  readonly suspended?: { readonly until: string; readonly why: string };
}

/** An alert's search, to be looked at again. */
export function ofAlert(alert: Alert, shown: Wanted): Wanted {
  const near = alert.near ? ` near:${alert.near}${alert.within ? `~${alert.within}` : ""}` : "";
  const filters = Object.fromEntries(FILTERS.map((name) => [name, alert[name] ?? []])) as Record<Filter, readonly string[]>;
  return { ...NOTHING, ...filters, q: `${alert.q ?? ""}${near}`.trim(), zone: shown.zone, columns: shown.columns };
}

/** An alert in a line. */
export function sayAlert(alert: Alert): string {
  const filters = FILTERS.flatMap((name) => (alert[name] ?? []).map((value) => `${name}:${value}`));
  const near = alert.near ? [`near:${alert.near}~${alert.within ?? "5km"}`] : [];
  return [alert.q ?? "", ...filters, ...(alert.streams ?? []), ...near].filter(Boolean).join(" ");
}

/** A name for an alert: what letters its query has. */
export function nameFor(wanted: Wanted): string {
  const words = [wanted.q, ...FILTERS.flatMap((name) => wanted[name])].join(" ");
  return words.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "").slice(0, 40).replace(/-$/, "");
}

export function toggled(values: readonly string[], value: string): readonly string[] {
  return values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
}

/** A value of a field as an operator of the query, for what is no filter, or is not to be found. */
export function operatorFor(field: Field, value: string, negated: boolean): string {
  const sign = negated ? "-" : "";
  if (field === "mark") {
    if (value.startsWith("@")) return `${sign}mentions:${quoted(value.slice(1))}`;
    return `${sign}${["edited", "reply"].includes(value) ? "is" : "has"}:${value}`;
  }
  return `${sign}${{ kind: "kind", channel: "in", sender: "from", type: "type" }[field]}:${quoted(value)}`;
}

function quoted(value: string): string {
  return /[\s()"]/.test(value) ? `"${value.replaceAll('"', "")}"` : value;
}

/** A query with one word more. */
export function withWord(q: string, word: string): string {
  const before = q.trim();
  return before.split(/\s+/).includes(word) ? before : `${before} ${word}`.trim();
}

/** How much more or less than before, in words. */
export function sayDifference(now: number, before: number): string {
  const difference = now - before;
  if (difference === 0) return t("as many as in the same time before");
  const share = before > 0 ? ` (${difference > 0 ? "+" : "−"}${Math.round((100 * Math.abs(difference)) / before).toLocaleString("en")} %)` : "";
  const given = { n: Math.abs(difference).toLocaleString("en"), share };
  return difference > 0 ? t("{n} more{share} than in the same time before", given) : t("{n} fewer{share} than in the same time before", given);
}
