// The client as a site uses it: the core on real sockets and timers, with callbacks, promises and async iterators.

import { Core } from "./core.ts";
import type { CursorStore } from "./cursors.ts";
import { type Environment, type Socket, thisEnvironment } from "./environment.ts";
import { SUBPROTOCOL } from "./generated.ts";
import type { Host, Status, Subscribed } from "./host.ts";
import { type Gap, type Message, type Rejection, type StreamEvent, TouchlineError } from "./protocol.ts";
import { Places } from "./places.ts";
import { EventQueue } from "./queue.ts";
import type { RoomRow } from "./rooms.ts";
import { named } from "./users.ts";

const NORMAL_CLOSE = 1000;
const ABNORMAL_CLOSE = 1006;

export interface ClientOptions {
  /** Address of an edge, or several: the next is tried where one does not answer. */
  readonly url: string | readonly string[];
  /** A token, or what fetches one: it is asked again before the token runs out. */
  readonly token?: string | (() => string | Promise<string>);
  /** Who you are, where there are no keys: with keys the token says it. */
  readonly user?: string;
  /** A name for this device of the user: what it has acknowledged is kept under it. */
  readonly device?: string;
  /** Keeps cursors, so that a stream goes on where it was left: `storedCursors(localStorage)`. */
  readonly cursors?: CursorStore;
  /** How long a request may wait for its answer, lost connections included. */
  readonly requestTimeoutMs?: number;
  /** For runtimes without a WebSocket of their own. */
  readonly WebSocket?: new (url: string, protocol: string) => unknown;
  /** For tests: sockets, clock, chance. */
  readonly environment?: Environment;
}

export interface StreamOptions {
  /** Begin after this `seq`; 0 is the stream's start. */
  readonly after?: number;
  /** Begin with the last n events. */
  readonly last?: number;
  /** Be told (`onTold`) what reactions and votes come to. */
  readonly reactions?: boolean;
  /** Tell who comes and goes, by `onTold`: `join` and `leave`. */
  readonly members?: boolean;
  readonly onGap?: (gap: Gap) => void;
  readonly onSubscribed?: (subscribed: Subscribed) => void;
  readonly onPresence?: (viewers: number) => void;
  /** The edge refuses this stream for good. */
  readonly onRefused?: (error: TouchlineError) => void;
}

export interface SubscribeOptions extends StreamOptions {
  readonly onEvent: (event: StreamEvent) => void;
}

export interface IterateOptions extends StreamOptions {
  /** Events that may wait for the reader; when it is full, the edge is asked to hold the rest back. */
  readonly buffer?: number;
}

export interface Publish {
  readonly type?: string;
  /** The same key within ten minutes is one event, however often it is sent. Made up where it is not given. */
  readonly key?: string;
  /** When it happened: RFC 3339, or milliseconds since 1970. */
  readonly clientTs?: string | number;
  /** W3C trace context: the trace that the event belongs to. */
  readonly traceparent?: string;
  /** Resolve when the workers have accepted the event; rejects with what they refuse it for, or after two seconds. */
  readonly wait?: "accepted";
}

/** What is known of an event that was posted. */
export interface Published {
  readonly key: string;
  /** The lane that took it, where the channel is spread. */
  readonly stream?: string;
  readonly seq?: number;
  readonly id?: string;
}

export interface HistoryPage {
  readonly events: readonly StreamEvent[];
  readonly more: boolean;
  /** Of what lies around a place. */
  readonly more_before?: boolean;
  readonly more_after?: boolean;
}

export interface HistoryRange {
  readonly before?: number;
  readonly after?: number;
  readonly around?: number;
  readonly limit?: number;
  readonly replies_to?: string;
}

/** A room in an inbox; `gone`: one that the user is in no more. */
export type InboxRow = RoomRow | { readonly room: string; readonly gone: true };

interface Listener extends SubscribeOptions {
  readonly end?: (failure: TouchlineError | null) => void;
}

interface Answer {
  resolve(message: Message): void;
  reject(error: TouchlineError): void;
}

