// Runs the shared table of cases against the core: a scripted edge, a clock that moves when told, chance at one half.

import { expect } from "vitest";

import { Core } from "../src/core.ts";
import type { Host, Status } from "../src/host.ts";
import type { Gap, Rejection } from "../src/protocol.ts";
import { TouchlineError } from "../src/protocol.ts";
import table from "../../../tests/shared/viewer_cases.json" with { type: "json" };

type Fields = Record<string, unknown>;

export interface Case {
  name: string;
  urls?: string[];
  token?: string;
  steps: Fields[];
}

export const cases = table.cases as unknown as Case[];

interface Wire {
  url: string;
  sent: Fields[];
  looked: number;
  hungUp: boolean;
}

export class Runner {
  private now = 0;
  private looked = 0;
  private readonly wires: Wire[] = [];
  private readonly events: [string, number][] = [];
  private readonly gaps: Gap[] = [];
  private readonly refused: Fields[] = [];
  private readonly rejected: Rejection[] = [];
  private readonly published: string[] = [];
  private readonly told: Fields[] = [];
  private readonly failed: Fields[] = [];
  private readonly keys = new Map<number, string>();
  private status: Status = { state: "closed" };
  private readonly core: Core;

  constructor(private readonly given: Case) {
    const urls = given.urls ?? table.defaults.urls;
    const hasToken = given.token !== undefined;
    this.core = new Core({ urls, hasToken, requestTimeoutMs: 60_000 }, this.host());
    this.core.start(this.now);
  }

  run(): void {
    this.given.steps.forEach((step, number) => {
      try {
        this.step(step);
      } catch (error) {
        throw new Error(`step ${number + 1}, ${JSON.stringify(step)}: ${String(error)}`, { cause: error });
      }
    });
  }

  private step(step: Fields): void {
    if ("passes_ms" in step) this.pass(Number(step["passes_ms"]));
    else if ("client" in step) this.client(step);
    else if ("edge" in step) this.edge(step);
    else if ("network" in step) this.core.setOnline(step["network"] === "up", this.now);
    else this.check(step);
  }

  private pass(ms: number): void {
    const end = this.now + ms;
    for (let due = this.core.deadline(); due <= end; due = this.core.deadline()) {
      this.now = Math.max(this.now, due);
      this.core.tick(this.now);
    }
    this.now = end;
    this.core.tick(end);
  }

  private client(step: Fields): void {
    const stream = String(step["stream"]);
    if (step["client"] === "unsubscribe") this.core.unsubscribe(stream);
    else if (step["client"] === "sync") this.core.sync();
    else if (step["client"] === "inbox") this.core.inbox(Number(step["limit"]));
    else if (step["client"] === "ack") this.core.ack(stream, Number(step["seq"]), this.now);
    else if (step["client"] === "subscribe") {
      const start = "after" in step ? { after: Number(step["after"]) } : "last" in step ? { last: Number(step["last"]) } : {};
      this.core.subscribe(stream, { ...start, reactions: step["reactions"] === true, members: step["members"] === true }, this.now);
    } else if (step["client"] === "react") {
      const message = { op: "react", stream, ...(step["what"] as Fields) };
      this.keys.set(this.core.request(message, stream, this.now), String(step["name"]));
    } else {
      const message = { op: "publish", stream, key: step["key"], data: step["data"] };
      this.keys.set(this.core.request(message, stream, this.now), String(step["key"]));
    }
  }

  private edge(step: Fields): void {
    const number = this.number(step);
    const say = (...said: unknown[]) =>
      this.core.received(number, said.map((message) => JSON.stringify(message)).join("\n"), this.now);
    switch (step["edge"]) {
      case "welcomes":
        return say({ ...table.defaults.welcome, ...(step["welcome"] as Fields) });
      case "says":
        return say(...(step["messages"] as unknown[]));
      case "says text":
        return this.core.received(number, String(step["text"]), this.now);
      case "closes":
        return this.core.closed(number, Number(step["code"]), this.now);
      case "answers": {
        const request = this.wire(number).sent.findLast((sent) => has(sent, step["request"] as Fields));
        expect(request, "the request that is answered").toBeDefined();
        return say({ id: request?.["id"], ...(step["message"] as Fields) });
      }
    }
    throw new Error("unknown step");
  }

  private check(step: Fields): void {
    const wanted = step["expect"];
    if (wanted === "connects") {
      this.looked += 1;
      expect(this.looked).toBe(step["connection"]);
      expect(this.wires[this.looked - 1]?.url, "a new connection").toBe(step["url"]);
    } else if (wanted === "no new connection") expect(this.wires.length).toBe(this.looked);
    else if (wanted === "hangs up") expect(this.wire(this.number(step)).hungUp).toBe(true);
    else if (wanted === "sends") {
      const wire = this.wire(this.number(step));
      expect(wire.sent[wire.looked++]).toMatchObject(step["message"] as Fields);
    } else if (wanted === "sends nothing") {
      for (const wire of this.wires) expect(wire.sent.slice(wire.looked)).toEqual([]);
    } else if (wanted === "delivers") expect(this.events.splice(0)).toEqual(step["events"]);
    else if (wanted === "gaps") {
      const gaps = step["gaps"] as Fields[];
      expect(this.gaps.length).toBe(gaps.length);
      expect(this.gaps.splice(0)).toMatchObject(gaps);
    } else if (wanted === "status") expect(this.status).toMatchObject(step["status"] as Fields);
    else if (wanted === "refused") expect(this.refused.shift()).toMatchObject({ stream: step["stream"], code: step["code"] });
    else if (wanted === "published") expect(this.published.shift()).toBe(step["key"]);
    else if (wanted === "failed") expect(this.failed.shift()).toMatchObject({ key: step["key"], code: step["code"] });
    else if (wanted === "rejected") expect(this.rejected.shift()).toMatchObject({ key: step["key"], code: step["code"] });
    else if (wanted === "told") {
      const { expect: _, ...fields } = step;
      expect(this.told.shift()).toMatchObject(fields);
    } else throw new Error("unknown step");
  }

  private number(step: Fields): number {
    return Number(step["connection"] ?? this.wires.length);
  }

  private wire(number: number): Wire {
    const wire = this.wires[number - 1];
    if (!wire) throw new Error(`there is no connection ${number}`);
    return wire;
  }

  private host(): Host {
    return {
      open: (number, url) => {
        this.wires.push({ url, sent: [], looked: 0, hungUp: false });
        expect(number).toBe(this.wires.length);
      },
      send: (number, message) => this.wire(number).sent.push(structuredClone(message) as Fields),
      close: (number) => (this.wire(number).hungUp = true),
      random: () => 0.5,
      wallMs: () => this.now,
      wantToken: () => this.core.token(this.given.token ?? "", this.now),
      event: (_stream, event) => this.events.push([event.stream, event.seq]),
      gap: (_stream, gap) => this.gaps.push(gap),
      subscribed: () => undefined,
      refused: (stream, error) => this.refused.push({ stream, code: error.code }),
      reply: (id) => this.published.push(this.keys.get(id) ?? ""),
      fail: (id, error: TouchlineError) => this.failed.push({ key: this.keys.get(id), code: error.code }),
      rejected: (rejection) => this.rejected.push(rejection),
      presence: () => undefined,
      told: (message) => this.told.push(message as unknown as Fields),
      status: (status) => (this.status = status),
    };
  }
}

function has(message: Fields, fields: Fields): boolean {
  return Object.entries(fields).every(([name, value]) => message[name] === value);
}
