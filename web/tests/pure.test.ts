// The page's pure parts: the state of play, the chat as a list, what is drawn of it, highlights, words.

import type { Status, StreamEvent } from "@touchline/client";
import { describe, expect, test } from "vitest";

import { closings, edges, indexed, joined, lags, point, pointsOf, quantile, receivers, short, type Snapshot, unpack } from "../src/ops/figures.ts";
import { changed, read } from "../src/ops/form.tsx";
import { verdict } from "../src/ops/verdict.ts";
import { sayStatus } from "../src/shared/words.ts";
import { columns } from "../src/shared/bars.ts";
import { tame } from "../src/shared/names.ts";
import { ChatLog } from "../src/shared/chatlog.ts";
import { countedIn, risen } from "../src/viewer/cheering.ts";
import { pieces } from "../src/shared/highlight.ts";
import { TileServer } from "../src/shared/tiles.ts";
import { changedRows, receiptWords, typingWords } from "../src/viewer/together.ts";
import { Heights, offsetOf, slice } from "../src/shared/virtual.ts";

let seq = 0;
function event(type: string, data: Record<string, unknown>, more: Partial<StreamEvent> = {}): StreamEvent {
  seq += 1;
  return { stream: "chat:a", seq, id: `id${seq}`, type, server_ts: "2026-07-19T19:00:00.000Z", data, ...more };
}

describe("a crowd", () => {
  test("what came since flies up, of very many as many as there is room for, of each at least one", () => {
    expect(risen({ "👏": 2 }, { "👏": 4, "🎉": 1 }, 10)).toEqual(["🎉", "👏", "👏"]);
    expect(risen({ "👏": 4 }, { "👏": 4 }, 10)).toEqual([]);
    const many = risen({}, { "👏": 99_000, "🎉": 1 }, 12);
    expect(many.length).toBe(12);
    expect(many.filter((emoji) => emoji === "🎉").length).toBe(1);
  });

  test("what a channel is about is read as far as it is some", () => {
    expect(countedIn({ messages_per_min: 12.4, words: [["penalty", 9], ["kick", 3], [4], "x"], senders: [["ana", 5]] })).toEqual({ perMinute: 12.4, words: ["penalty", "kick"], senders: ["ana"] });
    expect(countedIn({ words: "x" })).toEqual({ perMinute: 0, words: [], senders: [] });
  });

  test("a poll is asked among the messages, and its end says the result", () => {
    const log = new ChatLog(100);
    const asked = event("poll", { text: "Who wins?", question: "Who wins?", options: ["home", "away"], closes_ms: 60_000 });
    log.append([asked, event("poll_closed", { poll: asked.id, question: "Who wins?", options: ["home", "away"], counts: [3, 1], voters: 4 })]);
    expect(log.view()[0]?.poll).toEqual({ question: "Who wins?", options: ["home", "away"], closesAt: "2026-07-19T19:01:00.000Z" });
    expect(log.view()[1]).toMatchObject({ system: true, text: "“Who wins?”: home 3, away 1" });
    expect(log.append([event("poll", { text: "x" })])).toBe(0);
  });
});

