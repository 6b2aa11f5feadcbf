// Requests that wait for their reply. They outlive a connection: what was not answered is asked again on the next.

export interface Request {
  readonly id: number;
  readonly stream: string;
  readonly message: Readonly<Record<string, unknown>>;
  readonly deadline: number;
  /** The connection that it was last sent on, or null where it has yet to be sent. */
  connection: number | null;
  attempt: number;
  retryAt: number | null;
}

/** At most so many at a time: who publishes faster than the edge confirms is told so. */
export const MOST_PENDING = 1000;

export class Pending {
  private readonly requests = new Map<number, Request>();

  get full(): boolean {
    return this.requests.size >= MOST_PENDING;
  }

  add(request: Request): void {
    this.requests.set(request.id, request);
  }

  get(id: number): Request | undefined {
    return this.requests.get(id);
  }

  remove(id: number): void {
    this.requests.delete(id);
  }

  all(): Request[] {
    return [...this.requests.values()];
  }

  /** The connection is gone: its requests have yet to be sent again, but for those that it returns: nobody knows whether these counted. */
  orphan(connection: number): Request[] {
    const orphans = this.all().filter((request) => request.connection === connection);
    for (const request of orphans) if (!countsEachTime(request)) request.connection = null;
    return orphans.filter(countsEachTime);
  }

  expired(now: number): Request[] {
    return this.all().filter((request) => request.deadline <= now);
  }

  deadline(): number {
    let least = Infinity;
    for (const request of this.requests.values()) {
      least = Math.min(least, request.deadline, request.retryAt ?? Infinity);
    }
    return least;
  }
}

/** Whether it must not be sent twice: applause without a key. */
export function countsEachTime({ message }: Request): boolean {
  return message["op"] === "react" && message["target"] === undefined && message["key"] === undefined;
}
