// The client's state machine, without sockets or timers: messages and the time come in, calls of the host go out.

import { CLOSE, CLOSE_SENTENCES } from "./generated.ts";
import type { Host, Status } from "./host.ts";
import { Network } from "./network.ts";
import { countsEachTime, Pending, type Request } from "./pending.ts";
import {
  type Gap,
  type Message,
  messages,
  type Rejection,
  type StreamEvent,
  TouchlineError,
  type Welcome,
} from "./protocol.ts";
import type { Connection, Route } from "./route.ts";
import { Streams } from "./streams.ts";
import type { From } from "./subscription.ts";
import { backOff, renewIn } from "./timing.ts";
import { Together } from "./together.ts";

const MOST_TRIES = 5;

export interface CoreOptions {
  readonly urls: readonly string[];
  /** Whether `host.wantToken()` can be answered. */
  readonly hasToken: boolean;
  readonly requestTimeoutMs: number;
}

export class Core {
  private readonly network: Network;
  private readonly streams: Streams;
  private readonly together: Together;
  private readonly pending = new Pending();
  private readonly authentications = new Set<number>();
  private nextId = 1;
  private running = false;
  private refusal: TouchlineError | null = null;
  private tokenText: string | null = null;
  private tokenAsked = false;
  private renewAt = Infinity;
  private told = "";

  constructor(
    private readonly options: CoreOptions,
    private readonly host: Host,
  ) {
    this.network = new Network(options.urls, host, {
      lost: (connection, code) => {
        if (code === CLOSE.RENEW_TOKEN) this.tokenText = null;
        this.lost(connection);
      },
      refused: (code) => this.refuse(code === CLOSE.BAD_TOKEN ? "unauthorized" : "forbidden", closeSentence(code)),
      stranded: (route, now) => this.streams.stranded(route, now),
    });
    const together = new Together(this.network, host, () => this.nextId++);
    this.together = together;
    this.streams = new Streams(this.network, host, () => this.nextId++, (stream, cursor) => together.left(stream, cursor));
  }

  // ── what the host tells ──────────────────────────────────────────────────────────────────────────

  start(now: number): void {
    if (this.running) return;
    this.running = true;
    this.network.halted = false;
    this.network.wake(this.network.home, now);
    this.tick(now);
  }

  stop(): void {
    this.running = false;
    this.leaveAll();
    this.failAll(new TouchlineError("closed", "The client was closed."));
    this.streams.clear();
    this.together.clear();
    this.tell();
  }

  closed(number: number, code: number, now: number): void {
    this.network.closed(number, code, now);
    this.tell();
  }

  received(number: number, text: string, now: number): void {
    const connection = this.network.connections.get(number);
    if (!connection) return;
    connection.heardAt = now;
    connection.pongBy = null;
    for (const message of messages(text)) {
      if (message.op === "event") this.event(connection, message as unknown as StreamEvent);
      else this.message(connection, message, now);
    }
    this.tell();
  }

  tick(now: number): void {
    this.network.tick(now);
    this.streams.tick(now);
    this.together.tick(now);
    for (const { id } of this.pending.expired(now)) {
      this.fail(id, new TouchlineError("unavailable", "No answer came in time: it may or may not have been done."));
    }
    for (const request of this.pending.all()) {
      if (request.retryAt !== null && request.retryAt <= now) this.send(request);
    }
    if (now >= this.renewAt) this.wantToken();
    this.tell();
  }

  /** When `tick` is due next; Infinity if never. */
  deadline(): number {
    if (!this.running) return Infinity;
    const { network, pending, streams, together } = this;
    return Math.min(network.deadline(), pending.deadline(), streams.deadline(), together.deadline(), this.renewAt);
  }

  /** The machine's network went or came. */
  setOnline(online: boolean, now: number): void {
    if (online !== this.network.online) this.network.setOnline(online, now);
    this.tick(now);
  }

  /** The page is looked at again: timers may have slept, and somebody waits. */
  shown(now: number): void {
    this.network.doubt(now);
    this.tick(now);
  }

  token(text: string, now: number): void {
    this.tokenAsked = false;
    this.tokenText = text;
    this.renewAt = now + (renewIn(text, this.host.wallMs()) ?? Infinity);
    for (const connection of this.network.connections.values()) {
      if (connection.phase !== "opening") this.authenticate(connection);
    }
  }

