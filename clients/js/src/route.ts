// A way to an edge, and the connections that serve it: one, or two while a new one takes over from the old.

export type Phase = "opening" | "authenticating" | "live";

export class Connection {
  phase: Phase = "opening";
  heartbeatMs = 25_000;
  jitterMs = 5_000;
  liveSince: number | null = null;
  /** When a ping that was sent counts as unanswered. */
  pongBy: number | null = null;
  /** Streams whose `subscribed` is awaited, by the id of the request: events before it are leftovers. */
  readonly awaited = new Map<string, number>();
  /** Streams that were asked for on this connection. */
  readonly streams = new Set<string>();

  constructor(
    readonly number: number,
    readonly route: Route,
    public heardAt: number,
  ) {}

  deadline(patienceMs: number): number {
    if (this.phase !== "live") return this.heardAt + patienceMs;
    return this.pongBy ?? this.heardAt + this.heartbeatMs;
  }
}

export class Route {
  current: Connection | null = null;
  /** Takes over once it serves every stream of `current`. */
  successor: Connection | null = null;
  /** When to open the next connection: a retry, or a drain's appointment. */
  dueAt: number | null = null;
  /** Failed tries in a row. */
  attempt = 0;
  /** The edge of `current` is leaving, and a successor is wanted. */
  draining = false;

  constructor(
    readonly url: string,
    readonly home: boolean,
  ) {}

  get connections(): Connection[] {
    return [this.current, this.successor].filter((connection) => connection !== null);
  }

  get live(): Connection[] {
    return this.connections.filter((connection) => connection.phase === "live");
  }
}
