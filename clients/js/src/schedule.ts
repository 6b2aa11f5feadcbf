// Events that are posted at their time, whoever has gone home by then, by way of a gateway.

import { ask, type GatewayOptions } from "./asking.ts";

/** A post that is going to be. */
export interface Scheduled {
  readonly id: string;
  readonly stream: string;
  readonly at: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Whose event it is going to be. */
  readonly by: string | null;
}

export class Schedule {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions = {}) {
    this.#options = options;
  }

  /** Has an event posted at a time (RFC 3339, or milliseconds since 1970), exactly once; or says anew what is scheduled as this `id`. */
  async put(stream: string, id: string, event: { readonly at: string | number; readonly type?: string; readonly data: Readonly<Record<string, unknown>> }): Promise<Scheduled> {
    return (await ask(this.#options, "PUT", `${path(stream)}/${encodeURIComponent(id)}`, event)) as Scheduled;
  }

  /** What is going to be posted on a stream, the next first. */
  async list(stream: string): Promise<Scheduled[]> {
    return ((await ask(this.#options, "GET", path(stream))) as { scheduled: Scheduled[] }).scheduled;
  }

  /** It is not posted. */
  async remove(stream: string, id: string): Promise<void> {
    await ask(this.#options, "DELETE", `${path(stream)}/${encodeURIComponent(id)}`);
  }
}

function path(stream: string): string {
  return `/v1/streams/${stream.split(":").map(encodeURIComponent).join("/")}/scheduled`;
}