  /** There is no token to be had right now. */
  noToken(now: number): void {
    this.tokenAsked = false;
    this.renewAt = Infinity;
    for (const connection of this.network.connections.values()) {
      if (connection.phase === "authenticating") this.network.drop(connection, now);
    }
    this.tell();
  }

  // ── what the user asks for ───────────────────────────────────────────────────────────────────────

  subscribe(stream: string, from: From, now: number): void {
    this.streams.subscribe(stream, from, now);
    this.network.tick(now);
    this.tell();
  }

  unsubscribe(stream: string): void {
    this.streams.unsubscribe(stream);
    this.tell();
  }

  /** The reader cannot keep up: no more of this stream until `resume`, which goes on where it stopped. */
  pause(stream: string): void {
    this.streams.pause(stream);
  }

  resume(stream: string, now: number): void {
    this.streams.resume(stream, now);
  }

  /** Sends a request, now or when there is a connection; `reply` or `fail` follows with the id that this returns. */
  request(message: Readonly<Record<string, unknown>>, stream: string, now: number): number {
    if (!this.running) throw new TouchlineError("closed", "The client was closed.");
    if (this.refusal) throw this.refusal;
    if (this.pending.full) throw new TouchlineError("queue_full", "Too many requests wait for their answer.");
    const id = this.nextId++;
    const deadline = now + this.options.requestTimeoutMs;
    const request = { id, stream, message, deadline, connection: null, attempt: 0, retryAt: null };
    this.pending.add(request);
    this.send(request);
    return id;
  }

  /** Follow all rooms of the user; their events come as those of streams that are watched. */
  sync(): void {
    this.together.sync();
  }

  /** The rows of all rooms, and what changes of them; 0: no more. */
  inbox(limit: number): void {
    this.together.inbox(limit);
  }

  /** Tell soon that this device has it; cumulative. */
  ack(stream: string, seq: number, now: number): void {
    this.together.ack(stream, seq, now);
  }

  cursor(stream: string): number | null {
    return this.streams.cursor(stream);
  }

  status(): Status {
    if (this.refusal) return { state: "refused", code: this.refusal.code, message: this.refusal.message };
    if (!this.running) return { state: "closed" };
    const { home, online } = this.network;
    if (home.live.some((connection) => this.network.believes(connection))) {
      return { state: "live", caughtUp: this.streams.caughtUp, behind: this.streams.behind };
    }
    if (!online) return { state: "offline" };
    if (home.dueAt !== null && home.connections.length === 0) return { state: "waiting", retryAt: home.dueAt };
    return { state: "connecting" };
  }

  // ── what the edge says ───────────────────────────────────────────────────────────────────────────

  private event(connection: Connection, event: StreamEvent): void {
    if (this.streams.has(event.stream)) this.streams.event(connection, event);
    else this.together.event(event);
  }

  private gap(gap: Gap): void {
    if (this.streams.has(gap.stream)) this.streams.gap(gap);
    else this.together.gap(gap);
  }

  private message(connection: Connection, message: Message, now: number): void {
    switch (message.op) {
      case "welcome":
        return this.welcome(connection, message as unknown as Welcome, now);
      case "subscribed":
        this.streams.subscribed(connection, message);
        return this.handOver(connection.route);
      case "gap":
        return this.gap(message as unknown as Gap);
      case "redirect":
        if (typeof message["after"] === "number" && !this.streams.has(String(message["stream"]))) {
          // One of all rooms: it is asked for by itself, and this edge says again where.
          const stream = String(message["stream"]);
          return this.streams.subscribe(stream, { after: this.together.after(stream, message["after"]) }, now, true);
        }
        this.streams.redirect(connection, String(message["stream"]), String(message["url"]), now);
        this.network.tick(now);
        return this.handOver(connection.route);
      case "drain":
        return this.drain(connection, message["reconnect_in_ms"], now);
      case "rejected":
        return this.host.rejected(message as unknown as Rejection);
      case "error":
        return this.error(connection, message, now);
      case "presence":
        if (message.id === undefined) {
          return this.host.presence(String(message["stream"]), Number(message["viewers"]));
        }
    }
    if (this.together.takes(message) || message.id === undefined) return;
    if (this.authentications.delete(message.id)) return this.goLive(connection, now);
    if (!this.pending.get(message.id)) return;
    this.pending.remove(message.id);
    this.host.reply(message.id, message);
  }

