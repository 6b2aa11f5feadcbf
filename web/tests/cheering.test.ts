// What one has done is newer than an answer that was asked for before, however late that comes.

import type { Client, Message } from "@touchline/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Cheering } from "../src/viewer/cheering.ts";

/** Answers of the gateway that are still to come. */
let answers: ((status: number, body: unknown) => void)[] = [];
let tell: (message: unknown) => void = () => undefined;

const client = {
  onTold: (hear: (message: Message) => void) => {
    tell = hear as typeof tell;
    return () => undefined;
  },
  request: async () => await Promise.resolve({}),
} as unknown as Client;

beforeEach(() => {
  answers = [];
  vi.useFakeTimers();
  vi.stubGlobal("location", { search: "?user=ana" });
  vi.stubGlobal("fetch", async () => await new Promise((done) => answers.push((status, body) => done(new Response(JSON.stringify(body), { status })))));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function answer(status: number, body: unknown): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  answers.shift()?.(status, body);
  await vi.advanceTimersByTimeAsync(0);
}

test("a reaction stays one's own, and can be taken back", async () => {
  const cheering = new Cheering(client, "chat:a");
  cheering.look("7");
  await cheering.toggle("7", "🔥");
  await answer(200, { totals: { "👍": 1 }, mine: ["👍"], as_of: 1 });
  expect([...(cheering.mine.value.get("7") ?? [])].sort()).toEqual(["👍", "🔥"].sort());
  await cheering.toggle("7", "🔥");
  expect([...(cheering.mine.value.get("7") ?? [])]).toEqual(["👍"]);
});

test("votes that were told meanwhile are newer than the answer, and so is one's own", async () => {
  const cheering = new Cheering(client, "chat:a");
  cheering.lookAtPoll("9");
  await cheering.vote("9", 1);
  tell({ op: "poll", stream: "chat:a", poll: "9", counts: [0, 1], voters: 1, open: true });
  await answer(200, { poll: "9", counts: [1, 0], voters: 1, open: true, mine: 0 });
  expect(cheering.polls.value.get("9")?.counts).toEqual([0, 1]);
  expect(cheering.voted.value.get("9")).toBe(1);
});

test("of a poll that is not counted yet it is asked again, until the page is left", async () => {
  const cheering = new Cheering(client, "chat:a");
  cheering.lookAtPoll("9");
  await answer(503, { code: "unavailable", detail: "Not all that is on the log is counted yet." });
  await vi.advanceTimersByTimeAsync(2000);
  await answer(200, { poll: "9", counts: [2, 3], voters: 5, open: false, mine: null });
  expect(cheering.polls.value.get("9")).toEqual({ counts: [2, 3], voters: 5, open: false });
  cheering.lookAtPoll("10");
  await answer(503, { code: "unavailable", detail: "Not yet." });
  cheering.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(answers).toEqual([]);
});