/** Connects at once; everything may be asked for before the connection stands. */
export function connect(options: ClientOptions): Client {
  return new Client(options);
}

export class Client {
  private readonly environment: Environment;
  private readonly core: Core;
  private readonly sockets = new Map<number, Socket>();
  private readonly listeners = new Map<string, Listener>();
  private readonly answers = new Map<number, Answer>();
  private readonly statusListeners = new Set<(status: Status) => void>();
  private readonly rejectionListeners = new Set<(rejection: Rejection) => void>();
  private readonly toldListeners = new Set<(message: Message) => void>();
  /** Who hears what comes of all rooms. */
  private rooms: Pick<SubscribeOptions, "onEvent" | "onGap"> | undefined;
  private readonly places: Places;
  private readonly unwatch: () => void;
  private cancelTimer: () => void = () => undefined;
  private timerAt = Infinity;
  private latest: Status = { state: "closed" };

  constructor(private readonly options: ClientOptions) {
    this.environment = options.environment ?? thisEnvironment(options.WebSocket);
    this.places = new Places(options.cursors, () => this.environment.now());
    const urls = typeof options.url === "string" ? [options.url] : options.url;
    if (urls.length === 0) throw new TouchlineError("bad_request", "An edge's address is needed.");
    const { requestTimeoutMs = 30_000 } = options;
    this.core = new Core({ urls, hasToken: options.token !== undefined, requestTimeoutMs }, this.host());
    this.unwatch = this.environment.watch({
      online: (online) => this.act((now) => this.core.setOnline(online, now)),
      shown: () => this.act((now) => this.core.shown(now)),
      leaving: () => this.places.save(),
    });
    this.act((now) => this.core.start(now));
  }

  get status(): Status {
    return this.latest;
  }

  /** Calls back with each change of status; returns what ends that. */
  onStatus(listener: (status: Status) => void): () => void {
    this.statusListeners.add(listener);
    return () => this.statusListeners.delete(listener);
  }

  /** Calls back when something published was refused later: not a member, too fast, moderated. */
  onRejected(listener: (rejection: Rejection) => void): () => void {
    this.rejectionListeners.add(listener);
    return () => this.rejectionListeners.delete(listener);
  }

  /** Any request of the protocol; resolves with its reply, rejects with its refusal. */
  async request(message: Message): Promise<Message> {
    return this.ask("", message);
  }

  /** Calls back with each event, once and in order; returns what ends the subscription. */
  subscribe(stream: string, options: SubscribeOptions): () => void {
    this.listen(stream, options);
    return () => this.forget(stream, options);
  }

  /** `for await (const event of client.stream("chat:wc26-final"))`; leaving the loop ends the subscription. */
  stream(stream: string, options: IterateOptions = {}): AsyncIterableIterator<StreamEvent> {
    const listener: Listener = {
      ...options,
      onEvent: (event) => queue.push(event),
      end: (failure) => queue.end(failure),
    };
    const queue = new EventQueue<StreamEvent>(
      options.buffer ?? 10_000,
      () => this.core.pause(stream),
      () => this.act((now) => this.core.resume(stream, now)),
      () => this.forget(stream, listener),
    );
    this.listen(stream, listener);
    return queue;
  }

  /** Resolves once Kafka holds the event on all in-sync replicas. Repeated by itself, under one key, where a connection is lost. */
  async publish(stream: string, data: Readonly<Record<string, unknown>>, options: Publish = {}): Promise<Published> {
    const key = options.key ?? this.makeKey();
    const { type, clientTs, traceparent, wait } = options;
    const asked = {
      ...(type === undefined ? {} : { type }),
      ...(clientTs === undefined ? {} : { client_ts: clientTs }),
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(wait === undefined ? {} : { wait }),
    };
    const told = await this.ask(stream, { op: "publish", stream, ...asked, key, data });
    const { seq, event_id: id, stream: lane } = told;
    return {
      key,
      ...(typeof lane === "string" && lane !== stream ? { stream: lane } : {}),
      ...(typeof seq === "number" ? { seq } : {}),
      ...(typeof id === "string" ? { id } : {}),
    };
  }

