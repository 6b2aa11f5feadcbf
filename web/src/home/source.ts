// What is on, asked for again and again while somebody looks; and of what is live, how it stands.

import type { StreamEvent } from "@touchline/client";
import { batch, computed, signal } from "@preact/signals";

import { ask, Refused } from "../shared/config.ts";
import { type Match, NO_MATCH } from "../viewer/match.ts";
import { Ticker } from "../viewer/ticker.ts";
import { type Order, type Row, type Soon, soonOf, sorted } from "./listing.ts";

const EVERY_MS = 10_000;
const SHOWN = 24;
/** Of so many it is asked how they stand. */
const LOOKED_AT = 12;
const TOLD = 60;

interface Channels {
  readonly channels: readonly Row[];
}

export class Home {
  readonly order = signal<Order>("viewers");
  readonly loaded = signal(false);
  readonly problem = signal("");
  /** Why nobody is let in; empty: they are. */
  readonly refused = signal("");
  readonly now = signal(Date.now());
  readonly matches = signal<ReadonlyMap<string, Match>>(new Map());
  private readonly watched = signal<readonly Row[]>([]);
  private readonly active = signal<readonly Row[]>([]);
  private readonly announced = signal<readonly StreamEvent[]>([]);
  readonly rows = computed(() => sorted(this.watched.value, this.active.value, this.announced.value, this.now.value, this.order.value, this.first));
  readonly soon = computed<readonly Soon[]>(() => soonOf(this.announced.value, this.now.value));
  /** How far each channel was known when it was asked how it stands. */
  private readonly stood = new Map<string, string | null>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly first: string) {}

  start(): () => void {
    const look = () => {
      clearTimeout(this.timer);
      if (document.visibilityState === "visible") void this.load();
    };
    const clock = setInterval(() => (this.now.value = Date.now()), 1000);
    document.addEventListener("visibilitychange", look);
    addEventListener("online", look);
    look();
    return () => {
      clearTimeout(this.timer);
      clearInterval(clock);
      document.removeEventListener("visibilitychange", look);
      removeEventListener("online", look);
    };
  }

  async load(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const [watched, active] = await Promise.all([
        ask<Channels>(`/v1/channels?sort=viewers&live=1&limit=${SHOWN}`),
        ask<Channels>(`/v1/channels?sort=activity&limit=${2 * SHOWN}`),
      ]);
      batch(() => {
        [this.watched.value, this.active.value, this.now.value] = [watched.channels, active.channels, Date.now()];
        [this.loaded.value, this.problem.value, this.refused.value] = [true, "", ""];
      });
      await Promise.all([this.lookAhead(), ...this.rows.value.live.slice(0, LOOKED_AT).map((row) => this.lookAt(row))]);
    } catch (error) {
      const why = error instanceof Error ? error.message : "";
      if (error instanceof Refused && error.wantsToken) this.refused.value = why;
      else this.problem.value = why;
    } finally {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => document.visibilityState === "visible" && void this.load(), EVERY_MS);
    }
  }

  /** What was announced. A channel whose past may not be searched announces nothing here. */
  private async lookAhead(): Promise<void> {
    try {
      const q = "type:scheduled OR type:cancelled";
      const { hits } = await ask<{ hits: readonly { event: StreamEvent }[] }>(`/v1/search?${new URLSearchParams({ q, kind: "broadcast", sort: "newest", limit: "100" }).toString()}`);
      this.announced.value = hits.map(({ event }) => event);
    } catch {
      // What was known stays; the lists say what is wrong.
    }
  }

  /** How a channel's match stands, where something has happened since it was last asked. */
  private async lookAt({ channel, last }: Row): Promise<void> {
    if (this.stood.has(channel) && this.stood.get(channel) === last) return;
    this.stood.set(channel, last);
    try {
      const { events } = await ask<{ events: readonly StreamEvent[] }>(`/v1/streams/broadcast/${encodeURIComponent(channel)}/events?limit=${TOLD}`);
      const ticker = new Ticker(TOLD);
      ticker.append(events);
      if (ticker.match !== NO_MATCH) this.matches.value = new Map(this.matches.value).set(channel, ticker.match);
    } catch {
      this.stood.delete(channel);
    }
  }
}
