// What is on, sorted into what is live, what comes soon, and what was lately. Pure.

import type { StreamEvent } from "@touchline/client";

import { text } from "../viewer/match.ts";

export interface Row {
  readonly channel: string;
  readonly viewers: number;
  readonly last: string | null;
}

export interface Soon {
  readonly channel: string;
  readonly title: string;
  readonly startsAt: string;
}

export type Order = "viewers" | "latest" | "name";

/** Where something has just happened, it is live, whether somebody watches or not. */
const LIVE_MS = 5 * 60_000;
/** What did not begin in time is still to come for so long. */
const LATE_MS = 15 * 60_000;
const MOST_SOON = 12;

/** By what is watched now and by what happened last; `first` comes first, where it is live. That something is announced is nothing that happens. */
export function sorted(watched: readonly Row[], active: readonly Row[], announced: readonly StreamEvent[], nowMs: number, order: Order, first: string): { readonly live: readonly Row[]; readonly lately: readonly Row[] } {
  const all = new Map([...active, ...watched].map((row) => [row.channel, row]));
  const rows = [...all.values()];
  const onlyAnnounced = new Map(latest(announced).map(({ stream, server_ts }) => [channelOf(stream), Date.parse(server_ts)]));
  const isLive = ({ channel, viewers, last }: Row) => viewers > 0 || (last !== null && nowMs - Date.parse(last) < LIVE_MS && onlyAnnounced.get(channel) !== Date.parse(last));
  const by: Readonly<Record<Order, (one: Row, other: Row) => number>> = {
    viewers: (one, other) => other.viewers - one.viewers || newest(one, other),
    latest: newest,
    name: (one, other) => (one.channel < other.channel ? -1 : 1),
  };
  const live = rows.filter(isLive).sort((one, other) => Number(other.channel === first) - Number(one.channel === first) || by[order](one, other));
  return { live, lately: rows.filter((row) => !isLive(row) && row.last !== null && onlyAnnounced.get(row.channel) !== Date.parse(row.last)).sort(order === "name" ? by.name : newest) };
}

function newest(one: Row, other: Row): number {
  return (other.last ?? "").localeCompare(one.last ?? "") || (one.channel < other.channel ? -1 : 1);
}

/** Of each channel what was said last of when it begins; what was called off does not come. Next first. */
export function soonOf(events: readonly StreamEvent[], nowMs: number): readonly Soon[] {
  const found = latest(events).flatMap(({ stream, type, data }) => {
    const startsAt = text(data["starts_at"]);
    if (type !== "scheduled" || !(Date.parse(startsAt) > nowMs - LATE_MS)) return [];
    const channel = channelOf(stream);
    const sides = [data["home"], data["away"]].map((given) => text(typeof given === "object" && given !== null ? (given as { name?: unknown }).name : given)).filter(Boolean);
    return [{ channel, title: text(data["title"]) || sides.join(" – ") || channel, startsAt }];
  });
  return found.sort((one, other) => Date.parse(one.startsAt) - Date.parse(other.startsAt)).slice(0, MOST_SOON);
}

function latest(events: readonly StreamEvent[]): readonly StreamEvent[] {
  const known = new Map<string, StreamEvent>();
  for (const event of events) {
    const before = known.get(event.stream);
    if (!before || before.seq < event.seq) known.set(event.stream, event);
  }
  return [...known.values()];
}

export function channelOf(stream: string): string {
  return stream.slice(stream.indexOf(":") + 1);
}
