// The connection's state, and times, in words that need no explanation.

import type { Status } from "@touchline/client";

export type Tone = "good" | "busy" | "bad";

export interface Said {
  readonly tone: Tone;
  readonly text: string;
  /** The same without its numbers, where they change all the time: to be read out. */
  readonly said?: string;
  /** More of it, where there is more to say. */
  readonly detail?: string;
}

/** `now` is on the clock that the client counts with. */
export function sayStatus(status: Status, now: number): Said {
  switch (status.state) {
    case "live":
      return status.caughtUp
        ? { tone: "good", text: "Live, caught up" }
        : { tone: "busy", text: status.behind ? `${status.behind.toLocaleString("en")} behind` : "Catching up", said: "Catching up", detail: "What you missed is coming, in order." };
    case "connecting":
      return { tone: "busy", text: "Connecting" };
    case "waiting": {
      const seconds = Math.ceil((status.retryAt - now) / 1000);
      const text = seconds > 0 ? `Back in ${seconds} s` : "Connecting";
      return { tone: "busy", text, said: "Connecting again", detail: "The connection was lost. Nothing will be missed." };
    }
    case "offline":
      return { tone: "bad", text: "No network", detail: "It goes on by itself, with everything in between." };
    case "refused":
      return { tone: "bad", text: "Not let in", detail: status.message };
    case "closed":
      return { tone: "bad", text: "Not connected" };
  }
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function clockTime(rfc3339: string): string {
  const time = new Date(rfc3339);
  return Number.isNaN(time.getTime()) ? "" : CLOCK.format(time);
}

export function fullTime(rfc3339: string): string {
  const time = new Date(rfc3339);
  return Number.isNaN(time.getTime()) ? "" : FULL.format(time);
}