  /** A page of the past, in order: the newest events below `before`, the oldest above `after`, or those `around` a place. */
  async history(stream: string, range: HistoryRange = {}): Promise<HistoryPage> {
    const message = await this.ask(stream, { op: "history", stream, ...range });
    const ends = range.around === undefined ? {} : { more_before: message["more_before"] === true, more_after: message["more_after"] === true };
    return { events: (message["events"] ?? []) as StreamEvent[], more: message["more"] === true, ...ends };
  }

  /** How many watch the stream. */
  async presence(stream: string): Promise<number> {
    return Number((await this.ask(stream, { op: "presence", stream }))["viewers"]);
  }

  /** Follow all rooms of the user, from what this device has acknowledged; of a new device the latest messages of each.
   * Rooms that are joined later come by themselves. Returns what ends it: the connection is to be closed for that. */
  sync(listener: (event: StreamEvent) => void, onGap?: (gap: Gap) => void): () => void {
    if (this.rooms) throw new TouchlineError("bad_request", "All rooms are followed already.");
    this.rooms = { onEvent: listener, ...(onGap ? { onGap } : {}) };
    this.act(() => this.core.sync());
    return () => {
      this.rooms = undefined;
    };
  }

  /** The rows of the user's rooms, the latest activity first; then, unasked, those that change. Returns what ends it. */
  inbox(listener: (rows: readonly InboxRow[]) => void, limit = 50): () => void {
    const end = this.onTold(({ op, ...message }) => {
      if (op === "inbox" && Array.isArray(message["rooms"])) listener(message["rooms"] as InboxRow[]);
    });
    this.act(() => this.core.inbox(limit));
    return () => {
      end();
      this.act(() => this.core.inbox(0));
    };
  }

  /** Calls back with what edges tell beside events: of rooms `receipt`, `typing`, `join`, `leave`, `inbox`, `synced`; of crowds `reactions`, `poll`. Returns what ends that. */
  onTold(listener: (message: Message) => void): () => void {
    this.toldListeners.add(listener);
    return () => this.toldListeners.delete(listener);
  }

  /** Tell, soon, that everything up to `seq` was received by this device. */
  ack(stream: string, seq: number): void {
    this.act((now) => this.core.ack(stream, seq, now));
  }

  /** The user has read a room, or their notifications, up to here: on whatever device. */
  async read(stream: string, seq: number): Promise<void> {
    await this.ask(stream, { op: "read", stream, seq });
  }

  /** The user is typing; it is over after 5 s. */
  async typing(stream: string): Promise<void> {
    await this.ask(stream, { op: "typing", stream });
  }

  /** Who watches the stream. */
  async present(stream: string, limit = 100): Promise<readonly { user: string; devices: number; since: string }[]> {
    const told = await this.ask(stream, { op: "presence", stream, members: true, limit });
    return (told["members"] ?? []) as { user: string; devices: number; since: string }[];
  }

  /** The last `seq` that was delivered of a stream. */
  cursor(stream: string): number | null {
    return this.core.cursor(stream);
  }

  close(): void {
    this.places.save();
    this.core.stop();
    this.cancelTimer();
    this.unwatch();
    for (const listener of this.listeners.values()) listener.end?.(null);
    this.listeners.clear();
  }

  private listen(stream: string, options: Listener): void {
    const { after, last, reactions = false, members = false } = options;
    const start = after !== undefined ? { after } : { ...(last === undefined ? {} : { last }), ...this.places.of(stream) };
    const from = { ...start, reactions, members };
    this.act((now) => this.core.subscribe(stream, from, now));
    this.listeners.set(stream, options);
    if (this.latest.state === "refused") options.end?.(new TouchlineError(this.latest.code, this.latest.message));
  }

  private forget(stream: string, options: Listener): void {
    if (this.listeners.get(stream) !== options) return;
    this.listeners.delete(stream);
    this.act(() => this.core.unsubscribe(stream));
  }

