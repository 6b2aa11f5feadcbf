// Where streams were left at an earlier visit, and where they are now: kept a moment after events came.

import type { CursorStore } from "./cursors.ts";
import type { StreamEvent } from "./protocol.ts";
import { type From, lanesOf } from "./subscription.ts";

const SAVE_MS = 1000;

export class Places {
  /** When `save` is due. */
  due = Infinity;
  private readonly unsaved = new Map<string, number>();

  /** Without a store nothing is kept. */
  constructor(
    private readonly store: CursorStore | undefined,
    private readonly now: () => number,
  ) {}

  /** Where a stream was left, and its lanes, where it has some. */
  of(stream: string): From {
    const { store } = this;
    if (!store) return {};
    const after = store.load(stream);
    const lanes = lanesOf(stream).map((lane) => [lane, store.load(lane)] as const);
    return { ...(after === null ? {} : { after }), lanes: new Map(lanes.filter((lane): lane is readonly [string, number] => lane[1] !== null)) };
  }

  note(event: StreamEvent): void {
    if (!this.store) return;
    this.unsaved.set(event.stream, event.seq);
    if (this.due === Infinity) this.due = this.now() + SAVE_MS;
  }

  save(): void {
    this.due = Infinity;
    for (const [stream, seq] of this.unsaved) this.store?.save(stream, seq);
    this.unsaved.clear();
  }
}
