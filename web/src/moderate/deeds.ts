// What a moderator has done here, the latest first, and how it is undone.

import { computed, signal } from "@preact/signals";
import { t } from "../shared/tongue.ts";

/** How long a retraction waits: what is taken back stays taken back. */
export const WAIT_MS = 4000;
const KEPT = 50;

export interface Deed {
  readonly id: number;
  readonly said: string;
  readonly at: string;
  readonly state: "waiting" | "working" | "done" | "undone" | "failed";
  readonly undo: (() => Promise<void>) | null;
}

export class Deeds {
  readonly all = signal<readonly Deed[]>([]);
  /** What Undo is about: the latest that can be undone. */
  readonly next = computed(() => this.all.value.find(({ state, undo }) => state === "waiting" || (state === "done" && undo !== null)) ?? null);
  private number = 0;
  private readonly waiting = new Map<number, { readonly timer: ReturnType<typeof setTimeout>; readonly work: () => void }>();

  /** Do it now. `work` answers with what was done, where that is not what was meant. */
  async act(said: string, work: () => Promise<string | void>, undo: (() => Promise<void>) | null = null): Promise<boolean> {
    const id = this.add({ said, state: "working", undo });
    return await this.finish(id, work);
  }

  /** Do it in a moment, unless it is undone before. */
  later(said: string, work: () => Promise<string | void>, never: () => void): void {
    const id = this.add({ said, state: "waiting", undo: async () => never() });
    const go = () => {
      clearTimeout(this.waiting.get(id)?.timer);
      if (this.waiting.delete(id)) void this.finish(id, work, null);
    };
    this.waiting.set(id, { timer: setTimeout(go, WAIT_MS), work: go });
  }

  /** What waits is done now. */
  flush(): void {
    for (const { work } of [...this.waiting.values()]) work();
  }

  async undo(id = this.next.value?.id): Promise<void> {
    const deed = this.all.value.find((one) => one.id === id);
    if (!deed?.undo || (deed.state !== "done" && deed.state !== "waiting")) return;
    clearTimeout(this.waiting.get(deed.id)?.timer);
    this.waiting.delete(deed.id);
    this.change(deed.id, { state: "working" });
    try {
      await deed.undo();
      this.change(deed.id, { state: "undone", undo: null });
    } catch (error) {
      this.change(deed.id, { state: "failed", said: t("{what}. Undoing it failed: {why}", { what: deed.said, why: sentence(error) }) });
    }
  }

  private async finish(id: number, work: () => Promise<string | void>, undo?: null): Promise<boolean> {
    this.change(id, { state: "working", ...(undo === null ? { undo } : {}) });
    try {
      const said = await work();
      this.change(id, { state: "done", ...(said ? { said } : {}) });
      return true;
    } catch (error) {
      this.change(id, { state: "failed", undo: null, said: sentence(error) });
      return false;
    }
  }

  private add(deed: Pick<Deed, "said" | "state" | "undo">): number {
    const id = (this.number += 1);
    this.all.value = [{ ...deed, id, at: new Date().toISOString() }, ...this.all.value].slice(0, KEPT);
    return id;
  }

  private change(id: number, what: Partial<Deed>): void {
    this.all.value = this.all.value.map((one) => (one.id === id ? { ...one, ...what } : one));
  }
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : t("It did not work: try again.");
}

/** All of it, a few at a time. Rejects once all are tried, with how many failed and why the first did. */
export async function each<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  const left = [...all];
  const next = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: 6 }, next));
  if (failures.length > 0) throw new Error(all.length > 1 ? t("{n} of {all} failed: {why}", { n: failures.length, all: all.length, why: sentence(failures[0]) }) : sentence(failures[0]));
}
