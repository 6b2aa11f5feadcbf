// Follows, feeds, notifications and webhooks.

import { ask, type GatewayOptions } from "./asking.ts";
import type { Client } from "./client.ts";
import type { Message } from "./protocol.ts";

export type FeedsOptions = GatewayOptions;

export interface Follow {
  readonly channel: string;
  /** null: not any more. */
  readonly since: string | null;
}

/** An event of a feed, as its channel's stream has it. */
export interface FeedEvent {
  readonly id: string;
  readonly stream: string;
  readonly seq: number;
  readonly type: string;
  readonly sender?: string | null;
  readonly server_ts: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type NotificationType = "mention" | "reply" | "live_started" | "friend" | "invited";

export interface Notifications {
  readonly types: Readonly<Record<NotificationType, boolean>>;
  readonly quiet: string | null;
  readonly webhook: string | null;
  readonly push: boolean;
  /** For the browser's PushManager, where the server pushes at all. */
  readonly push_key?: string;
  readonly secret?: string;
}

export interface WantedNotifications {
  readonly types?: Partial<Record<NotificationType, boolean>>;
  readonly quiet?: string | null;
  readonly webhook?: string | null;
  readonly push?: unknown;
}

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly active: boolean;
  readonly streams?: readonly string[];
  readonly users?: readonly string[];
  readonly types?: readonly string[];
  readonly secret?: string;
}

export interface FeedListener {
  /** Events, the oldest first: at first the latest ones, then what comes. */
  onEvents(events: readonly FeedEvent[]): void;
  onError?(error: unknown): void;
}

/** What one user does with follows and notifications, by way of a gateway. */
export class Feeds {
  readonly #options: FeedsOptions;

  constructor(options: FeedsOptions = {}) {
    this.#options = options;
  }

  /** Follows a channel. Rejects with `forbidden` or `too_many`. */
  async follow(channel: string): Promise<Follow> {
    return (await this.#ask("PUT", `/v1/follows/${encodeURIComponent(channel)}`)) as Follow;
  }

  async unfollow(channel: string): Promise<Follow> {
    return (await this.#ask("DELETE", `/v1/follows/${encodeURIComponent(channel)}`)) as Follow;
  }

  /** The channels that one follows. */
  async follows(): Promise<Follow[]> {
    const found: Follow[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.#ask("GET", `/v1/follows?limit=200${query}`)) as { follows: Follow[]; next: string | null };
      found.push(...page.follows);
      cursor = page.next;
    }
    return found;
  }

  async followers(channel: string): Promise<number> {
    return ((await this.#ask("GET", `/v1/channels/${encodeURIComponent(channel)}/followers`)) as { followers: number }).followers;
  }

  /** Events of the feed, the newest first. */
  async page(given: { before?: string; after?: string; limit?: number } = {}): Promise<{ events: FeedEvent[]; more: boolean }> {
    const query = Object.entries(given).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    return (await this.#ask("GET", `/v1/feed?${query.join("&")}`)) as { events: FeedEvent[]; more: boolean };
  }

  async notifications(): Promise<Notifications> {
    return (await this.#ask("GET", "/v1/notifications")) as Notifications;
  }

  async setNotifications(wanted: WantedNotifications): Promise<Notifications> {
    return (await this.#ask("PUT", "/v1/notifications", wanted)) as Notifications;
  }

  /** Has events posted to an address; without a `secret` one is made up, and told once. */
  async setWebhook(id: string, wanted: { url: string; secret?: string; streams?: readonly string[]; users?: readonly string[]; types?: readonly string[] }): Promise<Webhook> {
    return (await this.#ask("PUT", `/v1/webhooks/${encodeURIComponent(id)}`, wanted)) as Webhook;
  }

  async webhook(id: string): Promise<Webhook> {
    return (await this.#ask("GET", `/v1/webhooks/${encodeURIComponent(id)}`)) as Webhook;
  }

  async webhooks(): Promise<Webhook[]> {
    return ((await this.#ask("GET", "/v1/webhooks")) as { webhooks: Webhook[] }).webhooks;
  }

  async removeWebhook(id: string): Promise<void> {
    await this.#ask("DELETE", `/v1/webhooks/${encodeURIComponent(id)}`);
  }

  async retryWebhook(id: string): Promise<void> {
    await this.#ask("POST", `/v1/webhooks/${encodeURIComponent(id)}/retry`);
  }

  async #ask(method: string, where: string, body?: unknown): Promise<unknown> {
    return await ask(this.#options, method, where, body);
  }
}

/** The feed, and what comes; returns what ends it. After a lost connection it goes on where it was. */
export function watchFeed(client: Client, listener: FeedListener, last = 50): () => void {
  const seen = new Set<string>();
  let newest = "";
  let ended = false;
  const tell = (events: readonly FeedEvent[]): void => {
    const fresh = [...events].reverse().filter((event) => !seen.has(event.id));
    for (const event of fresh) {
      seen.add(event.id);
      if (BigInt(event.id) > BigInt(newest || "0")) newest = event.id;
    }
    for (const id of seen) {
      if (seen.size <= 1000) break;
      seen.delete(id);
    }
    if (fresh.length > 0 && !ended) listener.onEvents(fresh);
  };
  const begin = async (): Promise<void> => {
    try {
      for (let more = true; more && !ended; ) {
        const asked = newest === "" ? { limit: last } : { after: newest, limit: 500 };
        const page: Message = await client.request({ op: "feed", ...asked });
        more = newest !== "" && page["more"] === true;
        if (newest === "") newest = "0";
        tell(page["events"] as FeedEvent[]);
      }
    } catch (error) {
      if (!ended) listener.onError?.(error);
    }
  };
  let live = client.status.state === "live";
  const unpush = client.onTold((message) => {
    if (message.op !== "feed") return;
    tell(message["events"] as FeedEvent[]);
    if (message["more"] === true) void begin();
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
    client.request({ op: "feed", off: true }).catch(() => undefined);
  };
}
