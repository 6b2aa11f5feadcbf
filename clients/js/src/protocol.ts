// The viewer protocol's words: what an edge says, and what a close code asks of the client.

import { BANDS, type Return } from "./generated.ts";

/** An event, as every stream delivers it. `data` is whatever its producer wrote: treat it as text, never as HTML. */
export interface StreamEvent {
  readonly stream: string;
  readonly seq: number;
  readonly prev?: number;
  readonly id: string;
  /** In a numbered channel the event's number in its stream: 1, 2, 3, … Edits and retractions have none. */
  readonly n?: number;
  readonly key?: string;
  readonly type: string;
  readonly sender?: string;
  readonly client_ts?: string;
  readonly server_ts: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** It was taken back: its `data` says nothing. */
  readonly retracted?: boolean;
  /** In pages of the past: how many replies it has. */
  readonly replies?: number;
}

/** Part of a stream that is not to be had: everything above `after` and below `seq`. */
export interface Gap {
  readonly stream: string;
  readonly after: number;
  readonly seq: number;
  readonly reason: string;
}

/** A publish that the edge took, and the pipeline refused later. */
export interface Rejection {
  readonly stream: string;
  readonly key?: string;
  readonly code: string;
  readonly message: string;
}

export interface Welcome {
  readonly op: "welcome";
  readonly session?: string;
  readonly edge?: string;
  readonly cell?: string;
  readonly heartbeat_ms?: number;
  readonly reconnect_jitter_ms?: number;
  readonly auth?: "required" | "anonymous" | "ok";
  readonly user?: string | null;
}

/** A message of the edge: its fields are checked where they are used. */
export interface Message {
  readonly op: string;
  readonly id?: number;
  readonly [field: string]: unknown;
}

/** A refusal, from the edge or from the client itself. `code` is stable, the message is for people. */
export class TouchlineError extends Error {
  override readonly name = "TouchlineError";

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Whether a client comes back after this close code. Codes outside the bands are accidents: back off. */
export function comesBack(code: number): Return {
  const band = BANDS.find(([first]) => code >= first && code < first + 100);
  return band ? band[1] : "back_off";
}

/** The messages of a text frame, one a line. What is not a JSON object is left out: a newer edge may say more. */
export function* messages(text: string): Generator<Message> {
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (end > start) {
      const message = parse(text.slice(start, end));
      if (message) yield message;
    }
    start = end + 1;
  }
}

function parse(line: string): Message | null {
  try {
    const value: unknown = JSON.parse(line);
    return isMessage(value) ? value : null;
  } catch {
    return null;
  }
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && typeof (value as Message).op === "string";
}
