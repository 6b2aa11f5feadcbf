// Saved searches as alerts: those that are mine, and what each of them finds as it happens.

import { type Client, connect, type Status, type StreamEvent } from "@touchline/client";
import { batch, signal } from "@preact/signals";

import { ask, identity, type PageConfig } from "../shared/config.ts";
import { type Alert, toAlert, type Wanted } from "./wanted.ts";
import { t } from "../shared/tongue.ts";

/** Streams of alerts that are watched at once, events of each that are read back, and those that are kept. */
const MOST_WATCHED = 100;
const LAST = 3;
const KEPT = 20;
/** An edge hears of an alert that was just saved a moment after the gateway: the stream is asked for again, ever more seldom. */
const AGAIN_MS = 1000;
const SELDOM_MS = 60_000;

export interface News {
  /** The newest first: the events that set it off. */
  readonly events: readonly StreamEvent[];
  /** How many came since somebody looked. */
  readonly fresh: number;
}

export const NO_NEWS: News = { events: [], fresh: 0 };

export class Watching {
  readonly status = signal<Status>({ state: "connecting" });
  readonly alerts = signal<readonly Alert[] | null>(null);
  readonly news = signal<ReadonlyMap<string, News>>(new Map());
  readonly problem = signal("");
  readonly announcement = signal("");
  private readonly client: Client;
  private readonly unwatch = new Map<string, () => void>();
  private again: ReturnType<typeof setTimeout> | undefined;
  private againMs = AGAIN_MS;
  private closed = false;

  constructor(config: PageConfig) {
    this.client = connect({ url: config.edges, ...identity() });
    this.status.value = this.client.status;
    this.client.onStatus((status) => (this.status.value = status));
    void this.look();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.again);
    this.client.close();
  }

  /** Which alerts there are, and watch them. */
  async look(): Promise<void> {
    await this.trying(async () => {
      const { alerts } = await ask<{ alerts: readonly Alert[] }>("/v1/alerts");
      if (this.closed) return;
      this.alerts.value = alerts;
      const watched = alerts.slice(0, MOST_WATCHED);
      for (const { id } of watched) if (!this.unwatch.has(id)) this.watch(id);
      for (const [id, stop] of this.unwatch) {
        if (watched.some((alert) => alert.id === id)) continue;
        stop();
        this.unwatch.delete(id);
      }
    });
  }

  /** Resolves to whether it was saved. */
  async save(id: string, wanted: Wanted): Promise<boolean> {
    return await this.trying(async () => {
      await ask(`/v1/alerts/${encodeURIComponent(id)}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(toAlert(wanted)) });
      this.announcement.value = t("The alert {id} is saved.", { id });
      await this.look();
    });
  }

  async remove(id: string): Promise<void> {
    await this.trying(async () => {
      await ask(`/v1/alerts/${encodeURIComponent(id)}`, { method: "DELETE" });
      this.announcement.value = t("The alert {id} is removed.", { id });
      await this.look();
    });
  }

  /** Somebody has looked at what it told. */
  seen(id: string): void {
    this.news.value = new Map(this.news.value).set(id, { ...(this.news.value.get(id) ?? NO_NEWS), fresh: 0 });
  }

  private watch(id: string): void {
    const refused = () => {
      this.unwatch.delete(id);
      clearTimeout(this.again);
      this.again = setTimeout(() => void this.look(), this.againMs);
      this.againMs = Math.min(2 * this.againMs, SELDOM_MS);
    };
    // What comes after the place at which the subscription began is news; what is read back is not.
    let begun = Infinity;
    const stop = this.client.subscribe(`broadcast:alert-${id}`, {
      last: LAST,
      onSubscribed: ({ seq }) => [begun, this.againMs] = [Math.min(begun, seq), AGAIN_MS],
      onEvent: (event) => this.told(id, event, event.seq > begun),
      onRefused: refused,
    });
    this.unwatch.set(id, stop);
  }

  private told(id: string, event: StreamEvent, fresh: boolean): void {
    if (event.type === "alert_suspended") return void this.look();
    const found = event.data["event"] as StreamEvent | undefined;
    if (!found || event.retracted) return;
    const before = this.news.value.get(id) ?? NO_NEWS;
    batch(() => {
      this.news.value = new Map(this.news.value).set(id, { events: [found, ...before.events].slice(0, KEPT), fresh: before.fresh + (fresh ? 1 : 0) });
      if (fresh) this.announcement.value = t("{id}: something new.", { id });
    });
  }

  private async trying(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.problem.value = "";
      return true;
    } catch (error) {
      this.problem.value = error instanceof Error ? error.message : t("It was refused.");
      return false;
    }
  }
}
