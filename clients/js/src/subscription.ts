// One stream's place: what was delivered, what is a double, and where something is missing.

import type { StreamEvent } from "./protocol.ts";

/** Where to begin: after a `seq`, with the last n events, or (null) with what comes from now on. */
export type From = { readonly after: number } | { readonly last: number } | null;

export type Verdict = "deliver" | "double" | "hole";

export class Subscription {
  /** The last `seq` that was delivered; null until the stream's place is known. */
  cursor: number | null;
  /** The stream's last `seq` as the edge last told. */
  head = 0;
  /** Paused: the reader is slower than the stream, and what comes is asked for again later. */
  paused = false;
  /** Failed tries in a row, and when the next is due. */
  attempt = 0;
  retryAt: number | null = null;
  /** The cursor at which a hole was asked for again: the second time it is told as a gap. */
  private askedAgainAt: number | null = null;
  // Of a location only the latest counts: edges leave out older ones, and say nothing of it.
  private readonly conflates: boolean;

  constructor(
    readonly stream: string,
    readonly from: From,
  ) {
    this.cursor = from !== null && "after" in from ? from.after : null;
    this.conflates = stream.startsWith("location:");
  }

  /** The request that asks for this stream from where it stands. */
  request(id: number): Record<string, unknown> {
    const at = this.cursor !== null ? { after: this.cursor } : this.from;
    return { id, op: "subscribe", stream: this.stream, ...at };
  }

  /** The edge took the subscription, and told the stream's head. */
  subscribed(head: number): void {
    this.head = head;
    this.attempt = 0;
    this.retryAt = null;
    // Live only: from here on. The last n of an empty stream: from its beginning on.
    if (this.cursor === null && (this.from === null || head === 0)) this.cursor = head;
  }

  get caughtUp(): boolean {
    // Where only the latest counts there is nothing to catch up with.
    return this.paused || this.conflates || (this.cursor !== null && this.cursor >= this.head);
  }

  /** What to do with an event. A hole is asked for again once; the caller subscribes anew. */
  take(event: StreamEvent): Verdict {
    if (this.cursor !== null && event.seq <= this.cursor) return "double";
    if (this.isHole(event) && this.askedAgainAt !== this.cursor) {
      this.askedAgainAt = this.cursor;
      return "hole";
    }
    return "deliver";
  }

  /** Whether the stream had something between the cursor and this event. */
  isHole(event: StreamEvent): boolean {
    return !this.conflates && this.cursor !== null && event.prev !== undefined && event.prev > this.cursor;
  }

  delivered(seq: number): void {
    this.cursor = seq;
  }

  /** The edge said that nothing below `seq` is to be had any more. */
  skipTo(seq: number): void {
    this.cursor = Math.max(this.cursor ?? 0, seq - 1);
  }
}