describe("the chat as a list", () => {
  const said = (text: string, more: Partial<StreamEvent> = {}) => event("message", { text }, more);

  test("one's own line is on its way, then accepted, then delivered, and is one line all along", () => {
    const log = new ChatLog(100);
    log.send("k1", "ana", "hi", "");
    expect(log.view().map(({ key, tick }) => [key, tick])).toEqual([["k1", "sending"]]);
    log.tick("k1", "accepted");
    log.append([said("other"), said("hi", { key: "k1" })]);
    expect(log.view().map(({ text, tick, mine }) => [text, tick, mine])).toEqual([["other", null, false], ["hi", "delivered", true]]);
    expect(log.view()[1]?.key).toBe("k1");
    log.tick("k1", "refused");
    expect(log.view()[1]?.tick).toBe("delivered");
  });

  test("an edit changes the text, a retraction takes it away", () => {
    const log = new ChatLog(100);
    const [first, second] = [said("one"), said("two")];
    log.append([first, second, event("edit", { target: first.id, text: "uno" }), event("retract", { target: second.id })]);
    expect(log.view().map(({ text, edited, retracted }) => [text, edited, retracted])).toEqual([["uno", true, false], ["", false, true]]);
  });

  test("older messages go before, and old lines are let go beyond the bound, but not while somebody reads back", () => {
    const log = new ChatLog(3);
    log.append([said("3"), said("4")]);
    log.prepend([said("1"), said("2")]);
    expect(log.view().map(({ text }) => text)).toEqual(["1", "2", "3", "4"]);
    expect(log.append([said("5")], true)).toBe(0);
    expect(log.append([said("6")])).toBe(3);
    expect(log.view().map(({ text }) => text)).toEqual(["4", "5", "6"]);
  });

  test("replies are counted as they come, and what is taken back is none", () => {
    const log = new ChatLog(100);
    const first = said("one", { replies: 2 });
    const reply = event("message", { text: "yes", reply_to: first.id });
    log.append([first, reply]);
    expect(log.view()[0]?.replies).toBe(3);
    log.append([event("retract", { target: reply.id }), event("retract", { target: reply.id })]);
    expect(log.view()[0]?.replies).toBe(2);
    log.append([event("message", { reply_to: first.id }, { retracted: true })]);
    expect(log.view()[0]?.replies).toBe(2);
  });

  test("marks on one character are held to four", () => {
    expect(tame(`e${"\u0301".repeat(10_000)}!`)).toBe(`e${"\u0301".repeat(4)}!`);
    expect(tame("schön 👩‍🚀 ก็")).toBe("schön 👩‍🚀 ก็");
  });
});

describe("what is told of rooms", () => {
  const row = (room: string, at: string, unread = 0) =>
    ({ room, stream: `chat:room-${room}`, name: room, role: "member", members: 2, unread, mentions: 0, last: { server_ts: at }, read: 0, delivered: 0, muted: false }) as const;

  test("rows that change come first, and rooms that one has left go", () => {
    const rows = [row("a", "2026-01-01T00:00:02.000Z"), row("b", "2026-01-01T00:00:01.000Z")];
    const now = changedRows(rows, [row("b", "2026-01-01T00:00:03.000Z", 1), row("c", "2026-01-01T00:00:00.000Z"), { room: "a", gone: true }]);
    expect(now.map(({ room, unread }) => [room, unread])).toEqual([["b", 1], ["c", 0]]);
  });

  test("who types, and how far the others are, in words", () => {
    expect([[], ["ben"], ["ben", "cat"], ["ben", "cat", "dan"], ["a", "b", "c", "d"]].map(typingWords)).toEqual([
      "", "ben is typing…", "ben and cat are typing…", "ben, cat and dan are typing…", "Several people are typing…",
    ]);
    const receipts = new Map([["ana", { delivered: 9, read: 9 }], ["ben", { delivered: 9, read: 5 }], ["cat", { delivered: 4, read: 0 }]]);
    expect([5, 9, 10].map((seq) => receiptWords(receipts, seq, "ana"))).toEqual(["Read by ben", "Delivered to 1", ""]);
  });
});

describe("what is drawn of a long list", () => {
  const keys = Array.from({ length: 1000 }, (_, n) => String(n));

  test("only what is in view, with some to spare", () => {
    const heights = new Heights(50);
    expect(slice(keys, heights, 10_000, 500, 100)).toEqual({ first: 198, end: 212, above: 9_900, total: 50_000 });
  });

  test("measured rows move the others", () => {
    const heights = new Heights(50);
    expect(heights.set("0", 150)).toBe(true);
    expect(heights.set("0", 150.2)).toBe(false);
    expect(offsetOf(keys, heights, 2)).toBe(200);
  });

  test("an empty list draws nothing", () => {
    expect(slice([], new Heights(50), 0, 500, 100)).toEqual({ first: 0, end: 0, above: 0, total: 0 });
  });
});

describe("highlights", () => {
  test("are pieces of plain text", () => {
    expect(pieces("what a <mark>goal</mark> &lt;b&gt; &amp;amp; <b>bold</b>")).toEqual([
      { text: "what a ", marked: false }, { text: "goal", marked: true }, { text: " <b> &amp; <b>bold</b>", marked: false },
    ]);
  });
});

