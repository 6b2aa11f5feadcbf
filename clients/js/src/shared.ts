// A stream as a page shows it: its latest events as one value, from one subscription, however many look at it.

import type { Client } from "./client.ts";
import type { Gap, StreamEvent, TouchlineError } from "./protocol.ts";

/** Looked at this often: a busy stream is drawn once for all events that came meanwhile. */
const DRAW_MS = 16;

export interface Shown {
  /** The latest ones, in order, the newest last. */
  readonly events: readonly StreamEvent[];
  /** What is not to be had any more, if something is: the last such hole. */
  readonly gap: Gap | null;
  /** How many watch it, once the edge has told. */
  readonly viewers: number | null;
  /** Whether the edge has said yes. */
  readonly ready: boolean;
  /** The edge refuses the stream, for good. */
  readonly error: TouchlineError | null;
}

export interface ShowOptions {
  /** Begin with the last n events. */
  readonly last?: number;
  /** Begin after this `seq`; 0 is the stream's start. */
  readonly after?: number;
  /** How many of the latest events are kept; 200 unless more are asked for with `last`. */
  readonly keep?: number;
}

export const NOTHING: Shown = { events: [], gap: null, viewers: null, ready: false, error: null };

const shared = new WeakMap<Client, Map<string, SharedStream>>();

/** The subscription of this client to this stream; who comes first says where it begins. */
export function sharedStream(client: Client, stream: string, options: ShowOptions): SharedStream {
  const streams = shared.get(client) ?? new Map<string, SharedStream>();
  shared.set(client, streams);
  const found = streams.get(stream) ?? new SharedStream(client, stream, options, () => streams.delete(stream));
  streams.set(stream, found);
  return found;
}

/** What is shown of it now; nothing where nobody looks. */
export function shownOf(client: Client, stream: string): Shown {
  return shared.get(client)?.get(stream)?.shown ?? NOTHING;
}

class SharedStream {
  shown = NOTHING;
  private readonly listeners = new Set<() => void>();
  private readonly keeps: number[] = [];
  private came: StreamEvent[] = [];
  private change: Partial<Shown> = {};
  private drawing: ReturnType<typeof setTimeout> | undefined;
  private end: (() => void) | undefined;

  constructor(
    private readonly client: Client,
    private readonly stream: string,
    private readonly options: ShowOptions,
    private readonly gone: () => void,
  ) {}

  /** Calls back when what is shown changes; returns what ends that. The last one to leave ends the subscription. */
  look(listener: () => void, keep: number): () => void {
    // A listener of one's own: the same function may look twice.
    const told = () => listener();
    this.listeners.add(told);
    this.keeps.push(keep);
    if (!this.end) this.begin();
    let here = true;
    return () => {
      if (!here) return;
      here = false;
      this.listeners.delete(told);
      this.keeps.splice(this.keeps.indexOf(keep), 1);
      // Not at once: React takes a component down and puts it up again, and that need not reach the edge.
      if (this.listeners.size === 0) setTimeout(() => this.leave(), 0);
    };
  }

  private begin(): void {
    const { last, after } = this.options;
    this.end = this.client.subscribe(this.stream, {
      ...(last === undefined ? {} : { last }),
      ...(after === undefined ? {} : { after }),
      onEvent: (event) => {
        this.came.push(event);
        if (this.came.length > 2 * this.keep) this.came = this.came.slice(-this.keep);
        this.draw({});
      },
      onGap: (gap) => this.draw({ gap }),
      onPresence: (viewers) => this.draw({ viewers }),
      onSubscribed: () => this.draw({ ready: true, error: null }),
      onRefused: (error) => this.draw({ ready: false, error }),
    });
  }

  private leave(): void {
    if (this.listeners.size > 0) return;
    clearTimeout(this.drawing);
    this.end?.();
    this.end = undefined;
    this.gone();
  }

  private get keep(): number {
    return Math.max(0, ...this.keeps);
  }

  private draw(change: Partial<Shown>): void {
    this.change = { ...this.change, ...change };
    this.drawing ??= setTimeout(() => {
      this.drawing = undefined;
      const events = this.came.length > 0 ? [...this.shown.events, ...this.came].slice(-this.keep) : this.shown.events;
      this.shown = { ...this.shown, ...this.change, events };
      [this.came, this.change] = [[], {}];
      this.listeners.forEach((listener) => listener());
    }, DRAW_MS);
  }
}
