// What the studio makes of a broadcast stream, and events of what is written in it. Pure.

import type { StreamEvent } from "@touchline/client";

import { hash } from "../shared/kit.tsx";
import { type Entry, type Match, minuteAt } from "../viewer/match.ts";
import { Ticker } from "../viewer/ticker.ts";
import { type Action, COMMON, type Phase, type Side, type Template, templateOf } from "./templates.ts";
import { t } from "../shared/tongue.ts";

export const MOST_EVENTS = 1000;
export const RETRACT = "retract";
export const EDIT = "edit";
export const CLOCK = "clock";
/** What says nothing of its own to viewers. */
const SILENT: ReadonlySet<string> = new Set([RETRACT, EDIT, "counters", CLOCK]);

/** What is being written. */
export interface Draft {
  readonly action: Action;
  readonly side: Side | "";
  readonly player: string;
  readonly off: string;
  readonly text: string;
  readonly score: readonly [string, string];
  readonly clock: string;
  readonly home: string;
  readonly away: string;
  readonly title: string;
  readonly sport: string;
  /** The event that is told otherwise; null: a new one is written. */
  readonly edits: StreamEvent | null;
  /** When it is to be posted, as it was typed; empty: now. */
  readonly when: string;
}

export interface Play {
  readonly match: Match;
  readonly template: Template;
  /** Whether the stream says which sport it is. */
  readonly told: boolean;
  /** The ticker as viewers have it, newest first. */
  readonly entries: readonly Entry[];
  /** The events that hold, in order: what was taken back does not. */
  readonly shown: readonly StreamEvent[];
  readonly phase: Phase | null;
  /** The phase that comes next; null: the match is over. */
  readonly next: Phase | null;
  /** The last event that said how the score is, and how the clock: who changes one says which they knew. */
  readonly scoreId: string;
  readonly clockId: string;
}

/** An event as it is going to be posted. */
export interface Post {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The same of whoever means the same: the second of two becomes none. */
  readonly key: string;
}

/** Put together from a stream's events, in order; `sport` is meant until they say one. */
export function playOf(events: readonly StreamEvent[], sport = ""): Play {
  const gone = new Set<unknown>(events.filter(({ type }) => type === RETRACT).map(({ data }) => data["target"]));
  const held = events.filter(({ id, retracted }) => !gone.has(id) && !retracted);
  const ticker = new Ticker(MOST_EVENTS);
  ticker.append(events.filter(({ type }) => type !== "counters"));
  const told = held.findLast(({ data }) => typeof data["sport"] === "string");
  const template = templateOf(String(told?.data["sport"] ?? sport));
  const phases = held.filter(({ type }) => template.phases.some((phase) => phase.type === type));
  const at = placeIn(template.phases, phases);
  return {
    match: ticker.match,
    entries: ticker.entries,
    template,
    told: told !== undefined,
    shown: held.filter(({ type }) => !SILENT.has(type)),
    phase: template.phases[at] ?? null,
    next: template.phases[at + 1] ?? null,
    scoreId: events.findLast(({ data }) => data["score"] !== undefined)?.id ?? "0",
    clockId: events.findLast(({ type, data }) => type === CLOCK || phases.some((one) => one.type === type) || data["ends"] === CLOCK)?.id ?? "0",
  };
}

/** Which phase these have led to; -1: none. Types come again (`started`), so they are gone through in their order. */
function placeIn(phases: readonly Phase[], events: readonly StreamEvent[]): number {
  let at = -1;
  for (const { type } of events) {
    const next = phases.findIndex((phase, number) => number > at && phase.type === type);
    if (next >= 0) at = next;
  }
  return at;
}

export function scoreOf({ match }: Play): readonly [number, number] {
  return [match.home.score ?? 0, match.away.score ?? 0];
}

