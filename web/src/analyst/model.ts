// The search as the page holds it: what is wanted, what was found, and which hit is looked at; each of them in the address.

import type { Bucket, Found, Hit } from "@touchline/client";
import { batch, signal } from "@preact/signals";

import { ask, namedUser, Refused } from "../shared/config.ts";
import { type Field, fromAddress, NOTHING, toAddress, toCounts, toSearch, type Wanted } from "./wanted.ts";
import { t } from "../shared/tongue.ts";

const PAGE = 50;
/** Rows that the table holds: whoever wants more of them exports. */
export const MOST_ROWS = 1000;
const MOST_VALUES = 1000;
const HIT = /^(?:chat|broadcast|location):[A-Za-z0-9._~-]{1,140}@\d{1,16}$/;

/** The time zone that is the reader's own. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export class Model {
  readonly wanted = signal<Wanted>(NOTHING);
  /** The query as it is being typed; asked when Enter is pressed. */
  readonly typed = signal("");
  readonly found = signal<Found | null>(null);
  readonly busy = signal(false);
  readonly problem = signal("");
  readonly wantsToken = signal(false);
  /** The hit that is looked at in its context, `stream@seq`; empty: none. */
  readonly opened = signal("");
  /** Whether the index can be asked by meaning. */
  readonly meaning = signal(false);
  private running: AbortController | null = null;

  constructor() {
    this.fromAddress();
    // Who may not ask gets told by the search itself.
    void ask<{ as_set: Record<string, unknown> }>("/v1/index").then((index) => { this.meaning.value = "meaning" in index.as_set; }, () => undefined);
  }

  /** In which zone times are written. */
  get zone(): string {
    return this.wanted.value.zone || OWN_ZONE;
  }

  /** What the address asks for: when the page opens, and when somebody goes back. */
  fromAddress(): void {
    const hit = new URLSearchParams(location.search).get("hit") ?? "";
    batch(() => {
      this.wanted.value = fromAddress(location.search);
      this.typed.value = this.wanted.value.q;
      this.opened.value = HIT.test(hit) ? hit : "";
    });
    void this.run();
  }

  /** Ask for something else, or for the same in another way; the way back leads to what was asked before. */
  want(change: Partial<Wanted>): void {
    batch(() => {
      this.wanted.value = { ...this.wanted.value, ...change };
      if (change.q !== undefined) this.typed.value = change.q;
      this.opened.value = "";
    });
    this.toAddress(true);
    void this.run();
  }

  /** Show the same hits in other columns: nothing is asked for that. */
  show(columns: readonly string[]): void {
    this.wanted.value = { ...this.wanted.value, columns: columns.length > 0 ? columns : NOTHING.columns };
    this.toAddress(false);
  }

  open(hit: string): void {
    this.opened.value = this.opened.value === hit ? "" : hit;
    this.toAddress(false);
  }

  link(): string {
    return `${location.origin}${location.pathname}${this.address()}`;
  }

  /** The next page, below what is there. */
  async more(): Promise<void> {
    const { value: before } = this.found;
    if (!before?.next || this.busy.value) return;
    const parameters = toSearch(this.wanted.value, OWN_ZONE);
    parameters.set("limit", String(PAGE));
    parameters.set("cursor", before.next);
    await this.asking(async (signal) => {
      const page = await ask<Found>(`/v1/search?${parameters.toString()}`, { signal });
      this.found.value = { ...before, hits: [...before.hits, ...page.hits], next: page.next };
    });
  }

  async run(): Promise<void> {
    await this.asking(async (signal) => {
      this.found.value = await ask<Found>(`/v1/search?${toCounts(this.wanted.value, OWN_ZONE, PAGE).toString()}`, { signal });
    });
  }

  /** All values of a field, as many as are counted. */
  async values(field: Field): Promise<readonly Bucket[]> {
    const parameters = toSearch(this.wanted.value, OWN_ZONE);
    for (const [name, value] of [["facet", field], ["size", String(MOST_VALUES)], ["limit", "1"]] as const) parameters.set(name, value);
    return (await ask<Found>(`/v1/search?${parameters.toString()}`)).facets?.[field] ?? [];
  }

  private async asking(asked: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.running?.abort();
    const control = new AbortController();
    this.running = control;
    this.busy.value = true;
    try {
      await asked(control.signal);
      batch(() => { [this.problem.value, this.wantsToken.value] = ["", false]; });
    } catch (error) {
      if (control.signal.aborted) return;
      batch(() => {
        this.problem.value = error instanceof Error ? error.message : t("The search failed.");
        this.wantsToken.value = error instanceof Refused && error.wantsToken;
      });
    } finally {
      if (this.running === control) this.busy.value = false;
    }
  }

  private address(): string {
    const made = toAddress(this.wanted.value, OWN_ZONE);
    const user = namedUser();
    if (user) made.set("user", user);
    if (this.opened.value) made.set("hit", this.opened.value);
    return made.size > 0 ? `?${made.toString()}` : location.pathname;
  }

  private toAddress(step: boolean): void {
    const address = this.address();
    if (address === location.search || (address === location.pathname && location.search === "")) return;
    if (step) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }
}

export function hitOf({ event }: Hit): string {
  return `${event.stream}@${event.seq}`;
}
