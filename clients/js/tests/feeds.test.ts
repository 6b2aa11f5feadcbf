// watchFeed: each event once and in order, whatever comes twice, and on from where it was after a lost connection.

import { describe, expect, it } from "vitest";

import type { Client } from "../src/client.ts";
import { type FeedEvent, watchFeed } from "../src/feeds.ts";
import type { Status } from "../src/host.ts";
import type { Message } from "../src/protocol.ts";

const event = (id: number): FeedEvent => ({ id: String(id), stream: "broadcast:a", seq: id, type: "post", server_ts: "", data: {} });

class Edge {
  status: Status = { state: "connecting" };
  readonly asked: Message[] = [];
  log: number[] = [];
  private told: (message: Message) => void = () => undefined;
  private changed: (status: Status) => void = () => undefined;

  async request(message: Message): Promise<Message> {
    this.asked.push(message);
    await Promise.resolve();
    const after = message["after"] === undefined ? 0 : Number(message["after"]);
    const limit = 3;
    const found = this.log.filter((id) => id > after);
    const some = message["after"] === undefined ? found.slice(-limit) : found.slice(0, limit);
    return { op: "feed", events: some.map(event).reverse(), more: found.length > limit };
  }

  onTold(listener: (message: Message) => void): () => void {
    this.told = listener;
    return () => (this.told = () => undefined);
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.changed = listener;
    return () => undefined;
  }

  become(state: "live" | "connecting"): void {
    this.status = { state } as Status;
    this.changed(this.status);
  }

  push(...ids: number[]): void {
    this.told({ op: "feed", events: ids.map(event).reverse() });
  }
}

describe("watchFeed", () => {
  it("tells each event once, and what was missed", async () => {
    const edge = new Edge();
    const seen: number[] = [];
    const end = watchFeed(edge as unknown as Client, { onEvents: (events) => seen.push(...events.map(({ seq }) => seq)) });
    edge.log = [1, 2, 3, 4];
    edge.become("live");
    await new Promise((resolve) => setTimeout(resolve));
    expect(seen).toEqual([2, 3, 4]);
    edge.push(4, 5);
    edge.push(5);
    expect(seen).toEqual([2, 3, 4, 5]);
    edge.become("connecting");
    edge.log = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    edge.become("live");
    await new Promise((resolve) => setTimeout(resolve));
    expect(seen).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
    end();
    edge.push(11);
    expect(seen.at(-1)).toBe(10);
    expect(edge.asked.at(-1)).toEqual({ op: "feed", off: true });
  });
});