/** The clock as an event says it: `22:10`; in time that is added `45+1:30`; empty before and after. */
export function clockOf({ match, phase }: Play, nowMs: number): string {
  const minute = match.phase === "before" || match.phase === "over" ? null : minuteAt(match, nowMs);
  if (minute === null) return "";
  // Of what was said to the second nothing is rounded up.
  const seconds = Math.floor((minute.base + (minute.added ?? 0)) * 60 + 1e-6);
  const [minutes, rest] = [Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0")];
  const until = phase?.until;
  return until !== undefined && minutes >= until ? `${until}+${minutes - until}:${rest}` : `${minutes}:${rest}`;
}

function secondsOf(clock: string): number | null {
  const [, minutes, added, seconds] = /^(\d{1,3})(?:\+(\d{1,2}))?(?::(\d{2}))?$/.exec(clock) ?? [];
  return minutes === undefined ? null : (Number(minutes) + Number(added ?? 0)) * 60 + Number(seconds ?? 0);
}

export function newDraft(action: Action, play: Play): Draft {
  const [home, away] = scoreOf(play);
  const { match } = play;
  return {
    action, side: "", player: "", off: "", text: "", score: [String(home), String(away)], clock: "",
    home: match.home.name, away: match.away.name, title: match.title, sport: play.template.id, edits: null, when: "",
  };
}

/** What an event says, to be told otherwise; null where that is not for words to say. */
export function editOf(event: StreamEvent, play: Play): Draft | null {
  const action = actionsOf(play.template).find(({ type, fields }) => type === event.type && fields.includes("text"));
  if (!action || action.fields.includes("score") || action.fields.includes("details")) return null;
  const said = (name: string) => (typeof event.data[name] === "string" ? String(event.data[name]) : "");
  return { ...newDraft(action, play), edits: event, side: said("team") as Side | "", player: said("player"), off: said("off"), text: said("text") };
}

/** Whether something was written that would be missed. */
export function isWritten({ side, player, off, text, clock }: Draft): boolean {
  return [side, player, off, text, clock].some((one) => one !== "");
}

/** What is missing of a draft, as a sentence; empty: nothing. */
export function fault({ action, side, text, score, clock, home, away }: Draft): string {
  if (action.side && !side) return t("Say which team: 1 is the first, 2 the second.");
  if (action.type === "note" && !text.trim()) return t("Write what viewers are to read.");
  if (action.type === "score" && score.some((one) => !/^\d{1,3}$/.test(one))) return t("A score is two numbers, 0 to 999.");
  if (action.type === CLOCK && secondsOf(clock.trim()) === null) return t("Write the clock as 63:12, or 45+2.");
  if (action.type === "announced" && !(home.trim() && away.trim())) return t("Name both teams.");
  return "";
}

/** The event that a draft becomes as the match stands. */
export function postOf(draft: Draft, play: Play, nowMs: number, channel: string): Post {
  const { action, side, score, text, edits } = draft;
  if (edits) {
    const { player, off } = draft;
    return { type: EDIT, data: { target: edits.id, player: player.trim(), off: off.trim(), text: text.trim() }, key: keyOf(channel, aboutOf(play, EDIT, "", [edits.id, player, off, text])) };
  }
  const data: Record<string, unknown> = { ...written(draft), ...clocked(action.type === CLOCK ? draft.clock.trim() : clockOf(play, nowMs)) };
  if (action.type === "announced") Object.assign(data, { home: draft.home.trim(), away: draft.away.trim(), title: draft.title.trim(), sport: draft.sport });
  if (action.points && side) {
    data["score"] = added(scoreOf(play), (action.for === "other") === (side === "away") ? "home" : "away", action.points);
  } else if (action.type === "score") {
    data["score"] = score.map(Number);
  }
  // Of what changes the score or the clock the first holds; of the rest, what is the same and comes after the same.
  const about = data["score"] !== undefined ? `score ${play.scoreId}` : action.type === CLOCK ? `clock ${play.clockId}` : aboutOf(play, action.type, side, [draft.player, draft.off, text]);
  return { type: action.type, data, key: keyOf(channel, about) };
}

/** Whether it may be scheduled: nobody knows how score and clock will be. */
export function canWait({ action, edits }: Draft): boolean {
  return !edits && !action.points && action.type !== "score" && action.type !== CLOCK;
}

/** The event that a draft becomes later: what it says of the clock is not known yet. */
export function laterOf(draft: Draft, play: Play, channel: string): Pick<Post, "type" | "data"> {
  const { type, data } = postOf(draft, play, 0, channel);
  return { type, data: Object.fromEntries(Object.entries(data).filter(([name]) => name !== "clock")) };
}

/** The clock stops, or goes on, and nothing else happens. */
export function heldPost(play: Play, nowMs: number, channel: string): Post {
  const running = play.match.phase === "stopped";
  return { type: CLOCK, data: { ...clocked(clockOf(play, nowMs)), running }, key: keyOf(channel, `clock ${play.clockId}`) };
}

/** The event that begins a phase, or ends it. */
export function phasePost(phase: Phase, play: Play, nowMs: number, channel: string): Post {
  const first = play.phase === null;
  const { match, template } = play;
  const begins = first ? { home: match.home.name || "Home", away: match.away.name || "Away", score: scoreOf(play), sport: template.id, ...(match.title ? { title: match.title } : {}) } : {};
  return { type: phase.type, data: { ...begins, ...(phase.text ? { text: phase.text } : {}), ...clocked(phase.clock ?? clockOf(play, nowMs)) }, key: keyOf(channel, `clock ${play.clockId}`) };
}

/** The event that takes one back: its target is shown no more, and the score is what it is without it. */
export function retraction(event: StreamEvent, play: Play, channel: string): Post {
  const isPhase = event.type === CLOCK || play.template.phases.some(({ type }) => type === event.type);
  const score = scoreWithout(event, play);
  const data = { target: event.id, ...(score ? { score } : {}), ...(isPhase ? { ends: CLOCK } : {}) };
  return { type: RETRACT, data, key: keyOf(channel, score ? `score ${play.scoreId}` : `retract ${event.id}`) };
}

function scoreWithout(event: StreamEvent, play: Play): readonly [number, number] | null {
  if (pairOf(event) === null) return null;
  const scored = play.shown.filter((one) => pairOf(one) !== null);
  const at = scored.findIndex(({ id }) => id === event.id);
  const [before, now] = [scored[at - 1], scored[at]].map((one) => (one ? pairOf(one) : null) ?? [0, 0]);
  const [home, away] = scoreOf(play);
  return [Math.max(0, home - ((now?.[0] ?? 0) - (before?.[0] ?? 0))), Math.max(0, away - ((now?.[1] ?? 0) - (before?.[1] ?? 0)))];
}

function pairOf({ data }: StreamEvent): readonly [number, number] | null {
  const score = data["score"];
  return Array.isArray(score) && score.length === 2 && score.every((one) => Number.isInteger(one)) ? [Number(score[0]), Number(score[1])] : null;
}

function added([home, away]: readonly [number, number], side: Side, points: number): readonly [number, number] {
  return side === "home" ? [home + points, away] : [home, away + points];
}

function written({ action, side, player, off, text }: Draft): Record<string, unknown> {
  const [who, whoOff, words] = [player.trim(), off.trim(), text.trim()];
  const said = [words, whoOff && !words ? `For ${whoOff}.` : ""].filter(Boolean).join(" ");
  return { ...(action.side && side ? { team: side } : {}), ...(who ? { player: who } : {}), ...(whoOff ? { off: whoOff } : {}), ...(said ? { text: said } : {}) };
}

function clocked(clock: string): Record<string, unknown> {
  return clock ? { clock } : {};
}

function aboutOf({ shown }: Play, type: string, side: string, said: readonly string[]): string {
  const last = shown.findLast((event) => event.type === type && (event.data["team"] ?? "") === side);
  return [type, side, ...said.map((one) => one.trim().toLowerCase()), last?.id ?? "0"].join("\n");
}

/** Both halves: two events that are different have not the same by chance. */
function keyOf(channel: string, about: string): string {
  const text = `${channel}\n${about}`;
  return `studio:${hash(text).toString(36)}${hash([...text].reverse().join("")).toString(36)}`;
}

/** What somebody else posted, where it was what this post is: the double of it. */
export function isDouble(post: Post, theirs: StreamEvent): boolean {
  const same = (name: string) => JSON.stringify(post.data[name] ?? null) === JSON.stringify(theirs.data[name] ?? null);
  return post.type === theirs.type && ["team", "target", "score"].every(same);
}

/** All that can be posted of a sport. */
export function actionsOf(template: Template): readonly Action[] {
  return [...template.actions, ...COMMON];
}
