// The state of play and its ticker: what counts as a goal, what corrections change, when the clock stands, who plays.

import type { StreamEvent } from "@touchline/client";
import { describe, expect, test } from "vitest";

import { entryOf, fold, type Match, matchClock, momentOf, NO_MATCH, sayMatch } from "../src/viewer/match.ts";
import { NO_SHEET, sheetWith } from "../src/viewer/sheet.ts";
import { Ticker } from "../src/viewer/ticker.ts";
import { moved, seenAt } from "../src/viewer/whereabouts.ts";

const START = "2026-07-19T19:00:00.000Z";
const AT = Date.parse(START);

let seq = 0;
function event(type: string, data: Record<string, unknown>, more: Partial<StreamEvent> = {}): StreamEvent {
  seq += 1;
  return { stream: "broadcast:a", seq, id: `id${seq}`, type, server_ts: START, data, ...more };
}

function played(...events: StreamEvent[]): Match {
  return events.reduce(fold, NO_MATCH);
}

describe("the state of play", () => {
  test.each([
    ["LIVE_STARTED", "start"], ["kick-off", "start"], ["goal", "goal"], ["own_goal", "goal"], ["yellow_card", "card"],
    ["half_time", "pause"], ["FULL_TIME", "end"], ["substitution", "change"], ["weather", "note"],
    ["goal_kick", "note"], ["goal_disallowed", "call"], ["no_goal", "call"], ["goalkeeper_change", "note"], ["goal_line_technology", "note"], ["GOAL", "goal"], ["penalty_goal", "goal"], ["penalty_scored", "goal"], ["var_check", "call"], ["suspended", "pause"], ["match_abandoned", "end"],
  ])("%s is a moment of kind %s", (type, moment) => expect(momentOf(type)).toBe(moment));

  test.each([[[2, 1]], ["2-1"], [{ home: 2, away: 1 }]])("reads the score %j", (score) => {
    const { home, away } = fold(NO_MATCH, event("goal", { score }));
    expect([home.score, away.score]).toEqual([2, 1]);
  });

  test.each([[{}], [null], ["2-1-3"], [[-1, 2.5]], [{ home: "x" }]])("takes %j for no score", (score) => {
    expect(fold(NO_MATCH, event("goal", { score })).home.score).toBeNull();
  });

  test("keeps what an event does not tell", () => {
    const events = [event("live_started", { home: "Aruba", away: "Malta", title: "Final" }), event("goal", { score: [1, 0], minute: 12 }), event("corner", { minute: 13 })];
    expect(events.reduce(fold, NO_MATCH)).toMatchObject({ title: "Final", phase: "playing", minute: { base: 13, added: null }, home: { name: "Aruba", score: 1 }, away: { name: "Malta", score: 0 } });
  });

  test("the clock runs on from the last minute that was told, and not for ever", () => {
    const match = fold(NO_MATCH, event("goal", { minute: 63 }));
    const at = Date.parse("2026-07-19T19:00:00.000Z");
    expect(matchClock(match, at + 12_000)).toBe("63:12");
    expect(matchClock(match, at + 86_400_000)).toBe("78:00");
    expect(matchClock(fold(match, event("half_time", {})), at)).toBe("Half time");
  });

  test("an event that says nothing has its type for a title", () => {
    expect(entryOf(event("yellow_card", { player: "Ana", minute: "45+2'" }))).toMatchObject({ title: "Yellow card: Ana", minute: "45+2′" });
  });
});

describe("goals", () => {
  const kickOff = () => event("kick_off", { home: "Aruba", away: "Malta" });

  test.each([["home", {}, "1–0"], ["Malta", {}, "0–1"], ["malta", {}, "0–1"], ["Chile", {}, ""], ["home", { type: "own_goal" }, "0–1"]])("one for %s that tells no score counts", (team, { type }: { type?: string }, score) => {
    expect(entryOf(event(type ?? "goal", { team }), played(kickOff(), event(type ?? "goal", { team }))).score).toBe(score);
  });

  test("a score that is told holds, whatever was counted", () => {
    expect(sayMatch(played(kickOff(), event("goal", { team: "home" }), event("goal", { team: "home", score: "2-1" }), event("goal", { team: "away" })))).toBe("Aruba 2–2 Malta");
  });

  test("a goal kick and a goal that was disallowed change nothing", () => {
    expect(sayMatch(played(kickOff(), event("goal_kick", { team: "home" }), event("goal_disallowed", { team: "home" })))).toBe("Aruba – Malta");
  });

  test("each entry says whose goal it was and how it stood then", () => {
    const ticker = new Ticker(10);
    ticker.append([kickOff(), event("goal", { team: "away", player: "Ana" }), event("goal", { score: [1, 1] })]);
    expect(ticker.entries.map(({ title, score }) => [title, score])).toEqual([["Goal (Aruba)", "1–1"], ["Goal: Ana (Malta)", "0–1"], ["Kick off", ""]]);
  });
});

