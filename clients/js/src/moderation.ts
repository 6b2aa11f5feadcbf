// Moderation: muting and banning, reports, and all of a user's data, by way of a gateway.

import { ask, type GatewayOptions, request } from "./asking.ts";
import type { StreamEvent } from "./protocol.ts";

/** What is decided of a user in a channel. */
export interface Sanction {
  readonly user: string;
  /** They may not publish. */
  readonly muted: boolean;
  /** They may not read either. */
  readonly banned: boolean;
  readonly muted_until?: string;
  readonly banned_until?: string;
  readonly by: string | null;
}

/** A message that somebody has reported. */
export interface Report {
  readonly report: number;
  readonly target: string;
  readonly user: string;
  readonly reason: string;
  readonly at: string;
  /** The message as it may be shown now. */
  readonly event: Readonly<Record<string, unknown>> | null;
  /** Where it was said. */
  readonly stream: string;
  readonly seq: number;
  /** It needs nothing more. */
  readonly done: boolean;
  readonly done_by?: string | null;
  readonly done_at?: string;
}

/** The message that is pinned in a channel's chat. */
export interface Pinned {
  /** The id of the event that says so: what is heard live with a higher one is newer. */
  readonly order: string;
  /** The message's id. */
  readonly target: string;
  readonly by: string | null;
  readonly at: string;
  /** The message as it may be shown now. */
  readonly event: StreamEvent;
}

export class Moderation {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions = {}) {
    this.#options = options;
  }

  /** A user may not publish in a channel: for a time (`10m`), or until `unmute`. */
  async mute(channel: string, user: string, time?: string): Promise<Sanction> {
    return await this.#moderate(channel, "mute", user, time);
  }

  /** They may again. */
  async unmute(channel: string, user: string): Promise<Sanction> {
    return await this.#moderate(channel, "unmute", user);
  }

  /** A user may not read a channel either. */
  async ban(channel: string, user: string, time?: string): Promise<Sanction> {
    return await this.#moderate(channel, "ban", user, time);
  }

  /** They may again. */
  async unban(channel: string, user: string): Promise<Sanction> {
    return await this.#moderate(channel, "unban", user);
  }

  /** Who is muted or banned in a channel. */
  async sanctioned(channel: string): Promise<Sanction[]> {
    return (await this.#pages(`/v1/channels/${encodeURIComponent(channel)}/moderation`, "users")) as Sanction[];
  }

  /** Reports a message, by its id, to those who moderate its channel. */
  async report(stream: string, target: string, reason: string): Promise<void> {
    await ask(this.#options, "POST", `${path(stream)}/reports`, { target, reason });
  }

  /** What was reported in a stream, the latest first, or what of it waits for a moderator: for those who moderate it. */
  async reports(stream: string, options: { readonly open?: boolean } = {}): Promise<Report[]> {
    return (await this.#pages(`${path(stream)}/reports`, "reports", options.open ? "&open=true" : "")) as Report[];
  }

  /** Says of reports, by their numbers, that they need nothing more; or that they do. */
  async settle(stream: string, reports: readonly number[], done = true): Promise<void> {
    await ask(this.#options, "PATCH", `${path(stream)}/reports`, { reports, done });
  }

  /** Which blocked words each of these texts has: those that are set, or these. */
  async tryWords(channel: string, texts: readonly string[], blocked?: readonly string[]): Promise<string[][]> {
    const body = { texts, ...(blocked === undefined ? {} : { blocked }) };
    const answer = await ask(this.#options, "POST", `/v1/channels/${encodeURIComponent(channel)}/blocked`, body);
    return (answer as { found: string[][] }).found;
  }

  /** Keeps a message of a channel's chat, by its id, in view; one at a time. */
  async pin(channel: string, target: string): Promise<void> {
    await this.#pin(channel, "pin", target);
  }

  /** It need not be in view any more; nothing where another one was pinned since. */
  async unpin(channel: string, target: string): Promise<void> {
    await this.#pin(channel, "unpin", target);
  }

  /** What is pinned in a channel's chat. */
  async pinned(channel: string): Promise<Pinned | null> {
    return ((await ask(this.#options, "GET", path(`chat:${channel}`))) as { pinned: Pinned | null }).pinned;
  }

  /** All that is known of a user, as NDJSON; the last line is of the sort `end`. */
  async export(user: string): Promise<ReadableStream<Uint8Array> | null> {
    return (await request(this.#options, "GET", `/v1/users/${encodeURIComponent(user)}/data`)).body;
  }

  /** Takes back all that a user has posted; tells what stays on the log, and until when. */
  async erase(user: string): Promise<{ erased_until: string; stays: { what: string; topic?: string; until: string | null }[] }> {
    const answer = await ask(this.#options, "DELETE", `/v1/users/${encodeURIComponent(user)}/data`);
    return answer as { erased_until: string; stays: { what: string; topic?: string; until: string | null }[] };
  }

  async #pin(channel: string, type: "pin" | "unpin", target: string): Promise<void> {
    await ask(this.#options, "POST", `${path(`chat:${channel}`)}/events?wait=accepted`, { type, data: { target } });
  }

  async #moderate(channel: string, what: string, user: string, time?: string): Promise<Sanction> {
    const body = { do: what, user, ...(time === undefined ? {} : { for: time }) };
    return (await ask(this.#options, "POST", `/v1/channels/${encodeURIComponent(channel)}/moderation`, body)) as Sanction;
  }

  async #pages(where: string, rows: string, only = ""): Promise<unknown[]> {
    const found: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await ask(this.#options, "GET", `${where}?limit=200${only}${query}`)) as Record<string, unknown>;
      found.push(...(page[rows] as unknown[]));
      cursor = page["next"] as string | null;
    }
    return found;
  }
}

function path(stream: string): string {
  return `/v1/streams/${stream.split(":").map(encodeURIComponent).join("/")}`;
}
