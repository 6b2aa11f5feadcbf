// The map of friends: distances, ages, typed places, and what others see of somebody, in words.

import { describe, expect, test } from "vitest";

import { metresOf, readPlace, sayAway, sayCrossing, sayDistance, sayFence, saySeen, type Seen } from "../src/nearby/words.ts";
import { sayAge } from "../src/shared/words.ts";

const NOW = Date.parse("2026-07-19T19:00:00Z");
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

test.each([[3, "here"], [42, "40 m"], [994, "990 m"], [1000, "1 km"], [2449, "2.4 km"], [12_345, "12 km"], [1_234_567, "1,235 km"]])("%d metres are %s", (metres, words) => expect(sayDistance(metres)).toBe(words));

test.each([[0, "just now"], [-30, "just now"], [47, "40 s ago"], [60, "1 min ago"], [3599, "59 min ago"], [7300, "2 h ago"], [90_000, "1 day ago"], [200_000, "2 days ago"]])("%d seconds are %s", (seconds, words) => expect(sayAge(ago(seconds), NOW)).toBe(words));

test("what is no time has no age", () => expect(sayAge("soon", NOW)).toBe(""));

test.each([["500m", 500], ["5km", 5000], ["5mi", 8046.72]])("%s are %d metres", (radius, metres) => expect(metresOf(radius)).toBeCloseTo(metres));

test.each([["40.758, -73.985", [40.758, -73.985]], [" -1;2 ", [-1, 2]], ["51.5 -0.1", [51.5, -0.1]], ["91, 0", null], ["0, 181", null], ["here", null], ["1", null]])("%s is a place, or none", (text, place) => expect(readPlace(text)).toEqual(place));

describe("what others see", () => {
  const seen: Seen = { sharing: { on: true, public: false }, friends: 3, at: ago(60), stoppedMs: 0, nowMs: NOW, inactiveS: 600, cellM: 1000 };
  const said = (given: Partial<Seen>) => saySeen({ ...seen, ...given }).join(" ");

  test("nothing, until it is switched on", () => {
    expect(said({ sharing: { on: false, public: false } })).toMatch(/^Nobody sees where you are/);
    expect(said({ sharing: null })).toMatch(/not known yet/);
  });

  test("friends see the place, and nobody else does", () => {
    expect(said({})).toContain("Your 3 friends see where you are: the place that you said last, exactly, until you say nothing for 10 minutes.");
    expect(said({})).toContain("Nobody else does.");
    expect(said({ friends: 1 })).toContain("Your one friend sees");
    expect(said({ friends: 0 })).toContain("no friends here yet");
  });

  test("strangers see a square, where that is on", () => {
    expect(said({ sharing: { on: true, public: true } })).toContain("the middle of a square 1 km wide");
    expect(said({ sharing: { on: true, public: true } })).not.toContain("Nobody else does.");
  });

  test("a place that is too old, forgotten, or was never said is shown to nobody", () => {
    expect(said({ at: null })).toContain("nothing to see yet");
    expect(said({ at: ago(601) })).toContain("too long ago");
    expect(said({ stoppedMs: NOW })).toContain("forgotten");
    expect(said({})).not.toMatch(/too long ago|forgotten|nothing to see/);
  });
});

test("fences and friends who go are told of in words", () => {
  const fence = { id: "f", stream: "broadcast:fence-f", maker: "ana" };
  expect(sayFence({ ...fence, lat: 1, lon: 2, radius_m: 200 })).toBe("200 m around its middle");
  expect(sayFence({ ...fence, polygon: [[0, 0], [0, 1], [1, 1]] })).toBe("inside 3 corners");
  expect(sayCrossing("enter", { user: "bob" })).toBe("bob came");
  expect(sayCrossing("exit", { user: "bob" })).toBe("bob left");
  expect(sayCrossing("exit", { user: "bob", reason: "stopped" })).toBe("bob is seen no more");
  expect(sayAway("bob", "stopped")).toBe("bob is seen no more.");
  expect(sayAway("bob", "anything")).toBe("bob is away.");
});
