// A hit's cells, by the names of the columns that somebody chose.

import type { Hit } from "@touchline/client";

import { inZone } from "../shared/bars.ts";

const LONGEST = 600;
const DATED: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const FULL: Intl.DateTimeFormatOptions = { ...DATED, year: "numeric", fractionalSecondDigits: 3, timeZoneName: "short" };

/** A value of an event as text: numbers and texts as they are, all else as JSON. */
export function written(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** `data.card.colour`, found in its steps. */
export function within(data: unknown, path: string): unknown {
  let found: unknown = data;
  for (const step of path.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}

export function cell({ event, score }: Hit, column: string): string {
  if (column.startsWith("data.")) return written(within(event.data, column.slice("data.".length)));
  switch (column) {
    case "text": return textOf(event.data);
    case "data": return written(event.data);
    case "seq": return String(event.seq);
    case "score": return score === null ? "" : score.toFixed(2);
    case "sender": return event.sender ?? "";
    case "stream": case "type": case "id": return event[column];
    default: return "";
  }
}

/** What was said; of what has no text, all that it says. */
export function textOf(data: Readonly<Record<string, unknown>>): string {
  return typeof data["text"] === "string" ? written(data["text"]) : written(data);
}

/** What the hits here have in `data`, for who chooses columns. */
export function dataColumns(hits: readonly Hit[]): string[] {
  const found = new Set<string>();
  for (const { event } of hits) for (const name of Object.keys(event.data)) if (!name.includes(",") && name !== "text") found.add(`data.${name}`);
  return [...found].sort().slice(0, 30);
}

export function whenOf(rfc3339: string, zone: string): { readonly short: string; readonly full: string } {
  const time = new Date(rfc3339);
  if (Number.isNaN(time.getTime())) return { short: "", full: "" };
  return { short: inZone(DATED, zone).format(time), full: inZone(FULL, zone).format(time) };
}
