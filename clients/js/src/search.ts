// Search, exports and lists of channels, by way of a gateway.

import { ask, type GatewayOptions, request } from "./asking.ts";
import { type StreamEvent, TouchlineError } from "./protocol.ts";

type Value = string | number | boolean | null | undefined;
/** Parameters of `GET /v1/search`: `channel`, `sender`, `since`, `zone`, `facet`, … A list is given as several. */
export type SearchParameters = Readonly<Record<string, Value | readonly Value[]>>;

export interface Bucket {
  readonly value: string;
  readonly count: number;
}

/** A word that stands out: in how many of the hits it is, and in how much of all else. */
export interface Word {
  readonly word: string;
  readonly count: number;
  readonly of: number;
  readonly background: number;
  readonly of_background: number;
}

export interface Facets {
  readonly histogram: readonly { readonly start: string; readonly count: number; readonly by?: Readonly<Record<string, number>> }[];
  readonly bar_ms: number;
  readonly kind?: readonly Bucket[];
  readonly channel?: readonly Bucket[];
  readonly sender?: readonly Bucket[];
  readonly type?: readonly Bucket[];
  readonly mark?: readonly Bucket[];
  readonly standout?: readonly Word[];
  /** The same of the time before, where that was asked for. */
  readonly previous?: { readonly since: string; readonly until: string; readonly total: number; readonly facets: Facets };
}

export interface Hit {
  readonly event: StreamEvent;
  readonly score: number | null;
  /** HTML whose only markup is <mark>. */
  readonly highlight: string;
}

export interface Found {
  readonly total: number;
  readonly hits: readonly Hit[];
  /** The cursor of the next page. */
  readonly next: string | null;
  readonly took_ms: number;
  readonly facets?: Facets | null;
  readonly did_you_mean?: string;
}

export interface Suggestions {
  /** They take the place of what stands from here on. */
  readonly start: number;
  readonly suggestions: readonly { readonly text: string; readonly kind: string; readonly says?: string; readonly count?: number }[];
}

export interface ListedChannel {
  readonly channel: string;
  readonly viewers: number;
  readonly last: string | null;
}

const TRIES = 6;
const WAIT_MS = 200;

export class Search {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions = {}) {
    this.#options = options;
  }

  /** A page of hits; with `facet` and others, counts. */
  async find(q: string, parameters: SearchParameters = {}): Promise<Found> {
    return (await ask(this.#options, "GET", `/v1/search?${encoded({ q, ...parameters })}`)) as Found;
  }

  /** What the last word of a query may go on as. */
  async suggest(q: string, parameters: SearchParameters = {}): Promise<Suggestions> {
    return (await ask(this.#options, "GET", `/v1/search/suggest?${encoded({ q, ...parameters })}`)) as Suggestions;
  }

  /** A page of the channels that one may read; `next` is its `cursor`. */
  async channels(parameters: SearchParameters = {}): Promise<{ readonly channels: readonly ListedChannel[]; readonly next: string | null }> {
    return (await ask(this.#options, "GET", `/v1/channels?${encoded(parameters)}`)) as { channels: ListedChannel[]; next: string | null };
  }

  /** All hits, the oldest first where `sort` says nothing else; what breaks off is gone on with. */
  export(q: string, parameters: SearchParameters = {}): AsyncGenerator<StreamEvent & { readonly cursor: string }> {
    return this.#lines("/v1/search", { q, ...parameters }, (event) => ({ cursor: event["cursor"] })) as AsyncGenerator<StreamEvent & { cursor: string }>;
  }

  /** All events of a stream behind a `seq`, in order; what breaks off is gone on with. */
  history(stream: string, parameters: SearchParameters = {}): AsyncGenerator<StreamEvent> {
    const [kind = "", channel = ""] = stream.split(":", 2);
    const path = `/v1/streams/${encodeURIComponent(kind)}/${encodeURIComponent(channel)}/events`;
    return this.#lines(path, parameters, (event) => ({ after: event["seq"] })) as unknown as AsyncGenerator<StreamEvent>;
  }

  async *#lines(path: string, given: SearchParameters, behind: (event: Record<string, Value>) => SearchParameters): AsyncGenerator<Record<string, Value>> {
    let rest = given;
    let left = typeof given["limit"] === "number" ? given["limit"] : Infinity;
    let begun = false;
    for (let failed = 0; ; ) {
      let last: Record<string, Value> | undefined;
      try {
        for await (const event of await lines(this.#options, path, { ...rest, format: "ndjson", ...(left < Infinity ? { limit: left } : {}) })) {
          yield event;
          [last, failed, begun] = [event, 0, true];
          left -= 1;
        }
        return;
      } catch (error) {
        failed += 1;
        if ((error instanceof TouchlineError && error.code !== "unavailable") || failed >= TRIES || !begun) throw error;
        if (left <= 0) return;
        if (last) rest = { ...rest, ...behind(last) };
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS * 2 ** failed));
      }
    }
  }
}

/** The lines of an answer as they arrive; an error where it breaks off. */
async function lines(options: GatewayOptions, path: string, given: SearchParameters): Promise<AsyncIterable<Record<string, Value>>> {
  const { body } = await request(options, "GET", `${path}?${encoded(given)}`);
  if (!body) return (async function* () {})();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  return (async function* () {
    let rest = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const parts = (rest + value).split("\n");
        rest = parts.pop() ?? "";
        for (const line of parts) yield JSON.parse(line) as Record<string, Value>;
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  })();
}

function encoded(given: SearchParameters): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    for (const one of Array.isArray(value) ? (value as readonly Value[]) : [value as Value]) {
      if (one !== undefined && one !== null && one !== false) parameters.append(name, one === true ? "1" : String(one));
    }
  }
  return parameters.toString();
}