test("points of other sports say how it stood, and a score that was missed is none of theirs", () => {
  const ticker = new Ticker(10);
  ticker.append([event("shot", { score: [4, 2] }), event("three_points", { score: [7, 2] }), event("clock", { minute: 9 })]);
  expect(ticker.entries.map(({ title, score }) => `${title} ${score}`)).toEqual(["Three points 7–2", "Shot "]);
});

describe("corrections", () => {
  const [first, second] = [() => event("goal", { score: [1, 0], player: "Ana" }), () => event("goal", { score: [2, 0], player: "Ben" })];
  const say = (ticker: Ticker) => [sayMatch({ ...ticker.match, title: "-" }), ...ticker.entries.map(({ title, score }) => `${title} ${score}`.trim())];

  test("a goal that is taken back is out of the score, of what came after it too", () => {
    const ticker = new Ticker(10);
    const [goal, later] = [first(), second()];
    ticker.append([goal, later]);
    expect(ticker.append([event("retract", { target: goal.id })])).toEqual([]);
    expect(say(ticker)).toEqual(["Home 1–0 Away", "Goal: Ben 1–0", "Goal taken back"]);
    expect(ticker.entries.at(-1)).toMatchObject({ text: "", moment: "note", corrected: true });
    ticker.append([event("retract", { target: goal.id }), event("retract", { target: "nothing" })]);
    expect(sayMatch(ticker.match)).toBe("Home 1–0 Away");
  });

  test("who takes back may say how it stands, and who tells it again first is not counted twice", () => {
    const ticker = new Ticker(10);
    const [goal, again] = [first(), first()];
    ticker.append([goal, again, event("retract", { target: goal.id })]);
    expect(sayMatch(ticker.match)).toBe("Home 1–0 Away");
    ticker.append([event("retract", { target: again.id, score: [0, 3] })]);
    expect(sayMatch(ticker.match)).toBe("Home 0–3 Away");
  });

  test("who comes later has the score that others have, of a goal that history says was taken back", () => {
    const [goal, later] = [first(), second()];
    const taken = event("retract", { target: goal.id });
    const there = new Ticker(10);
    there.append([goal, later, taken]);
    const late = new Ticker(10);
    late.append([{ ...goal, data: { score: goal.data["score"] }, retracted: true }, later]);
    expect(say(late)[0]).toBe("Home 2–0 Away");
    late.append([taken]);
    expect(say(late)).toEqual(say(there));
  });

  test("an edit changes what is said, whose goal it was, and the score after it", () => {
    const ticker = new Ticker(10);
    const goal = first();
    ticker.append([goal, event("corner", {}), event("edit", { target: goal.id, score: [0, 1], player: "Zoe", text: "From far out." })]);
    expect(say(ticker)).toEqual(["Home 0–1 Away", "Corner", "Goal: Zoe 0–1"]);
    expect(ticker.entries.at(-1)).toMatchObject({ text: "From far out.", corrected: true });
  });

  test("a note that is taken back is gone, and so is what history says was taken back", () => {
    const ticker = new Ticker(10);
    const note = event("corner", { text: "secret" });
    ticker.append([note, event("retract", { target: note.id }), event("goal", {}, { retracted: true })]);
    expect(ticker.entries).toEqual([]);
  });

  test("an end that is taken back lets the match go on", () => {
    const ticker = new Ticker(10);
    const end = event("full_time", { minute: 90 });
    ticker.append([event("kick_off", { minute: 0 }), event("corner", { minute: 80 }), end]);
    expect(matchClock(ticker.match, AT)).toBe("Full time");
    ticker.append([event("retract", { target: end.id })]);
    expect(matchClock(ticker.match, AT + 1000)).toBe("80:01");
  });

  test("what is too old to be kept still counts", () => {
    const ticker = new Ticker(2);
    ticker.append([first(), event("corner", {}), event("corner", {}), event("corner", {})]);
    expect([sayMatch(ticker.match), ticker.entries.length]).toEqual(["Home 1–0 Away", 2]);
    const last = second();
    ticker.append([last, event("retract", { target: last.id })]);
    expect(sayMatch(ticker.match)).toBe("Home 1–0 Away");
  });
});

