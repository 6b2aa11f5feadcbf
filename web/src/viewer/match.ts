// The state of play, folded from a broadcast stream. Producers write what they like: what is not understood is shown as a note.

import type { StreamEvent } from "@touchline/client";

import { tame } from "../shared/names.ts";
import { t } from "../shared/tongue.ts";

export type Moment = "start" | "goal" | "card" | "change" | "call" | "pause" | "end" | "note";
export type Score = readonly [number | null, number | null];

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
  /** Of a goal, and of what else raised the score: how it stands after it. */
  readonly score: string;
  /** It was told otherwise at first. */
  readonly corrected: boolean;
}

/** A minute of play: `45+2` is the second minute that was added to the 45th. */
export interface Minute {
  readonly base: number;
  readonly added: number | null;
}

export interface Match {
  readonly title: string;
  readonly home: Side;
  readonly away: Side;
  readonly phase: "before" | "playing" | "stopped" | "pause" | "over";
  /** The last minute that was told, and when. */
  readonly minute: Minute | null;
  readonly minuteAt: string;
  /** Match seconds in a second: more than 1 in a replay. */
  readonly speed: number;
  /** What the break, or the end, is called. */
  readonly pause: string;
  /** When it was announced to begin; empty: not. */
  readonly startsAt: string;
}

export const NO_MATCH: Match = {
  title: "",
  home: { name: "", score: null },
  away: { name: "", score: null },
  phase: "before",
  minute: null,
  minuteAt: "",
  speed: 1,
  pause: "",
  startsAt: "",
};

const MOMENTS: readonly (readonly [Moment, RegExp])[] = [
  ["start", /^(live_?started|kick_?off|start(ed)?|(match|period|half)_start(ed)?|(first|second)_half|half_started|extra_time|resum(ed?|ption)|restart(ed)?)$/],
  ["pause", /^(half_?time|paused?|break|interval|(extra_time_)?half_time|end_of_(half|period)|(suspen|interrup)[a-z]+)$/],
  ["end", /^(full_?time|live_?ended|end(ed)?|(match|game)_(end(ed)?|over|abandoned)|final_whistle|finish(ed)?|abandon(ed)?)$/],
  ["card", /(^|_)(card|booking|sent_off)(_|$)/],
  ["change", /^(substitutions?|sub|player_change)$/],
  ["call", /^(var(_.*)?|penalty(_(awarded|missed|saved))?|missed_penalty|(goal_disallowed|disallowed_goal|no_goal))$/],
];
/** What a goal's type may say beside `goal`: a goal kick is none, nor is one that was disallowed. */
const OF_GOALS = new Set("own drop penalty golden silver free kick header headed scored home away field first last winning opening late".split(" "));

function plainType(type: string): string {
  return type.toLowerCase().replaceAll(/[-. :]/g, "_");
}

export function momentOf(type: string): Moment {
  const plain = plainType(type);
  const words = plain.split("_");
  if (plain === "penalty_scored") return "goal";
  if (words.includes("goal") && plain !== "goal_kick" && words.every((word) => word === "goal" || OF_GOALS.has(word))) return "goal";
  return MOMENTS.find(([, pattern]) => pattern.test(plain))?.[0] ?? "note";
}

export function fold(known: Match, { type, data, server_ts }: StreamEvent): Match {
  const moment = momentOf(type);
  const minute = minuteOf(data);
  const match = beginsAnew(known, type, moment, minute) ? NO_MATCH : known;
  const [home, away] = scores(data["score"]);
  const sides = { home: side(match.home, data["home"], home), away: side(match.away, data["away"], away) };
  const told = [home, away, sides.home.score ?? null, sides.away.score ?? null];
  // A goal without a score counts for the team that it names.
  const scorer = moment === "goal" && told[0] === null && told[1] === null && !ownScores(data) ? scorerOf(type, data, sides.home.name, sides.away.name) : null;
  const phase = phaseOf(match, moment, minute, data);
  const stops = match.phase === "playing" && phase === "stopped" && minute === null;
  return {
    title: text(data["title"]) || match.title,
    home: scorer === "home" ? { ...sides.home, score: (sides.home.score ?? 0) + 1 } : sides.home,
    away: scorer === "away" ? { ...sides.away, score: (sides.away.score ?? 0) + 1 } : sides.away,
    phase,
    minute: stops ? minuteAt(match, Date.parse(server_ts)) : minute ?? (moment === "start" && match.minute === null ? { base: 0, added: null } : match.minute),
    minuteAt: minute !== null || moment === "start" || (match.phase === "stopped" && phase === "playing") ? server_ts : match.minuteAt,
    speed: typeof data["speed"] === "number" && data["speed"] > 0 ? data["speed"] : match.speed,
    pause: moment === "pause" || moment === "end" ? titleOf(type) : match.pause,
    startsAt: text(data["starts_at"]) || match.startsAt,
  };
}

/** What starts after the end is another match, unless it goes on from the minute that it had (extra time). */
function beginsAnew(match: Match, type: string, moment: Moment, minute: Minute | null): boolean {
  if (match.phase !== "over" || moment !== "start") return false;
  return minute !== null ? minute.base < 45 : /live/i.test(type);
}

