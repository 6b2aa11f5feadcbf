// The streams that are watched: where each is served, where it stands, and what an edge says about it.

import type { Host } from "./host.ts";
import type { Network } from "./network.ts";
import { type Gap, type Message, type StreamEvent, TouchlineError } from "./protocol.ts";
import type { Connection, Route } from "./route.ts";
import { type From, Subscription, wholeOf } from "./subscription.ts";
import { backOff } from "./timing.ts";

/** So many redirects are followed at once; more of them mean that the edges do not agree. */
const PATIENT_REDIRECTS = 3;

interface Watch {
  readonly subscription: Subscription;
  /** It is one of all rooms, which the home edge knows: another one may not know it yet, or any more. */
  readonly follows: boolean;
  route: Route;
  /** The connection that last confirmed it. */
  servedBy: Connection | null;
}

export class Streams {
  private readonly watches = new Map<string, Watch>();

  constructor(
    private readonly network: Network,
    private readonly host: Host,
    private readonly newId: () => number,
    /** Is told of one of all rooms that is followed no more, and how far it was. */
    private readonly left: (stream: string, cursor: number) => void,
  ) {}

  // ── what the user asks for ───────────────────────────────────────────────────────────────────────

  subscribe(stream: string, from: From, now: number, follows = false): void {
    if (this.watches.has(stream)) {
      throw new TouchlineError("bad_request", `${stream} is subscribed already: one subscription a stream.`);
    }
    const watch = { subscription: new Subscription(stream, from), follows, route: this.network.home, servedBy: null };
    this.watches.set(stream, watch);
    this.ask(watch, now);
  }

  unsubscribe(stream: string): void {
    if (!this.watches.delete(stream)) return;
    this.silence(stream);
    this.prune();
  }

  /** No more of this stream until `resume`, which goes on where it stopped. */
  pause(stream: string): void {
    const watch = this.watches.get(stream);
    if (!watch || watch.subscription.paused) return;
    watch.subscription.paused = true;
    this.silence(stream);
  }

  resume(stream: string, now: number): void {
    const watch = this.watches.get(stream);
    if (!watch?.subscription.paused) return;
    watch.subscription.paused = false;
    this.ask(watch, now);
  }

  cursor(stream: string): number | null {
    return this.watches.get(stream)?.subscription.cursor ?? null;
  }

  /** Whether a stream is watched, or the one of which it is a lane. */
  has(stream: string): boolean {
    return this.watchOf(stream) !== undefined;
  }

  routeOf(stream: string): Route {
    return this.watches.get(stream)?.route ?? this.network.home;
  }

  get caughtUp(): boolean {
    return [...this.watches.values()].every(
      ({ servedBy, subscription }) => servedBy !== null && subscription.caughtUp,
    );
  }

  /** How many missed events are still to come; null where the edges have not told. */
  get behind(): number | null {
    let behind = 0;
    for (const { servedBy, subscription } of this.watches.values()) {
      if (servedBy && subscription.caughtUp) continue;
      if (!servedBy || subscription.behind === null) return null;
      behind += subscription.behind;
    }
    return behind;
  }