describe("the clock", () => {
  test("minutes that are added are shown as such", () => {
    const match = played(event("corner", { minute: "45+2" }));
    expect([0, 59_000, 61_000].map((ms) => matchClock(match, AT + ms))).toEqual(["45+2′", "45+2′", "45+3′"]);
  });

  test.each([["full_time", "Full time"], ["live_ended", "Full time"], ["match_abandoned", "Match abandoned"], ["suspended", "Suspended"]])("stands after %s, whatever is told then", (type, said) => {
    const match = played(event("kick_off", { minute: 0 }), event(type, { minute: 71 }), event("corner", { minute: 72 }));
    expect(matchClock(match, AT + 3_600_000)).toBe(said);
  });

  test("stands when who keeps it says so, and goes on from there", () => {
    const stopped = played(event("kick_off", { minute: 0 }), event("clock", { running: false }, { server_ts: "2026-07-19T19:07:30.000Z" }));
    expect(matchClock(stopped, AT + 3_600_000)).toBe("7:30");
    const on = fold(stopped, event("clock", { running: true }, { server_ts: "2026-07-19T19:10:00.000Z" }));
    expect(matchClock(on, AT + 615_000)).toBe("7:45");
  });

  test("another match in the same channel begins at nothing; extra time goes on", () => {
    const over = played(event("kick_off", { minute: 0, home: "Aruba", score: [2, 2] }), event("full_time", { minute: 90 }));
    expect(sayMatch(fold(over, event("kick_off", { minute: 90 })))).toBe("Aruba 2–2 Away");
    expect(sayMatch(fold(over, event("kick_off", { minute: 0, home: "Chile", away: "Peru" })))).toBe("Chile – Peru");
  });
});

describe("line-ups and statistics", () => {
  test("are read as far as they are some", () => {
    const lineups = { home: ["Ana", { name: "Ben", number: 9, position: "forward", bench: true }, 7, {}], away: "nobody" };
    const sheet = sheetWith(NO_SHEET, { lineups, stats: { shots_on_target: [4, 2], corners: { home: 1, away: 0 }, possession: "60-40", cards: [-1, 2] } });
    expect(sheet.home).toEqual([{ name: "Ana", number: "", position: "", bench: false }, { name: "Ben", number: "9", position: "forward", bench: true }]);
    expect([sheet.away, sheet.figures]).toEqual([[], [{ name: "Shots on target", home: 4, away: 2 }, { name: "Corners", home: 1, away: 0 }]]);
    expect(sheetWith(sheet, { stats: { corners: [2, 0] } }).figures.map(({ home }) => home)).toEqual([4, 2]);
    expect(sheetWith(sheet, { text: "x" })).toBe(sheet);
  });

  test("are bounded", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`figure ${n}`, [n, n]]));
    const sheet = sheetWith(NO_SHEET, { stats: many, lineups: { home: Array.from({ length: 100 }, () => "x".repeat(500)) } });
    expect([sheet.figures.length, sheet.home.length, sheet.home[0]?.name.length]).toEqual([20, 40, 60]);
  });
});

describe("where somebody was last seen", () => {
  const at = (type: string, lat: number, more: Partial<StreamEvent> = {}) => event(type, { lat, lon: 1 }, { stream: "location:a", sender: "ana", ...more });

  test("is their latest place, until they say that their way has ended", () => {
    const places = moved(new Map(), [at("position", 1), at("position", 2), at("position", 91), at("position", 3, { stream: "location:ben" })], "a");
    expect([...places.values()].map(({ who, lat }) => [who, lat])).toEqual([["ana", 2], ["ben", 3]]);
    expect([...moved(places, [at("left", 2)], "a").keys()]).toEqual(["ben"]);
  });

  test.each([[0, "here"], [59_000, "here"], [61_000, "quiet"], [600_000, "gone"]])("%d ms later they are %s", (ms, seen) => expect(seenAt(START, AT + ms, 600_000)).toBe(seen));
});
