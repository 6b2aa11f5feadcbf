// The studio's pure parts: how a match stands, what is posted of a draft, what two who mean the same post, and times.

import type { StreamEvent } from "@touchline/client";
import { describe, expect, test } from "vitest";

import { sayUntil, timeOf } from "../src/studio/later.ts";
import { actionsOf, clockOf, type Draft, editOf, fault, heldPost, isDouble, laterOf, newDraft, phasePost, playOf, type Play, postOf, retraction, scoreOf } from "../src/studio/play.ts";
import { COMMON, TEMPLATES, templateOf } from "../src/studio/templates.ts";

const AT = Date.parse("2026-07-19T19:00:00.000Z");
let seq = 0;

function event(type: string, data: Record<string, unknown>): StreamEvent {
  seq += 1;
  return { stream: "broadcast:a", seq, id: `${seq}`, type, server_ts: new Date(AT).toISOString(), data };
}

function draftOf(play: Play, type: string, change: Partial<Draft> = {}): Draft {
  const action = actionsOf(play.template).find((one) => one.type === type);
  if (!action) throw new Error(type);
  return { ...newDraft(action, play), ...change };
}

const kickOff = () => event("kick_off", { home: "Aruba", away: "Malta", score: [0, 0], sport: "football", clock: "0:00" });

describe("templates", () => {
  test.each(TEMPLATES.map((one) => [one.id, one] as const))("%s has phases that begin and end, and keys that are no other's", (_, template) => {
    const keys = actionsOf(template).map(({ key }) => key);
    expect(new Set([...keys, "h", "s", "u", "?", "1", "2"]).size).toBe(keys.length + 6);
    expect(template.phases[0]?.clock).toBe("0:00");
    expect(template.phases.at(-1)?.clock).toBeUndefined();
    expect(new Set(actionsOf(template).map(({ type }) => type)).size).toBe(template.actions.length + COMMON.length);
  });

  test("phases of the same type follow one another", () => {
    const quarters = ["started", "break", "started"].map((type) => event(type, { sport: "basketball" }));
    expect(playOf(quarters).phase?.name).toBe("Second quarter");
    expect(playOf(quarters).next?.name).toBe("Half time");
  });
});

describe("what is posted", () => {
  test("a goal says the score as it becomes, an own goal for the other team", () => {
    const play = playOf([kickOff()]);
    expect(postOf(draftOf(play, "goal", { side: "home", player: " M. Tromp " }), play, AT, "a").data).toEqual({ team: "home", player: "M. Tromp", clock: "0:00", score: [1, 0] });
    expect(postOf(draftOf(play, "own_goal", { side: "home" }), play, AT, "a").data["score"]).toEqual([0, 1]);
  });

  test("time that is added is told as such", () => {
    const play = playOf([kickOff(), event("corner", { clock: "46:30" })]);
    expect(clockOf(play, AT)).toBe("45+1:30");
    expect(clockOf(playOf([kickOff(), event("corner", { clock: "44:30" })]), AT + 20_000)).toBe("44:50");
  });

  test("a clock that is held stands still for all, and goes on from there", () => {
    const play = playOf([kickOff(), event("corner", { clock: "12:10" })]);
    const held = heldPost(play, AT + 5000, "a");
    expect(held.data).toEqual({ clock: "12:15", running: false });
    const stopped = playOf([kickOff(), event("clock", held.data)]);
    expect(clockOf(stopped, AT + 60_000)).toBe("12:15");
    expect(heldPost(stopped, AT + 60_000, "a").data).toEqual({ clock: "12:15", running: true });
    expect(stopped.entries.length).toBe(1);
  });

  test("what is told otherwise names what it corrects, and leaves team and score", () => {
    const goal = event("goal", { team: "home", player: "M. Tromp", score: [1, 0] });
    const play = playOf([kickOff(), goal]);
    const draft = editOf(goal, play);
    if (!draft) throw new Error("none");
    const post = postOf({ ...draft, player: "D. MacAulay" }, play, AT, "a");
    expect(post).toMatchObject({ type: "edit", data: { target: goal.id, player: "D. MacAulay", text: "" } });
    const after = playOf([kickOff(), goal, event(post.type, post.data)]);
    expect(after.entries[0]).toMatchObject({ title: "Goal: D. MacAulay (Aruba)", corrected: true });
    expect(scoreOf(after)).toEqual([1, 0]);
    expect(editOf(event("announced", {}), play)).toBeNull();
  });

  test("what will be said later says no clock", () => {
    const play = playOf([kickOff()]);
    expect(laterOf(draftOf(play, "note", { text: "Soon." }), play, "a")).toEqual({ type: "note", data: { text: "Soon." } });
  });

  test.each([["goal", {}, "team"], ["note", { text: " " }, "read"], ["score", { score: ["1", "x"] }, "numbers"], ["clock", { clock: "soon" }, "63:12"], ["announced", { home: "" }, "teams"]] as const)(
    "%s with %j is not posted", (type, change, words) => expect(fault(draftOf(playOf([]), type, change as Partial<Draft>))).toContain(words));
});

