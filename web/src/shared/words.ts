// The connection's state, and how long ago something was, in words that need no explanation.

import type { Status } from "@touchline/client";

import { many, number, t } from "./tongue.ts";

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
        ? { tone: "good", text: t("Live, caught up") }
        : { tone: "busy", text: status.behind ? t("{n} behind", { n: number(status.behind) }) : t("Catching up"), said: t("Catching up"), detail: t("What you missed is coming, in order.") };
    case "connecting":
      return { tone: "busy", text: t("Connecting") };
    case "waiting": {
      const seconds = Math.ceil((status.retryAt - now) / 1000);
      const text = seconds > 0 ? t("Back in {n} s", { n: seconds }) : t("Connecting");
      return { tone: "busy", text, said: t("Connecting again"), detail: t("The connection was lost. Nothing will be missed.") };
    }
    case "offline":
      return { tone: "bad", text: t("No network"), detail: t("It goes on by itself, with everything in between.") };
    case "refused":
      return { tone: "bad", text: t("Not let in"), detail: status.message };
    case "closed":
      return { tone: "bad", text: t("Not connected") };
  }
}

/** How long ago something was, as far as it matters. */
export function sayAge(at: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(at)) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 10) return t("just now");
  if (seconds < 60) return t("{n} s ago", { n: Math.floor(seconds / 10) * 10 });
  if (seconds < 3600) return t("{n} min ago", { n: Math.floor(seconds / 60) });
  if (seconds < 86_400) return t("{n} h ago", { n: Math.floor(seconds / 3600) });
  return many(Math.floor(seconds / 86_400), "{n} day ago", "{n} days ago");
}
