// The client as a site uses it: callbacks, iterators, promises, tokens, and cursors that outlive the page.

import { describe, expect, test } from "vitest";

import { connect, storedCursors, type Status, type StreamEvent, TouchlineError } from "../src/index.ts";
import { FakeEnvironment } from "./fakes.ts";

const CHAT = "chat:wc26-final";
const event = (seq: number, prev?: number) => ({
  op: "event", stream: CHAT, seq, ...(prev === undefined ? {} : { prev }), id: String(seq), type: "message",
  server_ts: "2026-07-19T19:00:00.000Z", data: { text: `n${seq}` },
});

function live(options: Record<string, unknown> = {}) {
  const environment = new FakeEnvironment();
  const client = connect({ url: "ws://edge/v1/ws", environment, ...options });
  environment.socket.say({ op: "welcome", auth: "anonymous" });
  return { environment, client };
}

function jwt(expiresInS: number, environment: FakeEnvironment): string {
  return `e30.${btoa(JSON.stringify({ exp: environment.wallMs() / 1000 + expiresInS })).replaceAll("=", "")}.sig`;
}

describe("iterating", () => {
  test("yields each event in order, those that came before the first wait included", async () => {
    const { environment, client } = live();
    const stream = client.stream(CHAT, { after: 0 });
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 2, recovered: true });
    environment.socket.say(event(1), event(2, 1));
    const first = await stream.next();
    const second = await stream.next();
    const third = stream.next();
    environment.socket.say(event(3, 2));
    expect([first, second, await third].map(({ value }) => (value as StreamEvent).seq)).toEqual([1, 2, 3]);
  });

  test("leaving the loop ends the subscription", async () => {
    const { environment, client } = live();
    const stream = client.stream(CHAT);
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 0, recovered: true });
    environment.socket.say(event(1));
    for await (const { seq } of stream) {
      expect(seq).toBe(1);
      break;
    }
    expect(environment.socket.ops()).toEqual(["subscribe", "unsubscribe"]);
  });

  test("a reader who is too slow holds the edge back, and loses nothing", async () => {
    const { environment, client } = live();
    const stream = client.stream(CHAT, { after: 0, buffer: 4 });
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 9, recovered: true });
    environment.socket.say(...[1, 2, 3, 4, 5, 6].map((seq) => event(seq, seq - 1)));
    expect(environment.socket.ops()).toEqual(["subscribe", "unsubscribe"]);
    await stream.next();
    expect(environment.socket.ops().length).toBe(2);
    await stream.next();
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "subscribe", after: 4 });
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 9, recovered: true });
    environment.socket.say(event(5, 4));
    const rest = [await stream.next(), await stream.next(), await stream.next()];
    expect(rest.map(({ value }) => (value as StreamEvent).seq)).toEqual([3, 4, 5]);
  });

  test("a refused stream ends the loop with the reason", async () => {
    const { environment, client } = live();
    const stream = client.stream(CHAT);
    const next = stream.next();
    environment.socket.answer("subscribe", { op: "error", code: "forbidden", message: "Not for you.", retry: false });
    await expect(next).rejects.toMatchObject({ code: "forbidden", message: "Not for you." });
  });

  test("a client that is not let in ends its loops with the reason, also those that begin later", async () => {
    const { environment, client } = live();
    const loops = [client.stream(CHAT)];
    environment.socket.onclose?.({ code: 4001 });
    loops.push(client.stream("chat:later"));
    for (const loop of loops) await expect(loop.next()).rejects.toMatchObject({ code: "unauthorized" });
  });

  test("events of lanes come to whoever watches the whole, and gaps too", () => {
    const { environment, client } = live();
    const seen: unknown[] = [];
    client.subscribe(CHAT, { onEvent: ({ stream, seq }) => seen.push([stream, seq]), onGap: (gap) => seen.push(gap) });
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 3, recovered: true });
    environment.socket.say({ ...event(4), stream: `${CHAT}~0` }, { op: "gap", stream: `${CHAT}~0`, after: 4, seq: 9, reason: "old" });
    expect(seen).toEqual([[`${CHAT}~0`, 4], { stream: `${CHAT}~0`, after: 4, seq: 9, reason: "old" }]);
  });

  test("closing the client ends the loop", async () => {
    const { client, environment } = live();
    const next = client.stream(CHAT).next();
    client.close();
    expect(await next).toEqual({ value: undefined, done: true });
    expect(environment.socket.closedWith).toBe(1000);
    expect(environment.timersSet).toBe(0);
  });
});

