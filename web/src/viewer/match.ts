// The state of play, folded from a broadcast stream. Producers write what they like: what is not understood is shown as a note.

import type { StreamEvent } from "@touchline/client";

export type Moment = "start" | "goal" | "card" | "change" | "pause" | "end" | "note";

export interface Side {
  readonly name: string;
  readonly score: number | null;
}

export interface Entry {
  readonly seq: number;
  readonly moment: Moment;
  readonly minute: string;
  readonly title: string;
  readonly text: string;
  readonly at: string;
  readonly red: boolean;
}

export interface Match {
  readonly title: string;
  readonly home: Side;
  readonly away: Side;
  readonly phase: "before" | "playing" | "pause" | "over";
  /** The last minute that was told, and when. */
  readonly minute: number | null;
  readonly minuteAt: string;
  /** Match seconds in a second: more than 1 in a replay. */
  readonly speed: number;
}

export const NO_MATCH: Match = {
  title: "",
  home: { name: "", score: null },
  away: { name: "", score: null },
  phase: "before",
  minute: null,
  minuteAt: "",
  speed: 1,
};

const MOMENTS: readonly (readonly [Moment, RegExp])[] = [
  ["start", /^(live_?started|kick_?off|start(ed)?|second_half|half_started)$/],
  ["pause", /^(half_?time|paused?|break)$/],
  ["end", /^(full_?time|live_?ended|ended|final_whistle|finish(ed)?)$/],
  ["goal", /goal/],
  ["card", /card|booking/],
  ["change", /^(substitution|sub)$/],
];

export function momentOf(type: string): Moment {
  const plain = type.toLowerCase().replaceAll(/[-. ]/g, "_");
  return MOMENTS.find(([, pattern]) => pattern.test(plain))?.[0] ?? "note";
}

export function fold(match: Match, { type, data, server_ts }: StreamEvent): Match {
  const moment = momentOf(type);
  const [home, away] = scores(data["score"]);
  const minute = minuteOf(data);
  const phase = { start: "playing", pause: "pause", end: "over" } as const;
  return {
    title: text(data["title"]) || match.title,
    home: side(match.home, data["home"], home),
    away: side(match.away, data["away"], away),
    phase: moment in phase ? phase[moment as keyof typeof phase] : match.phase === "before" && minute !== null ? "playing" : match.phase,
    minute: minute ?? (moment === "start" && match.minute === null ? 0 : match.minute),
    minuteAt: minute !== null || moment === "start" ? server_ts : match.minuteAt,
    speed: typeof data["speed"] === "number" && data["speed"] > 0 ? data["speed"] : match.speed,
  };
}

export function entryOf({ seq, type, data, server_ts }: StreamEvent): Entry {
  const minute = minuteOf(data);
  const words = text(data["text"]) || text(data["message"]) || text(data["description"]);
  const player = text(data["player"]);
  const team = text(data["team"]);
  const title = [titleOf(type), player].filter(Boolean).join(": ");
  return {
    seq,
    moment: momentOf(type),
    minute: minute === null ? "" : `${Math.floor(minute)}′`,
    title: team && !["home", "away"].includes(team) ? `${title} (${team})` : title,
    text: words,
    at: server_ts,
    red: /red/i.test(type) || text(data["card"]) === "red",
  };
}

/** `yellow_card` -> `Yellow card`. */
function titleOf(type: string): string {
  const words = type.replaceAll(/[_.-]+/g, " ").trim().toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function minuteOf(data: StreamEvent["data"]): number | null {
  const given = data["minute"] ?? data["clock"];
  if (typeof given === "number" && Number.isFinite(given)) return given;
  const [, minutes, extra, seconds] = /^(\d{1,3})(?:\+(\d{1,2}))?['′]?(?::(\d{2}))?$/.exec(text(given)) ?? [];
  return minutes === undefined ? null : Number(minutes) + Number(extra ?? 0) + Number(seconds ?? 0) / 60;
}

/** `[2, 1]`, `"2-1"` or `{"home": 2, "away": 1}`. */
function scores(given: unknown): [number | null, number | null] {
  if (Array.isArray(given)) return [count(given[0]), count(given[1])];
  if (typeof given === "string") {
    const [, home, away] = /^(\d+)\s*[-–:]\s*(\d+)$/.exec(given.trim()) ?? [];
    return [count(home), count(away)];
  }
  if (typeof given === "object" && given !== null) {
    const { home, away } = given as { home?: unknown; away?: unknown };
    return [count(home), count(away)];
  }
  return [null, null];
}

function side(known: Side, given: unknown, score: number | null): Side {
  if (typeof given === "object" && given !== null) {
    const { name, score: own } = given as { name?: unknown; score?: unknown };
    return { name: text(name) || known.name, score: count(own) ?? score ?? known.score };
  }
  return { name: text(given) || known.name, score: score ?? known.score };
}

function count(value: unknown): number | null {
  const number = typeof value === "number" ? value : typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
  return Number.isInteger(number) && number >= 0 && number < 1000 ? number : null;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The clock as it stands at `nowMs`: `63:12`; empty while nothing is played. */
export function matchClock(match: Match, nowMs: number): string {
  if (match.minute === null || match.phase === "before") return "";
  if (match.phase === "over") return "Full time";
  if (match.phase === "pause") return "Half time";
  const since = Math.max(0, nowMs - Date.parse(match.minuteAt)) / 1000;
  // A producer who falls silent does not keep the clock running for ever.
  const seconds = Math.min(match.minute * 60 + since * match.speed, (match.minute + 15) * 60);
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}
