// Friends, consent, fences, and who is near.

import { ask, type GatewayOptions } from "./asking.ts";
import type { Client } from "./client.ts";
import type { Message } from "./protocol.ts";

export type NearbyOptions = GatewayOptions;

export interface Friend {
  readonly user: string;
  /** `asked`: I have asked; `asking`: they have; null: it is over. */
  readonly state: "friends" | "asked" | "asking" | null;
  readonly since?: string;
}

export interface Sharing {
  /** Whether friends may see where I am. */
  readonly on: boolean;
  /** Whether, while it is on, anybody may, coarsely. */
  readonly public: boolean;
}

/** Where somebody is. */
export interface Place {
  readonly user: string;
  readonly distance_m: number;
  readonly lat: number;
  readonly lon: number;
  readonly at: string;
}

export interface FenceShape {
  readonly lat?: number;
  readonly lon?: number;
  readonly radius_m?: number;
  readonly polygon?: readonly (readonly [number, number])[];
  readonly users?: readonly string[];
  readonly readers?: readonly string[];
}

export interface Fence extends FenceShape {
  readonly id: string;
  readonly stream: string;
  readonly maker: string | null;
}

export interface NearbyListener {
  /** Everybody who is near: at first, and again whenever a connection was lost. With `onMore`: the first page of them. */
  onList(friends: readonly Place[]): void;
  /** Where it is given, further pages come as they are asked for, by `onNear`: `more` gets the next one; null: there is none. */
  onMore?(more: (() => void) | null): void;
  onNear(friend: Place): void;
  onAway(user: string, reason: "left" | "inactive" | "unfriended" | "stopped"): void;
  onError?(error: unknown): void;
}

/** What one user does with friends, consent and fences, by way of a gateway. */
export class Nearby {
  readonly #options: NearbyOptions;

  constructor(options: NearbyOptions = {}) {
    this.#options = options;
  }

  /** Asks somebody for friendship, or says yes to it. */
  async ask(user: string): Promise<Friend> {
    return (await this.#ask("PUT", `/v1/friends/${encodeURIComponent(user)}`)) as Friend;
  }

  /** Ends a friendship, or a wish for it. */
  async end(user: string): Promise<void> {
    await this.#ask("DELETE", `/v1/friends/${encodeURIComponent(user)}`);
  }

  /** My friends, whom I have asked, and who asks me. */
  async friends(): Promise<Friend[]> {
    return (await this.#all("/v1/friends", "friends")) as Friend[];
  }

  async sharing(): Promise<Sharing> {
    return (await this.#ask("GET", "/v1/sharing")) as Sharing;
  }

  /** Lets friends (`public`: anybody) see where I am, or nobody. */
  async share(on: boolean, options: { public?: boolean } = {}): Promise<Sharing> {
    return (await this.#ask("PUT", "/v1/sharing", { on, ...options })) as Sharing;
  }

  /** Has a circle or a polygon watch; its `stream` tells who comes and goes. Rejects with `exists`. */
  async setFence(id: string, shape: FenceShape): Promise<Fence> {
    return (await this.#ask("PUT", `/v1/fences/${encodeURIComponent(id)}`, shape)) as Fence;
  }

  async fence(id: string): Promise<Fence> {
    return (await this.#ask("GET", `/v1/fences/${encodeURIComponent(id)}`)) as Fence;
  }

  /** The fences that I made. */
  async fences(): Promise<Fence[]> {
    return (await this.#all("/v1/fences", "fences")) as Fence[];
  }

  async removeFence(id: string): Promise<void> {
    await this.#ask("DELETE", `/v1/fences/${encodeURIComponent(id)}`);
  }

  async #all(where: string, rows: string): Promise<unknown[]> {
    const found: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.#ask("GET", `${where}?limit=200${query}`)) as Record<string, unknown>;
      found.push(...(page[rows] as unknown[]));
      cursor = page["next"] as string | null;
    }
    return found;
  }

  async #ask(method: string, where: string, body?: unknown): Promise<unknown> {
    return await ask(this.#options, method, where, body);
  }
}

/** I am here now. Rejects with `invalid_event` for where nobody can be then. */
export async function locate(client: Client, lat: number, lon: number, given: { accuracy?: number; client_ts?: string } = {}): Promise<void> {
  await client.request({ op: "locate", lat, lon, ...given });
}

/** Those near who made themselves public. */
export async function around(client: Client, lat: number, lon: number, limit = 20): Promise<Place[]> {
  return (await client.request({ op: "around", lat, lon, limit }))["friends"] as Place[];
}

/** Which friends are near, and whatever changes; returns what ends it. After a lost connection it begins anew. `limit`: friends a page. */
export function watchNearby(client: Client, lat: number, lon: number, listener: NearbyListener, within?: string, limit = 200): () => void {
  let ended = false;
  let turn = 0;
  const begin = async (): Promise<void> => {
    const mine = ++turn;
    const current = () => !ended && mine === turn;
    const friends: Place[] = [];
    const take = async (asked: Readonly<Record<string, unknown>>, first: boolean): Promise<void> => {
      const page: Message = await client.request({ op: "nearby", limit, ...asked });
      friends.push(...(page["friends"] as Place[]));
      if (!current()) return;
      const more = page["more"] === true ? () => take({ cursor: page["cursor"] }, false) : null;
      if (more !== null && !listener.onMore) return await more();
      if (first || !listener.onMore) listener.onList([...friends]);
      else for (const friend of page["friends"] as Place[]) listener.onNear(friend);
      listener.onMore?.(more && (() => void more().catch(failed)));
    };
    const failed = (error: unknown): void => {
      if (current()) listener.onError?.(error);
    };
    await take({ lat, lon, ...(within === undefined ? {} : { within }) }, true).catch(failed);
  };
  let live = client.status.state === "live";
  const unpush = client.onTold((message) => {
    if (message.op === "near") listener.onNear(message as unknown as Place);
    else if (message.op === "away") listener.onAway(String(message["user"]), message["reason"] as "left");
  });
  const unstatus = client.onStatus((status) => {
    const now = status.state === "live";
    if (now && !live) void begin();
    live = now;
  });
  if (live) void begin();
  return () => {
    ended = true;
    unpush();
    unstatus();
    client.request({ op: "nearby", off: true }).catch(() => undefined);
  };
}