describe("subscribing", () => {
  test("two subscriptions of one stream are refused", () => {
    const { client } = live();
    client.subscribe(CHAT, { onEvent: () => undefined });
    expect(() => client.subscribe(CHAT, { onEvent: () => undefined })).toThrow(TouchlineError);
  });

  test("a subscription that was ended can be made anew", () => {
    const { client, environment } = live();
    client.subscribe(CHAT, { onEvent: () => undefined })();
    client.subscribe(CHAT, { last: 5, onEvent: () => undefined });
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "subscribe", stream: CHAT, last: 5 });
  });

  test("pushed presence goes to the subscriber", () => {
    const { client, environment } = live();
    const seen: number[] = [];
    client.subscribe(CHAT, { onEvent: () => undefined, onPresence: (viewers) => seen.push(viewers) });
    environment.socket.say({ op: "presence", stream: CHAT, viewers: 7 });
    expect(seen).toEqual([7]);
  });

  test("an address that is none is tried again with back-off, and does not throw", () => {
    const environment = new FakeEnvironment();
    const client = connect({ url: "nonsense", environment });
    environment.advance(0);
    expect(client.status.state).toBe("waiting");
  });
});

describe("cursors", () => {
  test("a stream goes on where the page was left", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    const { environment, client } = live({ cursors: storedCursors(storage) });
    client.subscribe(CHAT, { last: 5, onEvent: () => undefined });
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 7, recovered: true });
    environment.socket.say(event(7), { ...event(3), stream: `${CHAT}~2` });
    expect(kept.size).toBe(0);
    environment.advance(1000);
    expect([...kept.values()]).toEqual(["7", "3"]);

    const again = live({ cursors: storedCursors(storage) });
    again.client.subscribe(CHAT, { last: 5, onEvent: () => undefined });
    expect(again.environment.socket.sent.at(-1)).toMatchObject({ op: "subscribe", after: 7, cursors: { [`${CHAT}~2`]: 3 } });
  });

  test("a page that is left saves at once", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: () => null, setItem: (key: string, value: string) => void kept.set(key, value) };
    const { environment, client } = live({ cursors: storedCursors(storage) });
    client.subscribe(CHAT, { onEvent: () => undefined });
    environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq: 7, recovered: true });
    environment.socket.say(event(8, 7));
    environment.listener?.leaving();
    expect([...kept.values()]).toEqual(["8"]);
  });

  test("a storage that is forbidden means no cursors", () => {
    const forbidden = () => { throw new DOMException("denied", "SecurityError"); };
    const cursors = storedCursors({ getItem: forbidden, setItem: forbidden });
    cursors.save(CHAT, 1);
    expect(cursors.load(CHAT)).toBeNull();
  });
});

describe("tokens", () => {
  test("are fetched, sent, and renewed before they run out", async () => {
    const environment = new FakeEnvironment();
    let fetched = 0;
    const token = () => { fetched += 1; return jwt(600, environment); };
    connect({ url: "ws://edge/v1/ws", environment, token });
    environment.socket.say({ op: "welcome", auth: "required" });
    await expect.poll(() => environment.socket.ops()).toEqual(["auth"]);
    environment.socket.answer("auth", { op: "ok", user: "ana" });
    for (let minute = 0; minute < 9; minute += 1) {
      for (let part = 0; part < 3; part += 1) { environment.advance(19_990); environment.socket.say({ op: "pong" }); }
    }
    expect(fetched).toBe(1);
    environment.advance(2_000);
    await expect.poll(() => environment.socket.ops().filter((op) => op === "auth").length).toBe(2);
    expect(environment.sockets.length).toBe(1);
  });

  test("a source that fails is asked again with the next connection", async () => {
    const environment = new FakeEnvironment();
    const client = connect({ url: "ws://edge/v1/ws", environment, token: () => Promise.reject(new Error("down")) });
    environment.socket.say({ op: "welcome", auth: "required" });
    await expect.poll(() => client.status.state).toBe("waiting");
  });

  test("after 4203 a new one is fetched", async () => {
    const environment = new FakeEnvironment();
    let fetched = 0;
    connect({ url: "ws://edge/v1/ws", environment, token: () => `t${++fetched}` });
    environment.socket.say({ op: "welcome", auth: "required" });
    await expect.poll(() => environment.socket.ops()).toEqual(["auth"]);
    environment.socket.answer("auth", { op: "ok" });
    environment.socket.onclose?.({ code: 4203 });
    environment.advance(5_000);
    environment.socket.say({ op: "welcome", auth: "required" });
    await expect.poll(() => environment.socket.sent.at(-1)).toMatchObject({ op: "auth", token: "t2" });
  });
});