describe("two at once", () => {
  const play = playOf([kickOff()]);
  const goal = (side: "home" | "away", player = "") => postOf(draftOf(play, "goal", { side, player }), play, AT, "a");

  test("who goes by the same score has the same key, whatever they post of it", () => {
    expect(goal("home").key).toBe(goal("home", "M. Tromp").key);
    expect(goal("home").key).toBe(goal("away").key);
    const after = playOf([kickOff(), event("goal", { score: [1, 0] })]);
    expect(postOf(draftOf(after, "goal", { side: "home" }), after, AT, "a").key).not.toBe(goal("home").key);
  });

  test("a double is what means the same", () => {
    expect(isDouble(goal("home"), event("goal", { team: "home", player: "M. Tromp", score: [1, 0] }))).toBe(true);
    expect(isDouble(goal("home"), event("goal", { team: "away", score: [0, 1] }))).toBe(false);
  });

  test("other events are doubles where all that is said is the same, and follow the same", () => {
    const corner = (of: Play) => postOf(draftOf(of, "corner", { side: "home" }), of, AT, "a").key;
    const again = playOf([kickOff(), event("corner", { team: "home" })]);
    expect(corner(play)).toBe(corner(playOf([...play.shown])));
    expect(corner(again)).not.toBe(corner(play));
    const card = (player: string) => postOf(draftOf(play, "yellow_card", { side: "home", player }), play, AT, "a").key;
    expect(card("I. Croes")).toBe(card("i. croes "));
    expect(card("I. Croes")).not.toBe(card("M. Tromp"));
  });

  test("whoever begins a phase second has the key of the first", () => {
    const phase = templateOf("football").phases[1];
    if (!phase) throw new Error("none");
    expect(phasePost(phase, play, AT, "a").key).toBe(phasePost(phase, play, AT + 5000, "a").key);
  });
});

describe("what is taken back", () => {
  const [start, first, second] = [kickOff(), event("goal", { team: "home", score: [1, 0] }), event("goal", { team: "away", score: [1, 1] })] as const;

  test("the score is what it is without it, also where more have followed", () => {
    const play = playOf([start, first, second]);
    const post = retraction(first, play, "a");
    expect(post).toMatchObject({ type: "retract", data: { target: first.id, score: [0, 1] } });
    const after = playOf([start, first, second, event(post.type, post.data)]);
    expect(after.shown.map(({ id }) => id)).toEqual([start.id, second.id]);
    expect(scoreOf(after)).toEqual([0, 1]);
  });

  test("what has no score is taken back without one, by whomever once", () => {
    const card = event("yellow_card", { team: "home" });
    const play = playOf([start, card]);
    expect(retraction(card, play, "a").data).toEqual({ target: card.id });
    expect(retraction(card, play, "a").key).toBe(retraction(card, playOf([start, card, second]), "a").key);
  });

  test("a phase that is taken back comes again", () => {
    const half = event("half_time", {});
    const play = playOf([start, half]);
    const undone = playOf([start, half, event("retract", retraction(half, play, "a").data)]);
    expect(undone.next?.type).toBe("half_time");
    expect(undone.clockId).not.toBe(play.clockId);
  });
});

describe("times", () => {
  const now = new Date(2026, 6, 19, 20, 30, 0).getTime();
  test.each([["+10m", 600_000], ["+ 90 s", 90_000], ["+1h", 3_600_000], ["+5", 300_000], ["20:45", 900_000], ["20:30:30", 30_000], ["20:00", 84_600_000]])("%s", (text, later) => expect(timeOf(text, now)).toBe(now + later));
  test.each(["soon", "25:00", "20:61", "10m", ""])("%j is none", (text) => expect(timeOf(text, now)).toBeNull());
  test("how long until then", () => {
    expect(sayUntil(now + 65_000, now)).toBe("in 1:05");
    expect(sayUntil(now + 12_000_000, now)).toBe("in 3 h 20 min");
  });
});