function phaseOf(match: Match, moment: Moment, minute: Minute | null, data: StreamEvent["data"]): Match["phase"] {
  if (moment === "start") return "playing";
  if (moment === "pause") return "pause";
  if (moment === "end") return "over";
  if (match.phase === "over") return "over";
  // Whoever keeps a clock may say that it stands.
  if (data["running"] === false) return match.phase === "pause" ? "pause" : "stopped";
  if (data["running"] === true) return "playing";
  return match.phase === "before" && minute !== null ? "playing" : match.phase;
}

export function scoreOf({ home, away }: Match): Score {
  return [home.score, away.score];
}

export function withScore(match: Match, [home, away]: Score): Match {
  return { ...match, home: { ...match.home, score: home }, away: { ...match.away, score: away } };
}

/** `match` is as it stands after the event; `scorer` the side whose score it raised. */
export function entryOf({ seq, type, data, server_ts }: StreamEvent, match: Match = NO_MATCH, corrected = false, scorer = ""): Entry {
  const minute = minuteOf(data);
  const moment = momentOf(type);
  const player = text(data["player"]);
  const team = teamName(text(data["team"]), match) || (moment === "goal" ? scorer : "");
  const title = [titleOf(type), player].filter(Boolean).join(": ");
  return {
    seq,
    moment,
    minute: minute === null ? "" : sayMinute(minute),
    title: team ? `${title} (${team})` : title,
    text: text(data["text"]) || text(data["message"]) || text(data["description"]),
    at: server_ts,
    red: /red/i.test(type) || text(data["card"]) === "red",
    score: moment === "goal" ? sayScore(scoreOf(match)) : "",
    corrected,
  };
}

export function sayScore([home, away]: Score): string {
  return home === null && away === null ? "" : `${home ?? 0}–${away ?? 0}`;
}

/** What a tab is called while a match is on: `Aruba 2–1 Malta`. */
export function sayMatch({ title, home, away }: Match): string {
  const score = sayScore([home.score, away.score]);
  return score === "" ? [home.name, away.name].filter(Boolean).join(" – ") || title : `${home.name || t("Home")} ${score} ${away.name || t("Away")}`;
}

/** `yellow_card` -> `Yellow card`. */
export function titleOf(type: string): string {
  const words = type.replaceAll(/[_.-]+/g, " ").trim().toLowerCase();
  return t(words.charAt(0).toUpperCase() + words.slice(1));
}

function teamName(team: string, { home, away }: Match): string {
  const plain = team.toLowerCase();
  return plain === "home" ? home.name : plain === "away" ? away.name : team;
}

/** The side that a goal is for: an own goal is for the other one. */
function scorerOf(type: string, data: StreamEvent["data"], home: string, away: string): "home" | "away" | null {
  const team = text(data["team"]).toLowerCase();
  const of = team === "" ? null : team === "home" || team === home.toLowerCase() ? "home" : team === "away" || team === away.toLowerCase() ? "away" : null;
  if (of === null || !/(^|_)own(_|$)/.test(plainType(type))) return of;
  return of === "home" ? "away" : "home";
}

export function minuteOf(data: StreamEvent["data"]): Minute | null {
  const given = data["minute"] ?? data["clock"];
  if (typeof given === "number") return Number.isFinite(given) && given >= 0 && given < 1000 ? { base: given, added: null } : null;
  const [, minutes, added, seconds] = /^(\d{1,3})(?:\+(\d{1,2}))?['′]?(?::(\d{2}))?$/.exec(text(given).trim()) ?? [];
  if (minutes === undefined) return null;
  const more = Number(seconds ?? 0) / 60;
  return added === undefined ? { base: Number(minutes) + more, added: null } : { base: Number(minutes), added: Number(added) + more };
}

function sayMinute({ base, added }: Minute): string {
  return `${Math.floor(base)}${added === null ? "" : `+${Math.floor(added)}`}′`;
}

function ownScores(data: StreamEvent["data"]): boolean {
  return [data["home"], data["away"]].some((given) => typeof given === "object" && given !== null && count((given as { score?: unknown }).score) !== null);
}

/** `[2, 1]`, `"2-1"` or `{"home": 2, "away": 1}`. */
export function scores(given: unknown): Score {
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

export function text(value: unknown): string {
  return typeof value === "string" ? tame(value) : "";
}

/** A producer who falls silent does not keep the clock running for ever. */
const SILENT_MIN = 15;

/** The minute as it stands then. */
export function minuteAt(match: Match, nowMs: number): Minute | null {
  if (match.minute === null || match.phase !== "playing") return match.minute;
  const since = Math.min((Math.max(0, nowMs - Date.parse(match.minuteAt)) / 60_000) * match.speed, SILENT_MIN);
  const { base, added } = match.minute;
  return added === null ? { base: base + since, added } : { base, added: added + since };
}

/** The clock as it stands at `nowMs`: `63:12`, `45+2′`, the name of a break; empty before anything is played. */
export function matchClock(match: Match, nowMs: number): string {
  if (match.phase === "over") return /ended|finish/i.test(match.pause) ? t("Full time") : match.pause || t("Full time");
  if (match.minute === null || match.phase === "before") return "";
  if (match.phase === "pause") return match.pause || t("Half time");
  const now = minuteAt(match, nowMs);
  if (now === null) return "";
  if (now.added !== null) return sayMinute(now);
  const seconds = Math.floor(now.base * 60 + 1e-6);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
