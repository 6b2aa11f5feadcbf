// The figures of hours: asked for over HTTP, and asked again while they are looked at.

import { batch, signal } from "@preact/signals";

import { ask } from "../shared/config.ts";
import { locale, many, t } from "../shared/tongue.ts";
import { sentence } from "./actions.tsx";
import { type Overview, type Point, pointsOf, unpack } from "./figures.ts";

/** What one may look at, in minutes; 0: the last ten, as they come. */
export const RANGES = [[0, "10 min"], [60, "1 h"], [360, "6 h"], [1440, "24 h"]] as const;
const POINTS = 240;
const MINUTE_MS = 60_000;

interface Answer {
  readonly every_ms: number;
  readonly kept_hours: number;
  readonly since_ms: number | null;
  readonly looks: readonly Overview[];
}

export class Past {
  readonly minutes = signal(0);
  readonly points = signal<readonly Point[]>([]);
  /** What is to be known about them: from when on they are kept, or why there are none. */
  readonly note = signal("");
  private timer = 0;
  private asked = 0;

  choose(minutes: number): void {
    clearTimeout(this.timer);
    batch(() => {
      this.minutes.value = minutes;
      this.points.value = [];
      this.note.value = minutes ? t("Looking…") : "";
    });
    if (minutes) void this.look(++this.asked);
  }

  private async look(asked: number): Promise<void> {
    const minutes = this.minutes.value;
    let wait = MINUTE_MS / 4;
    try {
      const told = await ask<Answer>(`/v1/ops/past?minutes=${minutes}&points=${POINTS}`);
      if (asked !== this.asked || this.minutes.value === 0) return;
      wait = told.every_ms;
      batch(() => {
        this.points.value = pointsOf(told.looks.map(unpack), Math.max(told.every_ms, (minutes * MINUTE_MS) / POINTS));
        this.note.value = note(told, minutes);
      });
    } catch (error) {
      if (asked !== this.asked || this.minutes.value === 0) return;
      this.note.value = sentence(error);
    }
    this.timer = window.setTimeout(() => void this.look(asked), wait);
  }
}

function note({ kept_hours: hours, since_ms: since }: Answer, minutes: number): string {
  if (hours === 0) return t("No figures are kept here: ops.past_hours or gateway.ops_every_s is 0.");
  if (since === null) return t("Nothing is kept yet: the first look comes within a minute.");
  if (Date.now() - since > minutes * MINUTE_MS) return many(hours, "Kept on the log for {n} hour.", "Kept on the log for {n} hours.");
  const time = new Date(since).toLocaleString(locale.value, { dateStyle: "medium", timeStyle: "short" });
  return many(hours, "Kept on the log for {n} hour; the eldest is of {time}.", "Kept on the log for {n} hours; the eldest is of {time}.", { time });
}