  private welcome(connection: Connection, welcome: Welcome, now: number): void {
    connection.heartbeatMs = welcome.heartbeat_ms ?? connection.heartbeatMs;
    connection.jitterMs = welcome.reconnect_jitter_ms ?? connection.jitterMs;
    if (this.options.hasToken) {
      connection.phase = "authenticating";
      if (this.tokenText === null || now >= this.renewAt) this.wantToken();
      else if (!this.tokenAsked) this.authenticate(connection);
    } else if (welcome.auth === "required") {
      this.refuse("unauthorized", "This edge asks for a token, and there is none.");
    } else this.goLive(connection, now);
  }

  private goLive(connection: Connection, now: number): void {
    if (connection.phase === "live") return;
    connection.phase = "live";
    connection.liveSince = now;
    this.streams.live(connection);
    this.together.live(connection);
    this.sendOrphans();
    this.handOver(connection.route);
  }

  private drain(connection: Connection, inMs: unknown, now: number): void {
    const wait = typeof inMs === "number" ? inMs : this.host.random() * connection.jitterMs;
    if (connection.route.home) return this.network.drain(connection, wait, now);
    this.streams.drain(connection.route, now + wait);
  }

  private error(connection: Connection, message: Message, now: number): void {
    const error = new TouchlineError(String(message["code"]), String(message["message"]));
    const again = message["retry"] === true;
    if (message.id === undefined) return this.streams.ended(connection, message["stream"], error, now);
    if (this.authentications.delete(message.id)) return this.refuse(error.code, error.message);
    if (this.streams.error(connection, message.id, error, again, now)) return this.handOver(connection.route);
    if (this.together.error(message.id, error, again, now)) return;
    const request = this.pending.get(message.id);
    if (!request) return;
    // What may be on the log all the same would count again.
    const once = error.code === "unavailable" && countsEachTime(request);
    if (again && !once && request.attempt < MOST_TRIES) {
      request.retryAt = now + backOff(request.attempt++, this.host.random());
    } else this.fail(request.id, error);
  }

  // ── how it is done ───────────────────────────────────────────────────────────────────────────────

  private send(request: Request): void {
    request.retryAt = null;
    const connection = this.streams.routeOf(request.stream).live[0] ?? this.network.home.live[0];
    if (!connection) return;
    request.connection = connection.number;
    this.host.send(connection.number, { id: request.id, ...request.message });
  }

  private wantToken(): void {
    this.renewAt = Infinity;
    if (this.tokenAsked) return;
    this.tokenAsked = true;
    this.host.wantToken();
  }

  private authenticate(connection: Connection): void {
    const id = this.nextId++;
    this.authentications.add(id);
    this.host.send(connection.number, { id, op: "auth", token: this.tokenText });
  }

  private handOver(route: Route): void {
    const replaced = this.network.handOver(route);
    if (replaced) this.lost(replaced);
  }

  /** What was asked on a connection that is gone is asked again on what there is. */
  private lost(connection: Connection): void {
    for (const { id } of this.pending.orphan(connection.number)) {
      this.fail(id, new TouchlineError("not_delivered", "The connection was lost before Kafka was known to have it: it may have counted, or not."));
    }
    this.streams.lost(connection);
    this.sendOrphans();
  }

  private sendOrphans(): void {
    for (const request of this.pending.all()) {
      if (request.connection === null && request.retryAt === null) this.send(request);
    }
  }

  private refuse(code: string, message: string): void {
    this.refusal = new TouchlineError(code, message);
    this.leaveAll();
    this.failAll(this.refusal);
  }

  private leaveAll(): void {
    this.network.halted = true;
    for (const route of this.network.routes) this.network.leave(route);
    this.network.routes.add(this.network.home);
    this.renewAt = Infinity;
  }

  private fail(id: number, error: TouchlineError): void {
    this.pending.remove(id);
    this.host.fail(id, error);
  }

  private failAll(error: TouchlineError): void {
    for (const { id } of this.pending.all()) this.fail(id, error);
  }

  private tell(): void {
    const status = this.status();
    const text = JSON.stringify(status);
    if (text === this.told) return;
    this.told = text;
    this.host.status(status);
  }
}

function closeSentence(code: number): string {
  const sentences: Readonly<Record<number, string>> = CLOSE_SENTENCES;
  return sentences[code] ?? `The edge refused the connection for good (${code}).`;
}
