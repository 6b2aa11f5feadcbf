// What is scheduled on a stream: kept and posted by the pipeline, whoever has gone home by then.

import { Schedule, type Scheduled, TouchlineError } from "@touchline/client";
import { signal } from "@preact/signals";

import { identity } from "../shared/config.ts";
import type { Post } from "./play.ts";
import { t } from "../shared/tongue.ts";

const LOOK_MS = 4000;
/** Who gets these may not publish. */
const NOT_LET_IN: ReadonlySet<string> = new Set(["unauthorized", "forbidden", "muted"]);

export class Later {
  readonly posts = signal<readonly Scheduled[]>([]);
  /** Why nothing can be posted here; empty: it can. */
  readonly refused = signal("");
  private readonly schedule = new Schedule(identity());
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly stream: string) {
    this.timer = setInterval(() => { if (!document.hidden) void this.refresh(); }, LOOK_MS);
    void this.refresh();
  }

  close(): void {
    clearInterval(this.timer);
  }

  async refresh(): Promise<void> {
    try {
      [this.posts.value, this.refused.value] = [await this.schedule.list(this.stream), ""];
    } catch (error) {
      // What cannot be asked now is asked again in a moment; who may not publish is told so.
      if (error instanceof TouchlineError && NOT_LET_IN.has(error.code)) this.refused.value = t("You can only watch here. {message}", { message: error.message });
    }
  }

  /** Rejects with a sentence. */
  async put({ type, data }: Pick<Post, "type" | "data">, atMs: number, id = newId()): Promise<void> {
    await this.schedule.put(this.stream, id, { at: atMs, type, data });
    await this.refresh();
  }

  /** Rejects with a sentence. */
  async remove(id: string): Promise<void> {
    await this.schedule.remove(this.stream, id).finally(() => this.refresh());
  }
}

function newId(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}

/** When is meant: `+10m`, `+90s`, `+1h`, or a time of day, which is tomorrow's where today's is over. Null: neither. */
export function timeOf(text: string, nowMs: number): number | null {
  const [, number, unit] = /^\s*\+\s*(\d{1,4})\s*([smh]?)\s*$/i.exec(text) ?? [];
  if (number !== undefined) return nowMs + Number(number) * { s: 1000, m: 60_000, h: 3_600_000 }[(unit || "m").toLowerCase() as "s" | "m" | "h"];
  const [, hours, minutes, seconds] = /^\s*(\d{1,2}):(\d{2})(?::(\d{2}))?\s*$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds ?? 0) > 59) return null;
  const at = new Date(nowMs);
  at.setHours(Number(hours), Number(minutes), Number(seconds ?? 0), 0);
  if (at.getTime() < nowMs) at.setDate(at.getDate() + 1);
  return at.getTime();
}

/** How long until then: `in 1:05`, `in 3 h 20 min`. */
export function sayUntil(atMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((atMs - nowMs) / 1000));
  if (seconds < 3600) return t("in {time}", { time: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` });
  return t("in {h} h {min} min", { h: Math.floor(seconds / 3600), min: Math.floor((seconds % 3600) / 60) });
}