describe("words", () => {
  test("for the connection's state", () => {
    expect(sayStatus({ state: "live", caughtUp: true, behind: 0 }, 0).text).toBe("Live, caught up");
    expect(sayStatus({ state: "live", caughtUp: false, behind: 12 }, 0).text).toBe("12 behind");
    expect(sayStatus({ state: "live", caughtUp: false, behind: null }, 0).text).toBe("Catching up");
    expect(sayStatus({ state: "waiting", retryAt: 2_500 }, 0).text).toBe("Back in 3 s");
    expect(sayStatus({ state: "refused", code: "4003", message: "No." }, 0)).toMatchObject({ tone: "bad", detail: "No." });
  });

  test("to be read out do not count", () => {
    const said = (status: Status, now: number) => sayStatus(status, now).said;
    expect(said({ state: "waiting", retryAt: 9_000 }, 0)).toBe(said({ state: "waiting", retryAt: 9_000 }, 5_000));
    expect(said({ state: "live", caughtUp: false, behind: 12 }, 0)).toBe(said({ state: "live", caughtUp: false, behind: 3 }, 0));
  });
});

describe("the operators' figures", () => {
  const told = (...at: number[]) => at.map((at_ms) => ({ at_ms }));

  test.each([
    ["go on from one to the next", told(1, 2), told(3, 4), told(1, 2, 3, 4)],
    ["have the stream's past in place of a first answer over HTTP", told(9), told(1, 2, 3), told(1, 2, 3)],
    ["have it too where its first piece is one figure", joined(told(9), told(1)), told(2, 3), told(1, 2, 3)],
    ["keep what was told before the edge went", told(1, 2, 7, 8), told(3, 4, 5), told(1, 2, 3, 4, 5)],
    ["tell nothing twice", told(1, 2), told(2, 2, 3), told(1, 2, 3)],
    ["stay where nothing comes", told(1, 2), told(), told(1, 2)],
  ])("%s", (_, kept, more, all) => expect(joined(kept, more)).toEqual(all));

  const snapshot = (at_ms: number, accepted: number, buckets: [string, number][]): Snapshot => ({
    at_ms,
    channels: [],
    roles: [{ name: "stream", url: "", state: "ready", problems: {}, metrics: [
      { name: "touchline_accepted_total", labels: { kind: "chat" }, value: accepted },
      { name: "touchline_consumer_lag", labels: { topic: "a" }, value: 3 },
      ...buckets.map(([le, value]) => ({ name: "touchline_edge_latency_seconds_bucket", labels: { le }, value })),
    ] }],
  });

  test("a rate is growth over time, also when a role was started anew", () => {
    expect(point(snapshot(0, 100, []), snapshot(2000, 300, []))).toMatchObject({ accepted: 100, lag: 3, p99: null });
    expect(point(snapshot(0, 100, []), snapshot(1000, 40, [])).accepted).toBe(40);
  });

  test("quantiles are of what came in between", () => {
    const before = snapshot(0, 0, [["0.01", 1000], ["0.1", 1000], ["+Inf", 1000]]);
    const now = snapshot(1000, 0, [["0.01", 1050], ["0.1", 1100], ["+Inf", 1100]]);
    expect(quantile(before, now, "touchline_edge_latency_seconds", 0.5)).toBeCloseTo(0.01);
    expect(quantile(before, now, "touchline_edge_latency_seconds", 0.75)).toBeCloseTo(0.055);
    expect(quantile(before, before, "touchline_edge_latency_seconds", 0.5)).toBeNull();
  });

  test("lag is told by group, the index by topic, closings by their reason", () => {
    const sample = (name: string, value: number, labels = {}) => ({ name, labels, value });
    const role = (name: string, ...metrics: ReturnType<typeof sample>[]) => ({ name, url: "", state: "ready" as const, problems: {}, metrics });
    const now: Snapshot = {
      at_ms: 0,
      channels: [],
      roles: [
        role("stream", sample("touchline_consumer_lag", 2, { topic: "ingest.chat" })),
        role("index", ...[1, 2].map((partition) => sample("touchline_index_watermark", 10, { topic: "events.chat", partition: String(partition) })), sample("touchline_consumer_lag", 7, { topic: "events.chat" })),
        role("edge-1", sample("touchline_viewers", 3), sample("touchline_slow_viewers", 1), sample("touchline_delivered_total", 40), sample("touchline_closed_total", 5, { code: "4101" }), sample("touchline_closed_total", 0, { code: "4001" })),
      ],
    };
    expect(lags(now)).toMatchObject([{ group: "index", topic: "events.chat", records: 7 }, { group: "stream", topic: "ingest.chat", records: 2 }]);
    expect(indexed(now)).toEqual([{ topic: "events.chat", watermark: 20, behind: 7 }]);
    const begun = { ...now, roles: now.roles.map((role) => ({ ...role, metrics: role.metrics.filter(({ name }) => name !== "touchline_consumer_lag") })) };
    expect(indexed(begun)).toEqual([{ topic: "events.chat", watermark: 20, behind: null }]); // not known: not 0
    expect(edges(now)).toEqual([{ name: "edge-1", state: "ready", viewers: 3, slow: 1, delivered: 40 }]);
    expect(closings(now)).toEqual([{ code: "4101", means: "too slow, or silent", count: 5 }]);
  });

  test("lag is told by partition, of those that are furthest behind, and of all others together", () => {
    const sums = { touchline_consumer_lag: { "a/3": 40, "a/11": 7, "a/": 2, "b/": 0 }, touchline_outbox_lag_seconds: { "user/ana": 90 } };
    const now = unpack({ at_ms: 0, channels: [], roles: [{ name: "index", url: "", state: "ready", problems: {}, sums }] });
    expect(lags(now)).toEqual([
      { group: "index", topic: "a", records: 49, partitions: [{ partition: "3", records: 40 }, { partition: "11", records: 7 }, { partition: "", records: 2 }] },
      { group: "index", topic: "b", records: 0, partitions: [] },
    ]);
    expect(receivers(now)).toEqual([{ receiver: "user/ana", waiting: 0, lag: 90 }]);
  });

  test("nothing is drawn where nobody looked, and who did not answer has told no growth", () => {
    const looks = [snapshot(0, 1, []), snapshot(15_000, 16, []), snapshot(200_000, 900, []), snapshot(215_000, 915, [])];
    expect(pointsOf(looks, 15_000).map(({ accepted }) => accepted)).toEqual([1, null, 1]);
    const silent = { ...snapshot(0, 0, []), roles: [{ ...snapshot(0, 0, []).roles[0]!, metrics: [] }] };
    expect(point(silent, snapshot(1000, 5000, [])).accepted).toBe(0);
  });

  test("only settings that differ are sent, as what they are", () => {
    const before = { slow_s: 5, blocked: ["a", "b"], numbered: false, members: [] };
    const form = new Map([["slow_s", "5"], ["blocked", "a\n\nc "], ["numbered", "true"], ["members", ""], ["retention", ""]]);
    expect(changed(form, before)).toEqual({ blocked: ["a", "c"], numbered: true });
    expect(read(" ", { kind: "number", says: "" })).toBeNull();
  });

  test("numbers are short", () => {
    expect([null, 0.25, 12, 1234.6, 54_321, 2_500_000].map(short)).toEqual(["–", "0.3", "12", "1235", "54.3 k", "2.5 M"]);
  });
});

