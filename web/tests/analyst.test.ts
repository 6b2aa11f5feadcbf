// The analyst's desk without a page: a search as an address, as an export, as an alert; cells; rows that arrive in pieces.

import type { StreamEvent } from "@touchline/client";
import { describe, expect, test } from "vitest";

import { cell, dataColumns, textOf } from "../src/analyst/columns.ts";
import { Rows } from "../src/analyst/rows.ts";
import { MAX_QUERY } from "../src/shared/generated.ts";
import { type Alert, fromAddress, nameFor, NOTHING, ofAlert, operatorFor, sayAlert, sayDifference, toAddress, toAlert, toCounts, toExport, type Wanted, withWord } from "../src/analyst/wanted.ts";
import { columns, countsWithin } from "../src/shared/bars.ts";

const ALL: Wanted = {
  q: "goal from:ana", kind: ["chat"], channel: ["final", "semi"], sender: ["ana maria"], type: ["goal"], since: "10m", until: "2026-06-11T19:00[Asia/Seoul]",
  zone: "Europe/Paris", sort: "oldest", interval: "1m", by: "sender", compare: true, standout: true, columns: ["time", "data.card.colour", "text"],
};

describe("a search", () => {
  test.each([[ALL], [NOTHING], [{ ...NOTHING, q: "a & b = c#d", zone: "UTC" }]])("%j comes back from its address", (wanted) => {
    expect(fromAddress(`?${toAddress(wanted, "").toString()}`)).toEqual(wanted);
  });

  test("its times mean elsewhere what they meant here", () => {
    expect(toAddress({ ...NOTHING, since: "yesterday" }, "Asia/Seoul").get("zone")).toBe("Asia/Seoul");
    expect(toAddress(NOTHING, "Asia/Seoul").size).toBe(0);
  });

  test("a query is as long as the roles take it, in characters and not in halves of them", () => {
    const q = "⚽".repeat(MAX_QUERY - 1) + "🏆";
    expect(fromAddress(`?${new URLSearchParams({ q }).toString()}`).q).toBe(q);
    expect(fromAddress(`?${new URLSearchParams({ q: `${q}🏆` }).toString()}`).q).toBe(q);
  });

  test("what an address makes up is left out", () => {
    const wanted = fromAddress("?sort=worst&by=password&cols=time,evil,data.,data.x&kind=&compare=yes");
    expect(wanted).toEqual({ ...NOTHING, columns: ["time", "data.x"] });
  });

  test("the time before is only counted where there is a beginning", () => {
    expect(toCounts({ ...NOTHING, compare: true }, "UTC", 50).get("compare")).toBeNull();
    expect(toCounts(ALL, "UTC", 50).get("compare")).toBe("1");
  });

  test("an export is by time, and an alert about what comes", () => {
    for (const sort of ["relevance", "meaning"] as const) expect(toExport({ ...ALL, sort }, "UTC", "csv", "c").toString()).not.toContain("sort");
    expect(toAlert(ALL)).toEqual({ q: "goal from:ana", kind: ["chat"], channel: ["final", "semi"], sender: ["ana maria"], type: ["goal"] });
    expect(nameFor(ALL)).toBe("goal-from-ana-chat-final-semi-ana-maria");
    expect(nameFor({ ...NOTHING, q: "東京" })).toBe("");
  });

  test("an alert is a search again", () => {
    const alert: Alert = { id: "a", stream: "broadcast:alert-a", q: "goal", channel: ["final"], near: "1,2", within: "500m" };
    expect(ofAlert(alert, ALL)).toMatchObject({ q: "goal near:1,2~500m", channel: ["final"], since: "", columns: ALL.columns });
    expect(sayAlert(alert)).toBe("goal channel:final near:1,2~500m");
  });

  test.each([
    ["sender", "ana maria", true, '-from:"ana maria"'], ["channel", "final", false, "in:final"], ["mark", "link", false, "has:link"],
    ["mark", "edited", true, "-is:edited"], ["mark", "@ana", false, "mentions:ana"],
  ] as const)("%s %s is an operator", (field, value, negated, expected) => expect(operatorFor(field, value, negated)).toBe(expected));

  test("a word is added once", () => {
    expect(withWord("a", "b")).toBe("a b");
    expect(withWord("a b", "b")).toBe("a b");
  });

  test.each([[5, 5, "as many"], [6, 4, "2 more (+50 %)"], [1, 4, "3 fewer (−75 %)"], [3, 0, "3 more than"]])("%d after %d: %s", (now, before, said) => {
    expect(sayDifference(now, before)).toContain(said);
  });
});

describe("a hit's cells", () => {
  const event: StreamEvent = { stream: "chat:a", seq: 7, id: "x", type: "goal", server_ts: "2026-07-19T19:00:00Z", data: { minute: 12, card: { colour: "red" }, list: [1] } };
  const hit = { event, score: 1.234, highlight: "" };
  test.each([["seq", "7"], ["sender", ""], ["score", "1.23"], ["data.minute", "12"], ["data.card.colour", "red"], ["data.toString", ""], ["data.card.none.deep", ""], ["data.list", "[1]"]])("%s", (column, expected) => {
    expect(cell(hit, column)).toBe(expected);
  });
  test("what has no text says all that it has", () => {
    expect(textOf(event.data)).toContain('"minute":12');
    expect(dataColumns([hit])).toEqual(["data.card", "data.list", "data.minute"]);
  });
});

describe("rows of an export", () => {
  const csv = 'server_ts,text,cursor\r\n1,"two\r\nlines, ""said""",c1\r\n2,plain,c2\r\n3,cut o';
  const ndjson = '{"a":"\\"","cursor":"c1"}\n{"a":2,"cursor":"c2"}\n{"a":';
  test.each([["csv", csv, "server_ts,text,cursor\r\n1,\"two\r\nlines, \"\"said\"\"\",c1\r\n2,plain,c2\r\n"], ["ndjson", ndjson, ndjson.slice(0, ndjson.lastIndexOf("{"))]] as const)("%s in pieces of any size", (form, given, whole) => {
    for (let size = 1; size <= given.length; size += 1) {
      const rows = new Rows(form);
      let kept = "";
      for (let n = 0; n < given.length; n += size) kept += rows.take(given.slice(n, n + size));
      expect([kept, rows.count, rows.cursor]).toEqual([whole, 2, "c2"]);
    }
  });
  test("goes on behind what broke off, with one head", () => {
    const rows = new Rows("csv");
    rows.take(csv);
    rows.again();
    expect([rows.take("server_ts,text,cursor\r\n3,whole,c3\r\n"), rows.count]).toEqual(["3,whole,c3\r\n", 3]);
  });
});

describe("columns over a whole time", () => {
  const at = (s: number) => new Date(1_784_487_600_000 + s * 1000).toISOString();
  test("what is empty at both ends is drawn, and values are added up", () => {
    const bars = [{ start: at(10), count: 2, by: { ana: 2 } }, { start: at(15), count: 1, by: { bob: 1 } }];
    const made = columns(bars, 5000, 100, { since: at(1), until: at(29) });
    expect(made.map(({ count }) => count)).toEqual([0, 0, 2, 1, 0, 0]);
    expect(columns(bars, 5000, 1)[0]?.by).toEqual({ ana: 2, bob: 1 });
  });
  test("the time before lies over it", () => {
    const made = columns([{ start: at(60), count: 1 }, { start: at(65), count: 1 }], 5000, 10);
    expect(countsWithin(made, [{ start: at(0), count: 3 }, { start: at(8), count: 4 }, { start: at(30), count: 9 }], 60_000)).toEqual([3, 4]);
  });
});
