// What is on: live, soon and lately.

import type { StreamEvent } from "@touchline/client";
import { expect, test } from "vitest";

import { type Row, soonOf, sorted } from "../src/home/listing.ts";

const NOW = Date.parse("2026-07-19T19:00:00.000Z");
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
const row = (channel: string, viewers: number, minutes: number | null): Row => ({ channel, viewers, last: minutes === null ? null : ago(minutes) });
const names = (rows: readonly Row[]) => rows.map(({ channel }) => channel).join(" ");

let seq = 0;
function told(channel: string, type: string, data: Record<string, unknown>, minutes = 1): StreamEvent {
  seq += 1;
  return { stream: `broadcast:${channel}`, seq, id: `${seq}`, type, server_ts: ago(minutes), data };
}

test("live is what is watched, or where something has just happened; the rest was lately", () => {
  const watched = [row("big", 90, 30), row("small", 2, null)];
  const active = [row("fresh", 0, 1), row("big", 90, 30), row("old", 0, 600), row("older", 0, 900)];
  const { live, lately } = sorted(watched, active, [], NOW, "viewers", "demo");
  expect([names(live), names(lately)]).toEqual(["big small fresh", "old older"]);
  expect(names(sorted(watched, active, [], NOW, "latest", "demo").live)).toBe("fresh big small");
  expect(names(sorted(watched, active, [], NOW, "name", "small").live)).toBe("small big fresh");
});

test("an announcement is nothing that happens, until somebody comes to watch", () => {
  const announced = [told("final", "scheduled", { starts_at: ago(-60) })];
  const { live, lately } = sorted([], [row("final", 0, 1)], announced, NOW, "viewers", "");
  expect(names(live) + names(lately)).toBe("");
  expect(names(sorted([row("final", 1, 1)], [], announced, NOW, "viewers", "").live)).toBe("final");
});

test("soon is what was said last of when a channel begins, next first", () => {
  const events = [
    told("b", "scheduled", { starts_at: ago(-120), home: { name: "Aruba" }, away: "Malta" }), told("a", "scheduled", { starts_at: ago(-60), title: "A" }), told("off", "scheduled", { starts_at: ago(-60) }), told("off", "cancelled", {}),
    told("moved", "scheduled", { starts_at: ago(-10) }), told("moved", "scheduled", { starts_at: ago(-90) }), told("late", "scheduled", { starts_at: ago(10) }), told("past", "scheduled", { starts_at: ago(20) }), told("x", "scheduled", { starts_at: "soon" }),
  ];
  expect(soonOf(events.reverse(), NOW).map(({ channel, title }) => `${channel}: ${title}`)).toEqual(["late: late", "a: A", "moved: moved", "b: Aruba – Malta"]);
});
