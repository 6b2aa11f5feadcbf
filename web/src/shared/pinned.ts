// The pinned message: what is heard live and what the gateway tells who comes later, of which the newer one holds.

import { Moderation, type StreamEvent } from "@touchline/client";
import { signal } from "@preact/signals";

import { identity } from "./config.ts";
import { author, tame } from "./names.ts";

const AGAIN = 5;
const AGAIN_MS = 1000;

/** A message that stays in view. */
export interface Kept {
  readonly id: string;
  readonly seq: number;
  readonly name: string;
  readonly text: string;
}

/** What is pinned, by the newest order: `target` is empty where nothing is. */
export interface Order {
  readonly order: string;
  readonly target: string;
}

/** What holds after some events of the chat. */
export function ordered(before: Order, events: readonly StreamEvent[]): Order {
  let now = before;
  for (const { type, id, data, retracted } of events) {
    const target = typeof data["target"] === "string" ? data["target"] : "";
    if (type === "retract" && target === now.target) now = { ...now, target: "" };
    if (!newer(id, now.order)) continue;
    if (type === "pin") now = { order: id, target: retracted ? "" : target };
    if (type === "unpin" && target === now.target) now = { order: id, target: "" };
  }
  return now;
}

/** Ids are numbers that sort by time. */
function newer(id: string, than: string): boolean {
  return id.length === than.length ? id > than : id.length > than.length;
}

export class PinnedMessage {
  /** Null: nothing is pinned, or it is not known yet. */
  readonly shown = signal<Kept | null>(null);
  private again = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private now: Order = { order: "", target: "" };
  private readonly asked = new Moderation(identity());

  /** `find` gives a message that the page has. */
  constructor(
    private readonly channel: string,
    private readonly find: (id: string) => Kept | undefined,
  ) {
    void this.look();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  /** What is pinned here, as far as is known; empty: nothing. */
  get target(): string {
    return this.now.target;
  }

  /** Some events of the chat have come. */
  take(events: readonly StreamEvent[]): void {
    const now = ordered(this.now, events);
    const edited = events.some(({ type, data }) => type === "edit" && data["target"] === now.target);
    if (now === this.now && !edited) return;
    [this.now, this.again] = [now, AGAIN];
    this.show();
  }

  async pin(id: string): Promise<void> {
    await this.asked.pin(this.channel, id);
  }

  async unpin(id: string): Promise<void> {
    await this.asked.unpin(this.channel, id);
  }

  private show(): void {
    const { target } = this.now;
    const known = target === "" ? null : this.find(target);
    this.shown.value = known ?? null;
    if (known === undefined) void this.look();
  }

  /** Ask the gateway: of a message that is not here, or of whatever was pinned before one came. */
  private async look(): Promise<void> {
    const pinned = await this.asked.pinned(this.channel).catch(() => null);
    if (pinned !== null && newer(pinned.order, this.now.order)) this.now = { order: pinned.order, target: pinned.target };
    if (pinned === null || this.now.target !== pinned.target) {
      // The gateway may be a moment behind what was heard here.
      if (this.now.target !== "" && this.again-- > 0) this.timer = setTimeout(() => void this.look(), AGAIN_MS);
      return;
    }
    const { target, event } = pinned;
    const text = event.data["text"];
    this.shown.value = this.find(target) ?? { id: target, seq: event.seq, name: author(event).name, text: typeof text === "string" ? tame(text) : "" };
  }
}