describe("a server of map tiles", () => {
  test.each([
    ["one that is missing is no reason to give up", "xxxxx", [null, null, null, null, null]],
    ["one that sends nothing is left alone", "xxxxxx", [null, null, null, null, null, 30_000]],
    ["a tile in between counts it anew", "xxxxx.x", [null, null, null, null, null, null]],
    ["each time in vain, for longer", "xxxxxxxxx", [null, null, null, null, null, 30_000, 60_000, 120_000, 240_000]],
    ["until it has sent one", "xxxxxxx.xxxxxx", [null, null, null, null, null, 30_000, 60_000, null, null, null, null, null, 30_000]],
    ["and never for longer than ten minutes", "x".repeat(13), [null, null, null, null, null, 30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]],
  ])("%s: %s", (_, told, pauses) => {
    const server = new TileServer();
    const said = [...told].flatMap((mark) => (mark === "x" ? [server.failed()] : (server.loaded(), [])));
    expect(said).toEqual(pauses);
  });
});

describe("when it was said", () => {
  const bars = (...counts: number[]) => counts.map((count, n) => ({ start: new Date(1_784_487_600_000 + n * 5000).toISOString(), count }));
  test.each([
    [[1, 0, 2], 3, [1, 0, 2]], [[1, 0, 2], 2, [1, 2]], [[1, 2, 3, 4, 5], 2, [6, 9]], [[], 4, []], [[7], 4, [7]],
  ])("%j in no more than %d columns: %j", (counts, most, expected) => {
    const made = columns(bars(...counts), 5000, most);
    expect(made.map(({ count }) => count)).toEqual(expected);
  });

  test("columns lie side by side and none shares a moment with another", () => {
    const made = columns(bars(1, 2, 3, 4, 5), 5000, 2);
    expect(made.map(({ since, until }) => [since.slice(17), until.slice(17)])).toEqual([["00.000Z", "14.999Z"], ["15.000Z", "24.999Z"]]);
  });
});