  clear(): void {
    this.watches.clear();
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────

  tick(now: number): void {
    for (const watch of this.watches.values()) {
      const { subscription } = watch;
      if (subscription.retryAt === null || subscription.retryAt > now) continue;
      subscription.retryAt = null;
      this.ask(watch, now);
    }
  }

  deadline(): number {
    let least = Infinity;
    for (const { subscription } of this.watches.values()) {
      least = Math.min(least, subscription.retryAt ?? Infinity);
    }
    return least;
  }

  // ── what an edge says ────────────────────────────────────────────────────────────────────────────

  event(connection: Connection, event: StreamEvent): void {
    const watch = this.watchOf(event.stream);
    if (!watch) return;
    const { subscription } = watch;
    const { stream } = subscription;
    if (subscription.paused || connection.awaited.has(stream)) return;
    const verdict = subscription.take(event);
    if (verdict === "double") return;
    if (verdict === "hole") return this.subscribeOn(connection, watch);
    const after = subscription.holeBefore(event);
    if (after !== null) {
      this.host.gap(stream, { stream: event.stream, after, seq: event.seq, reason: "not_delivered" });
    }
    subscription.delivered(event);
    this.host.event(stream, event);
  }

  subscribed(connection: Connection, message: Message): void {
    const stream = String(message["stream"]);
    const watch = this.watches.get(stream);
    if (!watch || connection.awaited.get(stream) !== message.id) return;
    connection.awaited.delete(stream);
    const seq = Number(message["seq"]);
    const { behind } = message;
    watch.subscription.subscribed(seq, (message["cursors"] ?? {}) as Record<string, number>, typeof behind === "number" ? behind : null);
    watch.servedBy = connection;
    this.host.subscribed({ stream, seq, recovered: message["recovered"] !== false });
    this.prune();
  }

  gap({ stream, after, seq, reason }: Gap): void {
    const watch = this.watchOf(stream);
    if (!watch?.subscription.skipTo(stream, seq)) return;
    this.host.gap(watch.subscription.stream, { stream, after, seq, reason });
  }

  redirect(connection: Connection, stream: string, url: string, now: number): void {
    const watch = this.watches.get(stream);
    connection.awaited.delete(stream);
    connection.streams.delete(stream);
    if (!watch) return;
    const { subscription } = watch;
    subscription.attempt += 1;
    watch.route = this.network.routeTo(url, now);
    const back = watch.route === connection.route;
    const circles = subscription.attempt > PATIENT_REDIRECTS;
    // Another edge than the one that is named answers here, as where addresses were given anew.
    if (back && circles) this.network.drop(connection, now);
    // Edges that disagree about who serves it send a client in circles: ever more slowly.
    else if (back || circles) subscription.retryAt = now + backOff(subscription.attempt, this.host.random());
    else this.ask(watch, now);
  }

  /** An edge that was only redirected to leaves: the home edge knows who serves its streams next. */
  drain(route: Route, at: number): void {
    for (const watch of this.watches.values()) {
      if (watch.route !== route) continue;
      watch.route = this.network.home;
      watch.subscription.retryAt = at;
    }
  }

  /** Whether the refused request was a subscription, and is dealt with. */
  error(connection: Connection, id: number, error: TouchlineError, again: boolean, now: number): boolean {
    const stream = [...connection.awaited].find(([, awaited]) => awaited === id)?.[0];
    if (stream === undefined) return false;
    connection.awaited.delete(stream);
    connection.streams.delete(stream);
    const watch = this.watches.get(stream);
    if (!watch) return true;
    if (again) this.later(watch.subscription, now);
    else this.refused(connection, watch, error, now);
    return true;
  }

  /** The edge has ended a subscription by itself. */
  ended(connection: Connection, stream: unknown, error: TouchlineError, now: number): void {
    const watch = typeof stream === "string" ? this.watches.get(stream) : undefined;
    if (!watch) return;
    connection.streams.delete(watch.subscription.stream);
    this.refused(connection, watch, error, now);
  }

  private refused(connection: Connection, watch: Watch, error: TouchlineError, now: number): void {
    const { subscription } = watch;
    if (watch.follows && !connection.route.home) {
      watch.route = this.network.home;
      watch.servedBy = null;
      return this.later(subscription, now);
    }
    this.watches.delete(subscription.stream);
    if (watch.follows && subscription.cursor !== null) this.left(subscription.stream, subscription.cursor);
    this.host.refused(subscription.stream, error);
  }

  // ── connections that come and go ─────────────────────────────────────────────────────────────────

  live(connection: Connection): void {
    for (const watch of this.watches.values()) {
      const { subscription } = watch;
      if (watch.route !== connection.route || subscription.paused || subscription.retryAt !== null) continue;
      this.subscribeOn(connection, watch);
    }
  }

  lost(connection: Connection): void {
    for (const watch of this.watches.values()) {
      if (watch.servedBy !== connection) continue;
      const { stream } = watch.subscription;
      watch.servedBy = watch.route.live.find((other) => !other.awaited.has(stream)) ?? null;
    }
  }

  /** A route other than the home one is gone. */
  stranded(route: Route, now: number): void {
    for (const watch of this.watches.values()) {
      if (watch.route !== route) continue;
      watch.route = this.network.home;
      this.later(watch.subscription, now);
    }
  }

  /** Whose event this is: the stream's own subscription, or that of the stream of which it is a lane. */
  private watchOf(stream: string): Watch | undefined {
    return this.watches.get(stream) ?? this.watches.get(wholeOf(stream) ?? "");
  }

  private later(subscription: Subscription, now: number): void {
    subscription.retryAt = now + backOff(subscription.attempt++, this.host.random());
  }

  private ask(watch: Watch, now: number): void {
    for (const connection of watch.route.live) this.subscribeOn(connection, watch);
    this.network.wake(watch.route, now);
  }

  private subscribeOn(connection: Connection, { subscription }: Watch): void {
    const { stream } = subscription;
    // Asked for here before: after a hole, or because the other edges led back here.
    if (connection.streams.has(stream)) this.host.send(connection.number, { id: this.newId(), op: "unsubscribe", stream });
    const id = this.newId();
    connection.awaited.set(stream, id);
    connection.streams.add(stream);
    this.host.send(connection.number, subscription.request(id));
  }

  private silence(stream: string): void {
    for (const connection of this.network.connections.values()) {
      connection.awaited.delete(stream);
      if (!connection.streams.delete(stream) || connection.phase !== "live") continue;
      this.host.send(connection.number, { id: this.newId(), op: "unsubscribe", stream });
    }
  }

  /** Leave edges that serve nothing any more, once another has taken over. */
  private prune(): void {
    const watches = [...this.watches.values()];
    for (const route of this.network.routes) {
      const needed = watches.some((watch) => watch.route === route || watch.servedBy?.route === route);
      if (!route.home && !needed) this.network.leave(route);
    }
  }
}
