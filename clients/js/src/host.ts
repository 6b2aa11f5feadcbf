// What the core asks of its surroundings, so that it needs no socket, no timer and no clock of its own.

import type { Gap, Rejection, StreamEvent, TouchlineError, Message } from "./protocol.ts";

/** How things stand, for people. */
export type Status =
  | { readonly state: "closed" }
  | { readonly state: "connecting" }
  /** Connected; `caughtUp` is false while missed events are still coming: `behind` of them, or null where the edges have not told. */
  | { readonly state: "live"; readonly caughtUp: boolean; readonly behind: number | null }
  /** The connection is lost; the next try is at `retryAt`, on the clock that the client was given. */
  | { readonly state: "waiting"; readonly retryAt: number }
  /** The machine has no network; the client comes back when it has. */
  | { readonly state: "offline" }
  /** The edge does not want this client: trying again would not help. */
  | { readonly state: "refused"; readonly code: string; readonly message: string };

export interface Subscribed {
  readonly stream: string;
  readonly seq: number;
  readonly recovered: boolean;
}

/** The network's half of it. */
export interface Wire {
  open(connection: number, url: string): void;
  send(connection: number, message: Readonly<Record<string, unknown>>): void;
  close(connection: number, code: number): void;
  /** From 0 up to 1. */
  random(): number;
}

export interface Host extends Wire {
  /** Wall time in milliseconds, for a token's expiry. */
  wallMs(): number;
  /** A token is wanted: `core.token()` or `core.noToken()` follows, now or later. Only asked where there is a source. */
  wantToken(): void;
  /** An event of what was subscribed as `stream`: of the stream itself, or of a lane of it. */
  event(stream: string, event: StreamEvent): void;
  gap(stream: string, gap: Gap): void;
  subscribed(subscribed: Subscribed): void;
  /** The stream is refused for good, and forgotten. */
  refused(stream: string, error: TouchlineError): void;
  reply(id: number, message: Message): void;
  fail(id: number, error: TouchlineError): void;
  rejected(rejection: Rejection): void;
  presence(stream: string, viewers: number): void;
  /** Of all rooms: `synced`, `inbox`; and unasked: receipts, who types, who comes and goes. */
  told(message: Message): void;
  status(status: Status): void;
}