describe("the operators' headline", () => {
  const look = (lag: number | null, state: "ready" | "not ready" = "ready"): Snapshot => ({
    at_ms: 0,
    channels: [],
    roles: [{ name: "index", url: "", state, problems: {}, metrics: lag === null ? [] : [{ name: "touchline_consumer_lag", labels: { topic: "t" }, value: lag }] }],
  });

  test.each([
    [[], undefined],
    [[look(0)], "All is well"],
    [[look(null)], "All is well"],
    [[look(1747)], "index is 1,747 records behind"],
    [[look(5000), look(3000), look(1747)], "index is 1,747 records behind"],
    [[look(0), look(9000), look(5000)], "All is well"],
    [[look(9000), look(9000), look(9000), look(20)], "All is well"],
    [[look(1747, "not ready")], "index needs a look"],
  ])("of %# says %s", (looks, text) => expect(verdict(looks)?.text).toBe(text));

  const sample = (name: string, value: number, labels = {}) => ({ name: `touchline_${name}`, labels, value });
  const one = (...metrics: ReturnType<typeof sample>[]): Snapshot => ({ at_ms: 0, channels: [], roles: [{ name: "index", url: "", state: "ready", problems: {}, metrics }] });
  const waiting = (...records: number[]) => records.map((value) => one(sample("consumer_lag", value, { topic: "t", partition: "3" })));

  test("a few records that nobody takes are told, and many that flow are not", () => {
    expect(verdict(waiting(...Array<number>(20).fill(2)))?.text).toBe("index takes nothing from t, partition 3: 2 wait");
    expect(verdict(waiting(...Array<number>(19).fill(2)))?.good).toBe(true);
    expect(verdict(waiting(...Array.from({ length: 20 }, (_, n) => 1 + n % 3)))?.good).toBe(true);
  });

  test("what is late, refused or given up is told beside what matters most", () => {
    const before = one(sample("accepted_total", 0), sample("rejected_total", 0), sample("given_up_total", 1), sample("delivered_total", 0), sample("edge_latency_seconds_bucket", 0, { le: "5.0" }));
    const now = one(
      ...[sample("accepted_total", 60), sample("rejected_total", 40), sample("given_up_total", 3), sample("delivered_total", 100)],
      ...[sample("edge_latency_seconds_bucket", 100, { le: "5.0" }), sample("outbox_lag_seconds", 90, { receiver: "hook" })],
    );
    expect(verdict([before, now])).toEqual({
      good: false,
      text: "one event in a hundred takes 4,950 ms to viewers",
      more: ["40 % of what comes is refused", "hook lacks an event of 90 s ago", "2 events were given up by the outbox"],
    });
    expect(verdict([before, { ...now, thresholds: { lag_records: 1, latency_ms: 10_000, outbox_s: 100 } }])?.more).toEqual(["2 events were given up by the outbox"]);
  });
});
