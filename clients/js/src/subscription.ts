// One subscription's place: what was delivered, what is a double, and where something is missing, also in its lanes.

import { MAX_LANES } from "./generated.ts";
import type { StreamEvent } from "./protocol.ts";

/** Where to begin: after a `seq`, with the last n events, or (neither) with what comes from now on; and lanes where they were left.
 * With `members` it is told who comes and goes. */
export interface From {
  readonly after?: number;
  readonly last?: number;
  /** Whether to be told what reactions and votes come to. */
  readonly reactions?: boolean;
  readonly members?: boolean;
  readonly lanes?: ReadonlyMap<string, number>;
}

export type Verdict = "deliver" | "double" | "hole";

const LANE = /^(.+)~(?:0|[1-9]\d*)$/;

/** The stream that a lane is a part of: a channel that its producers spread over lanes is watched as one. */
export function wholeOf(stream: string): string | null {
  return LANE.exec(stream)?.[1] ?? null;
}

/** All that a stream's lanes may be called: `chat:final~0` and so on. */
export function lanesOf(stream: string): string[] {
  return Array.from({ length: MAX_LANES }, (_, number) => `${stream}~${number}`);
}

/** The place in one feed: the stream itself, or a lane of it. */
interface Place {
  /** The last `seq` that was delivered; null until the place is known. */
  cursor: number | null;
  /** The cursor at which a hole was asked for again: the second time it is told as a gap. */
  askedAgainAt: number | null;
}

export class Subscription {
  /** The stream's last `seq` as the edge last told. */
  head = 0;
  /** How many events are still to come up to there; null where the edge has not told. */
  behind: number | null = null;
  /** Paused: the reader is slower than the stream, and what comes is asked for again later. */
  paused = false;
  /** Failed tries in a row, and when the next is due. */
  attempt = 0;
  retryAt: number | null = null;
  private readonly own: Place;
  private readonly lanes = new Map<string, Place>();
  // Of a location only the latest counts: edges leave out older ones, and say nothing of it.
  private readonly conflates: boolean;

  constructor(
    readonly stream: string,
    readonly from: From,
  ) {
    this.own = { cursor: from.after ?? null, askedAgainAt: null };
    for (const [lane, cursor] of from.lanes ?? []) this.lanes.set(lane, { cursor, askedAgainAt: null });
    this.conflates = stream.startsWith("location:");
  }

  /** The last `seq` that was delivered of the stream itself. */
  get cursor(): number | null {
    return this.own.cursor;
  }

  /** The request that asks for this stream from where it stands. */
  request(id: number): Record<string, unknown> {
    const { last } = this.from;
    const at = this.own.cursor !== null ? { after: this.own.cursor } : last !== undefined ? { last } : {};
    const lanes = [...this.lanes].flatMap(([lane, { cursor }]) => (cursor === null ? [] : [[lane, cursor] as const]));
    const cursors = lanes.length > 0 ? { cursors: Object.fromEntries(lanes) } : {};
    const reactions = this.from.reactions === true ? { reactions: true } : {};
    const members = this.from.members === true ? { members: true } : {};
    return { id, op: "subscribe", stream: this.stream, ...at, ...cursors, ...reactions, ...members };
  }

  /** The edge took the subscription, and told the stream's head, and where it begins in each lane. */
  subscribed(head: number, lanes: Readonly<Record<string, number>>, behind: number | null): void {
    this.head = head;
    this.behind = behind;
    this.attempt = 0;
    this.retryAt = null;
    // Live only: from here on. The last n of an empty stream: from its beginning on.
    if (this.own.cursor === null && (this.from.last === undefined || head === 0)) this.own.cursor = head;
    for (const [lane, cursor] of Object.entries(lanes)) {
      if (!this.lanes.has(lane)) this.lanes.set(lane, { cursor, askedAgainAt: null });
    }
  }

  get caughtUp(): boolean {
    // Where only the latest counts there is nothing to catch up with.
    return this.paused || this.conflates || (this.own.cursor !== null && this.own.cursor >= this.head);
  }

  /** What to do with an event. A hole is asked for again once; the caller subscribes anew. */
  take(event: StreamEvent): Verdict {
    const place = this.place(event.stream);
    if (place.cursor !== null && event.seq <= place.cursor) return "double";
    if (this.holeBefore(event) !== null && place.askedAgainAt !== place.cursor) {
      place.askedAgainAt = place.cursor;
      return "hole";
    }
    return "deliver";
  }

  /** The cursor behind which something is missing before this event; null where nothing is. */
  holeBefore(event: StreamEvent): number | null {
    const { cursor } = this.place(event.stream);
    return !this.conflates && cursor !== null && event.prev !== undefined && event.prev > cursor ? cursor : null;
  }

  delivered({ stream, seq }: StreamEvent): void {
    this.place(stream).cursor = seq;
    if (this.behind) this.behind -= 1;
  }

  /** The edge said that nothing below `seq` is to be had any more; whether that is news. */
  skipTo(stream: string, seq: number): boolean {
    const place = this.place(stream);
    if (seq - 1 <= (place.cursor ?? -1)) return false;
    place.cursor = seq - 1;
    return true;
  }

  private place(feed: string): Place {
    if (feed === this.stream) return this.own;
    let place = this.lanes.get(feed);
    if (!place) this.lanes.set(feed, (place = { cursor: null, askedAgainAt: null }));
    return place;
  }
}