  private ask(stream: string, message: Readonly<Record<string, unknown>>): Promise<Message> {
    return new Promise((resolve, reject) => {
      this.act((now) => this.answers.set(this.core.request(message, stream, now), { resolve, reject }));
    });
  }

  private makeKey(): string {
    const digits = () => Math.floor(this.environment.random() * 2 ** 48).toString(36).padStart(10, "0");
    return digits() + digits();
  }

  /** Everything that happens goes through here: first the change, then the timer for what is due next. */
  private act(change: (now: number) => void): void {
    try {
      change(this.environment.now());
    } finally {
      this.arm();
    }
  }

  private arm(): void {
    const due = Math.min(this.core.deadline(), this.places.due);
    if (due === this.timerAt) return;
    this.cancelTimer();
    this.timerAt = due;
    if (due === Infinity) return;
    this.cancelTimer = this.environment.after(Math.max(0, due - this.environment.now()), () => {
      this.timerAt = Infinity;
      if (this.places.due <= this.environment.now()) this.places.save();
      this.act((now) => this.core.tick(now));
    });
  }

  private host(): Host {
    return {
      open: (connection, url) => this.open(connection, url),
      send: (connection, message) => this.sockets.get(connection)?.send(JSON.stringify(message)),
      close: (connection) => this.sockets.get(connection)?.close(NORMAL_CLOSE),
      random: () => this.environment.random(),
      wallMs: () => this.environment.wallMs(),
      wantToken: () => void this.fetchToken(),
      event: (stream, event) => {
        this.places.note(event);
        (this.listeners.get(stream) ?? this.rooms)?.onEvent(event);
      },
      gap: (stream, gap) => (this.listeners.get(stream) ?? this.rooms)?.onGap?.(gap),
      subscribed: (subscribed) => this.listeners.get(subscribed.stream)?.onSubscribed?.(subscribed),
      told: (message) => this.toldListeners.forEach((listener) => listener(message)),
      presence: (stream, viewers) => this.listeners.get(stream)?.onPresence?.(viewers),
      refused: (stream, error) => {
        const listener = this.listeners.get(stream);
        this.listeners.delete(stream);
        listener?.onRefused?.(error);
        listener?.end?.(error);
      },
      reply: (id, message) => this.take(id)?.resolve(message),
      fail: (id, error) => this.take(id)?.reject(error),
      rejected: (rejection) => this.rejectionListeners.forEach((listener) => listener(rejection)),
      status: (status) => {
        this.latest = status;
        // Nothing comes any more: a `for await` must not wait for ever.
        if (status.state === "refused") this.listeners.forEach((listener) => listener.end?.(new TouchlineError(status.code, status.message)));
        this.statusListeners.forEach((listener) => listener(status));
      },
    };
  }

  private open(connection: number, url: string): void {
    let socket: Socket;
    try {
      socket = this.environment.openSocket(named(url, this.options), SUBPROTOCOL);
    } catch {
      // A malformed address, or a page that may not connect there: as good as a refused connection.
      this.environment.after(0, () => this.act((now) => this.core.closed(connection, ABNORMAL_CLOSE, now)));
      return;
    }
    this.sockets.set(connection, socket);
    socket.onmessage = ({ data }) => this.act((now) => this.core.received(connection, String(data), now));
    socket.onclose = ({ code }) => {
      this.sockets.delete(connection);
      this.act((now) => this.core.closed(connection, code, now));
    };
    socket.onerror = () => undefined; // A close always follows, and tells more.
  }

  private async fetchToken(): Promise<void> {
    try {
      const { token } = this.options;
      const text = typeof token === "function" ? await token() : (token ?? "");
      this.act((now) => this.core.token(text, now));
    } catch {
      this.act((now) => this.core.noToken(now));
    }
  }

  private take(id: number): Answer | undefined {
    const answer = this.answers.get(id);
    this.answers.delete(id);
    return answer;
  }
}
