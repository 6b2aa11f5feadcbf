// Reactions and polls: what a crowd does besides talking, and what it comes to.

import { ask, type GatewayOptions } from "./asking.ts";
import type { Client } from "./client.ts";
import type { Message } from "./protocol.ts";

export const APPLAUSE = "👏";

/** What reactions have come to, exactly, of all that was on the log when it was asked. */
export interface Totals {
  readonly totals: Readonly<Record<string, number>>;
  /** Of these, one's own: of an event only. */
  readonly mine: readonly string[];
  readonly as_of: number;
}

/** What reactions to a stream (`target` null) or to an event of it come to, as an edge tells it. */
export interface ReactionNews {
  readonly stream: string;
  readonly target: string | null;
  readonly totals: Readonly<Record<string, number>>;
  /** How many came in a second, of what has come of late. */
  readonly per_s: Readonly<Record<string, number>>;
}

/** How a poll stands, as an edge tells it. */
export interface PollNews {
  readonly stream: string;
  readonly poll: string;
  readonly counts: readonly number[];
  readonly voters: number;
  readonly open: boolean;
}

/** A poll, as the gateway shows it. */
export interface Poll extends PollNews {
  readonly question: string;
  readonly options: readonly string[];
  readonly by: string | null;
  readonly opened_at: string | null;
  readonly closes_at: string | null;
  readonly closed_at: string | null;
  /** The option that one has voted for. */
  readonly mine: number | null;
  readonly as_of: number;
}

export interface CrowdListener {
  onReactions?(news: ReactionNews): void;
  onPoll?(news: PollNews): void;
}

/** What one user does, by way of a gateway. */
export class Crowd {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions = {}) {
    this.#options = options;
  }

  /** Applauds a stream, so many times. With a `key` it may be tried again: it counts once. */
  async applaud(stream: string, given: { with?: string; n?: number; key?: string } = {}): Promise<void> {
    await this.#ask("POST", stream, "reactions", { with: APPLAUSE, ...given });
  }

  /** Reacts to an event, once and for all; `off` takes it back. */
  async react(stream: string, emoji: string, target: string, off = false): Promise<void> {
    await this.#ask("POST", stream, "reactions", { with: emoji, target, off });
  }

  async totals(stream: string, target?: string): Promise<Totals> {
    const query = target === undefined ? "" : `?target=${encodeURIComponent(target)}`;
    return (await this.#ask("GET", stream, `reactions${query}`)) as Totals;
  }

  /** Begins a poll (`closesIn`: `90s`, `5m`); resolves with its id once it may be voted on. */
  async ask(stream: string, question: string, options: readonly string[], closesIn?: string): Promise<string> {
    const asked = { question, options, ...(closesIn === undefined ? {} : { closes_in: closesIn }) };
    return ((await this.#ask("POST", stream, "polls", asked)) as { poll: string }).poll;
  }

  async poll(stream: string, poll: string): Promise<Poll> {
    return (await this.#ask("GET", stream, `polls/${encodeURIComponent(poll)}`)) as Poll;
  }

  /** Votes, or for another option than before. Rejects with `ended` once it is closed. */
  async vote(stream: string, poll: string, option: number): Promise<void> {
    await this.#ask("PUT", stream, `polls/${encodeURIComponent(poll)}/vote`, { option });
  }

  /** Closes a poll: its maker does, or who leads; resolves with the result. */
  async close(stream: string, poll: string): Promise<Poll> {
    return (await this.#ask("DELETE", stream, `polls/${encodeURIComponent(poll)}`)) as Poll;
  }

  async #ask(method: string, stream: string, rest: string, body?: unknown): Promise<unknown> {
    const [kind, channel] = stream.split(":", 2);
    return await ask(this.#options, method, `/v1/streams/${kind ?? ""}/${encodeURIComponent(channel ?? "")}/${rest}`, body);
  }
}

/** Applauds. Rejects with `not_delivered` where the connection is lost before the answer: nobody knows whether it
 * counted. With a `key` it is sent again, and counts once. */
export async function applaud(client: Client, stream: string, given: { with?: string; n?: number; key?: string } = {}): Promise<void> {
  await client.request({ op: "react", stream, with: APPLAUSE, ...given });
}

/** Reacts to an event, once and for all; `off` takes it back. */
export async function react(client: Client, stream: string, emoji: string, target: string, off = false): Promise<void> {
  await client.request({ op: "react", stream, with: emoji, target, off });
}

/** Votes, or for another option than before. Rejects with `ended` once it is closed. */
export async function vote(client: Client, stream: string, poll: string, option: number): Promise<void> {
  await client.request({ op: "vote", stream, poll, option });
}

/** Calls back with what reactions and votes of a stream come to; the stream is subscribed to with `reactions`. Returns what ends that. */
export function onCrowd(client: Client, stream: string, listener: CrowdListener): () => void {
  return client.onTold((message: Message) => {
    if (message["stream"] !== stream) return;
    if (message.op === "reactions") listener.onReactions?.(message as unknown as ReactionNews);
    else if (message.op === "poll") listener.onPoll?.(message as unknown as PollNews);
  });
}
