// All rooms of a user: what is asked for anew on each connection, what this device has. The Python client has its twin.

import { MAX_SEQS } from "./generated.ts";
import type { Host } from "./host.ts";
import type { Network } from "./network.ts";
import type { Gap, Message, StreamEvent, TouchlineError } from "./protocol.ts";
import type { Connection } from "./route.ts";

/** Acknowledgements of so long go together. */
const ACK_MS = 100;
/** What was refused for now is asked again after this. */
const AGAIN_MS = 1000;
const PUSHES = new Set(["inbox", "receipt", "typing", "join", "leave", "near", "away", "reactions", "poll", "feed"]);

export class Together {
  private syncs = false;
  private rows = 0;
  private readonly asked = new Set<number>();
  private readonly cursors = new Map<string, number>();
  private readonly acks = new Map<string, number>();
  private ackAt = Infinity;
  private againAt = Infinity;

  constructor(
    private readonly network: Network,
    private readonly host: Host,
    private readonly newId: () => number,
  ) {}

  /** Follow all rooms from now on, on whatever connection. */
  sync(): void {
    if (this.syncs) return;
    this.syncs = true;
    this.ask({ op: "sync" });
  }

  /** The rows of all rooms, and their changes from then on; 0: no more. */
  inbox(limit: number): void {
    const before = this.rows;
    this.rows = limit;
    if (limit > 0) this.ask({ op: "inbox", limit });
    else if (before > 0) this.ask({ op: "inbox", off: true });
  }

  /** This device has it. What cannot be said now is said on the next connection. */
  ack(stream: string, seq: number, now: number): void {
    this.acks.set(stream, Math.max(seq, this.acks.get(stream) ?? 0));
    this.ackAt = Math.min(this.ackAt, now + ACK_MS);
  }

  clear(): void {
    this.syncs = false;
    this.rows = 0;
    this.ackAt = this.againAt = Infinity;
    this.acks.clear();
  }

  tick(now: number): void {
    if (now >= this.ackAt) {
      this.ackAt = Infinity;
      this.flush();
    }
    if (now < this.againAt) return;
    this.againAt = Infinity;
    const [connection] = this.network.home.live;
    if (connection) this.live(connection);
  }

  deadline(): number {
    return Math.min(this.ackAt, this.againAt);
  }

  /** A connection is ready: ask anew. */
  live(connection: Connection): void {
    if (!connection.route.home) return;
    this.flush();
    if (this.syncs) this.send(connection, { op: "sync" });
    if (this.rows > 0) this.send(connection, { op: "inbox", limit: this.rows });
  }

  /** An event of a stream that is not watched by itself. */
  event(event: StreamEvent): void {
    if (!this.syncs || event.seq <= (this.cursors.get(event.stream) ?? 0)) return;
    this.cursors.set(event.stream, event.seq);
    this.host.event(event.stream, event);
  }

  /** A stream that is served elsewhere ended there: whoever comes back to the room has this already. */
  left(stream: string, cursor: number): void {
    this.cursors.set(stream, Math.max(cursor, this.cursors.get(stream) ?? 0));
  }

  /** From where on a stream is followed that is served elsewhere. */
  after(stream: string, told: number): number {
    return Math.max(told, this.cursors.get(stream) ?? 0);
  }

  gap(gap: Gap): void {
    if (!this.syncs || gap.seq <= (this.cursors.get(gap.stream) ?? 0)) return;
    this.cursors.set(gap.stream, gap.seq - 1);
    this.host.gap(gap.stream, gap);
  }

  /** Whether this is an answer to what is asked here, or told unasked. */
  takes(message: Message): boolean {
    const known = message.id === undefined ? PUSHES.has(message.op) : this.asked.delete(message.id);
    if (known) this.host.told(message);
    return known;
  }

  /** Whether what was refused was asked here, and is dealt with. */
  error(id: number, error: TouchlineError, again: boolean, now: number): boolean {
    if (!this.asked.delete(id)) return false;
    if (again) this.againAt = Math.min(this.againAt, now + AGAIN_MS);
    else this.host.refused("", error);
    return true;
  }

  private flush(): void {
    const [connection] = this.network.home.live;
    while (connection && this.acks.size > 0) {
      const some = [...this.acks].slice(0, MAX_SEQS);
      for (const [stream] of some) this.acks.delete(stream);
      this.host.send(connection.number, { op: "ack", seqs: Object.fromEntries(some) });
    }
  }

  private ask(message: Readonly<Record<string, unknown>>): void {
    const [connection] = this.network.home.live;
    if (connection) this.send(connection, message);
  }

  private send(connection: Connection, message: Readonly<Record<string, unknown>>): void {
    const id = this.newId();
    this.asked.add(id);
    this.host.send(connection.number, { id, ...message });
  }
}
