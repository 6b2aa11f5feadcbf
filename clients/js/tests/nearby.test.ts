// Who is near, page by page: all at once, or as they are asked for.

import { expect, test } from "vitest";

import type { Client } from "../src/client.ts";
import { type Place, watchNearby } from "../src/nearby.ts";
import type { Message } from "../src/protocol.ts";

const place = (user: string): Place => ({ user, distance_m: 1, lat: 0, lon: 0, at: "2026-01-01T00:00:00.000Z" });

/** A client whose edge has these pages. */
function paged(...pages: readonly string[][]) {
  const asked: Message[] = [];
  let told: (message: Message) => void = () => undefined;
  const client = {
    status: { state: "live" },
    request: (message: Message) => {
      asked.push(message);
      const at = message["cursor"] === undefined ? 0 : Number(message["cursor"]);
      const more = at + 1 < pages.length;
      return Promise.resolve({ op: "nearby", friends: (pages[at] ?? []).map(place), more, ...(more ? { cursor: String(at + 1) } : {}) });
    },
    onTold: (listener: typeof told) => {
      told = listener;
      return () => undefined;
    },
    onStatus: () => () => undefined,
  };
  return { client: client as unknown as Client, asked, tell: (message: Message) => told(message) };
}

function heard() {
  const said: string[] = [];
  const listener = {
    onList: (friends: readonly Place[]) => said.push(`list ${friends.map(({ user }) => user).join(" ")}`),
    onNear: ({ user }: Place) => said.push(`near ${user}`),
    onAway: (user: string, reason: string) => said.push(`away ${user} ${reason}`),
  };
  return { said, listener };
}

const soon = () => new Promise((done) => setTimeout(done));

test("all pages are one list, where nobody asks for them", async () => {
  const { client, asked, tell } = paged(["a", "b"], ["c"]);
  const { said, listener } = heard();
  const stop = watchNearby(client, 1, 2, listener, "5mi");
  await soon();
  tell({ op: "away", user: "a", reason: "left" });
  expect(said).toEqual(["list a b c", "away a left"]);
  expect(asked[0]).toEqual({ op: "nearby", lat: 1, lon: 2, within: "5mi", limit: 200 });
  stop();
  expect(asked.at(-1)).toEqual({ op: "nearby", off: true });
});

test("further pages come as they are asked for", async () => {
  const { client, asked } = paged(["a", "b"], ["c"], ["d"]);
  const { said, listener } = heard();
  let more: (() => void) | null = null;
  watchNearby(client, 1, 2, { ...listener, onMore: (next) => (more = next) }, undefined, 2);
  await soon();
  expect(said).toEqual(["list a b"]);
  for (const user of ["c", "d"]) {
    (more as (() => void) | null)?.();
    await soon();
    expect(said.at(-1)).toBe(`near ${user}`);
  }
  expect(more).toBeNull();
  expect(asked.map(({ limit }) => limit)).toEqual([2, 2, 2]);
});