describe("requests", () => {
  test("a publish resolves with its key once the edge confirms", async () => {
    const { environment, client } = live();
    const published = client.publish(CHAT, { text: "hi" });
    const { key } = environment.socket.sent.at(-1) as { key: string };
    environment.socket.answer("publish", { op: "published", stream: CHAT, key });
    expect(await published).toEqual({ key });
    expect(key.length).toBeGreaterThanOrEqual(20);
  });

  test("tells where the event went, and asks for what the caller wants to wait for", async () => {
    const { environment, client } = live({ user: "ana maria", device: "phone" });
    expect(environment.socket.url).toBe("ws://edge/v1/ws?user=ana+maria&device=phone");
    const published = client.publish(CHAT, { text: "hi" }, { key: "k", clientTs: 5, traceparent: "00-a-b-01", wait: "accepted" });
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "publish", client_ts: 5, traceparent: "00-a-b-01", wait: "accepted" });
    environment.socket.answer("publish", { op: "published", stream: `${CHAT}~3`, key: "k", seq: 7, event_id: "9" });
    expect(await published).toEqual({ key: "k", stream: `${CHAT}~3`, seq: 7, id: "9" });
  });

  test("a publish that nobody answers fails in time, and says that it may have been done", async () => {
    const { environment, client } = live({ requestTimeoutMs: 1000 });
    const published = client.publish(CHAT, { text: "hi" });
    environment.advance(1000);
    await expect(published).rejects.toMatchObject({ code: "unavailable" });
  });

  test("history hands out a page", async () => {
    const { environment, client } = live();
    const page = client.history(CHAT, { before: 9, limit: 2 });
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "history", stream: CHAT, before: 9, limit: 2 });
    environment.socket.answer("history", { op: "history", stream: CHAT, events: [event(7), event(8)], more: true });
    expect(await page).toMatchObject({ more: true, events: [{ seq: 7 }, { seq: 8 }] });
  });

  test("history around a place says whether there is more on either side", async () => {
    const { environment, client } = live();
    const page = client.history(CHAT, { around: 8, limit: 2 });
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "history", around: 8, limit: 2 });
    environment.socket.answer("history", { op: "history", stream: CHAT, events: [event(7), event(8)], more: true, more_before: true, more_after: false });
    expect(await page).toMatchObject({ more_before: true, more_after: false });
  });

  test("after the client was closed nothing can be asked", async () => {
    const { client } = live();
    client.close();
    await expect(client.presence(CHAT)).rejects.toMatchObject({ code: "closed" });
  });

  test("too many at once are refused", async () => {
    const { client } = live();
    const all = Array.from({ length: 1001 }, (_, n) => client.publish(CHAT, { text: String(n) }));
    await expect(all.at(-1)).rejects.toMatchObject({ code: "queue_full" });
    client.close();
    expect((await Promise.allSettled(all)).every(({ status }) => status === "rejected")).toBe(true);
  });
});

test("status changes are told once each", () => {
  const environment = new FakeEnvironment();
  const client = connect({ url: "ws://edge/v1/ws", environment });
  const seen: Status[] = [];
  client.onStatus((status) => seen.push(status));
  environment.socket.say({ op: "welcome" });
  environment.socket.say({ op: "pong" });
  environment.socket.onclose?.({ code: 1006 });
  expect(seen.map(({ state }) => state)).toEqual(["live", "waiting"]);
});
