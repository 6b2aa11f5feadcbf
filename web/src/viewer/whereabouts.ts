// Where everybody was last seen, on the streams that the map follows: pure.

import type { StreamEvent } from "@touchline/client";

import { author } from "../shared/names.ts";

export interface Place {
  readonly who: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracy: number | null;
  readonly at: string;
}

/** How somebody is seen: `here` in the last minute, `quiet` for longer, `gone` when it was long ago. */
export type Seen = "here" | "quiet" | "gone";

const HERE_MS = 60_000;
/** Who says that a way has ended is not shown any more. */
const ENDS = /^(left|gone|stopped|ended|offline|retract)$/;

/** Who moved on a stream: its sender where it is the match's own, else whose stream it is. */
export function whoIn(event: StreamEvent, channel: string): string {
  const stream = event.stream.slice("location:".length);
  return stream === channel ? author(event).name || channel : stream;
}

export function moved(places: ReadonlyMap<string, Place>, events: readonly StreamEvent[], channel: string): Map<string, Place> {
  const now = new Map(places);
  for (const event of events) {
    const { lat, lon, accuracy } = event.data;
    const who = whoIn(event, channel);
    if (ENDS.test(event.type)) {
      now.delete(who);
      continue;
    }
    if (event.retracted || typeof lat !== "number" || typeof lon !== "number" || !(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180)) continue;
    now.set(who, { who, lat, lon, accuracy: typeof accuracy === "number" ? accuracy : null, at: event.server_ts });
  }
  return now;
}

export function seenAt(at: string, nowMs: number, goneMs: number): Seen {
  const ago = nowMs - Date.parse(at);
  return ago < HERE_MS ? "here" : ago < goneMs ? "quiet" : "gone";
}
