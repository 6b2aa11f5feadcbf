// Where the figures come from: the operators' stream; and the gateway, asked over HTTP, while no edge brings it.

import { type Client, connect } from "@touchline/client";
import { batch, signal } from "@preact/signals";

import { ask, identity, loadConfig, Refused, storedToken } from "../shared/config.ts";
import { t } from "../shared/tongue.ts";
import { sentence } from "./actions.tsx";
import { joined, type Overview, type Point, pointsOf, type Snapshot, unpack } from "./figures.ts";
import { LOOKS } from "./verdict.ts";

const STREAM = "ops:overview";
/** A stream that tells every second and has told nothing for so long is not there. */
const SILENT_MS = 4000;
const EVERY_MS = 1000;
/** What the charts begin with. */
const BACK = 180;
const KEPT = 600;

export type Source = "none" | "stream" | "http";

export interface Problem {
  readonly text: string;
  readonly wantsToken: boolean;
}

export class Figures {
  readonly latest = signal<Snapshot | null>(null);
  readonly looks = signal<readonly Snapshot[]>([]);
  readonly points = signal<readonly Point[]>([]);
  readonly problem = signal<Problem | null>(null);
  readonly source = signal<Source>("none");
  /** Why there is no stream, as a sentence. */
  readonly why = signal("");

  private client: Client | null = null;
  private edges: readonly string[] = [];
  private timer = 0;
  /** When the stream last told something. */
  private heardAt = -Infinity;
  private refused = false;
  private fresh: Snapshot[] = [];
  private kept: readonly Snapshot[] = [];
  private frame = 0;

  start(): void {
    const next = () => void this.look().finally(() => (this.timer = window.setTimeout(next, EVERY_MS)));
    next();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.client?.close();
    this.client = null;
  }

  /** Somebody has pasted a token. */
  signIn(): void {
    this.client?.close();
    this.client = null;
    void this.look();
  }

  private async look(): Promise<void> {
    if (performance.now() - this.heardAt < SILENT_MS) return;
    try {
      const now = await ask<Snapshot>("/v1/ops");
      // Only now it is known that the token, or the lack of one, will do.
      await this.watch();
      if (performance.now() - this.heardAt < SILENT_MS) return;
      batch(() => {
        this.take([now]);
        this.source.value = "http";
        this.why.value = this.reason();
      });
    } catch (error) {
      const bare = error instanceof Refused && error.status === 401 && !storedToken();
      const text = bare ? t("A token is needed here.") : sentence(error);
      this.problem.value = { text, wantsToken: error instanceof Refused && error.wantsToken };
    }
  }

  private reason(): string {
    if (!this.client) return "";
    // While a first word may still come, nothing is wrong.
    if (this.heardAt === -Infinity && performance.now() < SILENT_MS) return "";
    const { state } = this.client.status;
    if (this.refused || state === "refused") return t("Live figures by HTTP: the edge refuses the stream.");
    return state === "live" ? t("Live figures by HTTP: no gateway feeds the stream.") : t("Live figures by HTTP: the edge does not answer.");
  }

  private async watch(): Promise<void> {
    if (this.edges.length === 0) this.edges = (await loadConfig()).edges;
    if (this.client) return;
    this.refused = false;
    this.client = connect({ url: this.edges, ...identity() });
    this.client.subscribe(STREAM, {
      last: BACK,
      onEvent: ({ data }) => {
        this.heardAt = performance.now();
        this.fresh.push(unpack(data as unknown as Overview));
        // What was told before the page was opened comes all at once, and is drawn once.
        if (this.frame === 0) this.frame = window.setTimeout(() => this.draw());
      },
      onRefused: () => (this.refused = true),
    });
  }

  private draw(): void {
    const fresh = this.fresh;
    [this.fresh, this.frame] = [[], 0];
    batch(() => {
      this.take(fresh);
      this.source.value = "stream";
      this.why.value = "";
    });
  }

  private take(snapshots: readonly Snapshot[]): void {
    this.kept = joined(this.kept, snapshots).slice(-KEPT - 1);
    this.points.value = pointsOf(this.kept, Infinity);
    this.latest.value = this.kept.at(-1) ?? null;
    this.looks.value = this.kept.slice(-LOOKS);
    this.problem.value = null;
  }
}
