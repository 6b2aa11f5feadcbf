// Search over all: channels by the beginning of their name, and what was said and shown in any of them.

import type { StreamEvent } from "@touchline/client";
import { batch, signal } from "@preact/signals";

import { ask } from "../shared/config.ts";
import { CHANNEL } from "../shared/generated.ts";
import type { Row } from "./listing.ts";

export interface Hit {
  readonly event: StreamEvent;
  readonly highlight?: string;
}

export interface Found {
  readonly q: string;
  readonly channels: readonly Row[];
  readonly hits: readonly Hit[];
  readonly total: number;
  readonly next: string | null;
  readonly meant: string;
}

interface Answer {
  readonly total: number;
  readonly hits: readonly Hit[];
  readonly next: string | null;
  readonly did_you_mean?: string;
}

const LIMIT = 20;
const MOST_CHANNELS = 6;

export class Finding {
  readonly found = signal<Found | null>(null);
  readonly busy = signal(false);
  readonly problem = signal("");
  private running: AbortController | null = null;

  /** Nothing is asked for no words. */
  async ask(q: string): Promise<void> {
    this.running?.abort();
    if (!q) {
      batch(() => ([this.found.value, this.problem.value, this.busy.value] = [null, "", false]));
      return;
    }
    const control = (this.running = new AbortController());
    this.busy.value = true;
    const [channels, answer] = await Promise.allSettled([this.channels(q, control.signal), this.events(q, null, control.signal)]);
    if (control.signal.aborted) return;
    const said = answer.status === "fulfilled" ? answer.value : null;
    batch(() => {
      this.busy.value = false;
      this.problem.value = answer.status === "rejected" ? sentence(answer.reason) : "";
      this.found.value = {
        q, channels: channels.status === "fulfilled" ? channels.value : [],
        hits: said?.hits ?? [], total: said?.total ?? 0, next: said?.next ?? null, meant: said?.did_you_mean ?? "",
      };
    });
  }

  async more(): Promise<void> {
    const { found } = this;
    const before = found.value;
    if (!before?.next || this.busy.value) return;
    this.busy.value = true;
    try {
      const { hits, next } = await this.events(before.q, before.next);
      if (found.value === before) found.value = { ...before, hits: [...before.hits, ...hits], next };
    } catch (error) {
      this.problem.value = sentence(error);
    } finally {
      this.busy.value = false;
    }
  }

  private async channels(q: string, signal: AbortSignal): Promise<readonly Row[]> {
    if (!CHANNEL.test(q)) return [];
    return (await ask<{ channels: readonly Row[] }>(`/v1/channels?${new URLSearchParams({ prefix: q, limit: String(MOST_CHANNELS) }).toString()}`, { signal })).channels;
  }

  private events(q: string, cursor: string | null, signal?: AbortSignal): Promise<Answer> {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    return ask<Answer>(`/v1/search?${new URLSearchParams({ q, limit: String(LIMIT), zone, ...(cursor ? { cursor } : {}) }).toString()}`, signal ? { signal } : {});
  }
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
