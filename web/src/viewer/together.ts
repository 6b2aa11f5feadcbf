// What is told of a room while one looks at it: who is here, who types, who has read what; and what is unread in the others.

import type { Client, InboxRow, Message, RoomRow } from "@touchline/client";
import { computed, signal } from "@preact/signals";
import { t } from "../shared/tongue.ts";

/** How long somebody types after they last said so. */
const TYPES_MS = 5000;
/** How often it is said here. */
const SAY_MS = 3000;
const READ_MS = 300;
const ROWS = 200;

/** How far a member has a room. */
export interface Receipt {
  readonly delivered: number;
  readonly read: number;
}

/** The rows with some that have changed: the latest activity first. */
export function changedRows(before: readonly RoomRow[], news: readonly InboxRow[]): readonly RoomRow[] {
  const rows = new Map(before.map((row) => [row.room, row]));
  for (const row of news) {
    if ("gone" in row) rows.delete(row.room);
    else rows.set(row.room, row);
  }
  return [...rows.values()].sort((a, b) => latest(b).localeCompare(latest(a)));
}

function latest({ last }: RoomRow): string {
  return typeof last?.["server_ts"] === "string" ? last["server_ts"] : "";
}

export class Together {
  readonly rows = signal<readonly RoomRow[]>([]);
  readonly unread = computed(() => this.rows.value.reduce((sum, { unread }) => sum + unread, 0));
  /** Who looks at this room now. */
  readonly here = signal<ReadonlySet<string>>(new Set());
  readonly typing = signal<readonly string[]>([]);
  readonly receipts = signal<ReadonlyMap<string, Receipt>>(new Map());

  private readonly until = new Map<string, number>();
  private timer = 0;
  private saidAt = 0;
  private read = 0;
  private wanted = 0;
  private reading = 0;

  /** `me`: who is here; empty: nobody in particular, of whom nothing is kept. */
  constructor(
    private readonly client: Client,
    private readonly stream: string,
    private readonly isRoom: boolean,
    private readonly me: string,
  ) {
    client.onTold((message) => this.told(message));
    if (me) client.inbox((news) => (this.rows.value = changedRows(this.rows.value, news)), ROWS);
  }

  close(): void {
    clearTimeout(this.timer);
    clearTimeout(this.reading);
  }

  /** The stream is watched, here or at another edge: who is there is asked anew. */
  async watched(): Promise<void> {
    if (!this.isRoom) return;
    try {
      this.here.value = new Set((await this.client.present(this.stream)).map(({ user }) => user));
    } catch {
      // Told again when somebody comes or goes.
    }
  }

  /** Something is written here: the others see that for a moment. */
  types(): void {
    const now = Date.now();
    if (!this.isRoom || !this.me || now - this.saidAt < SAY_MS) return;
    this.saidAt = now;
    this.client.typing(this.stream).catch(() => undefined); // of this moment only
  }

  /** Somebody has sent what they were writing. */
  wrote(user: string): void {
    if (user === this.me) this.saidAt = 0;
    if (this.until.delete(user)) this.showTyping();
  }

  /** All up to here is in view. Told soon, and once for what comes together. */
  saw(seq: number): void {
    if (!this.isRoom || !this.me || seq <= this.wanted) return;
    this.wanted = seq;
    if (this.reading === 0) this.reading = window.setTimeout(() => void this.tellRead(), READ_MS);
  }

  private async tellRead(): Promise<void> {
    const seq = this.wanted;
    try {
      if (seq > this.read) await this.client.read(this.stream, seq);
      this.read = Math.max(this.read, seq);
    } catch {
      this.wanted = this.read; // with the next message, then
    } finally {
      this.reading = this.wanted > this.read ? window.setTimeout(() => void this.tellRead(), READ_MS) : 0;
    }
  }

  private told({ op, ...said }: Message): void {
    const user = String(said["user"] ?? "");
    if (said["stream"] !== this.stream || !user) return;
    if (op === "join" || op === "leave") {
      const here = new Set(this.here.value);
      if (op === "join") here.add(user);
      else here.delete(user);
      this.here.value = here;
    } else if (op === "typing") {
      this.until.set(user, Date.now() + TYPES_MS);
      this.showTyping();
    } else if (op === "receipt") {
      const receipt = { delivered: Number(said["delivered"]), read: Number(said["read"]) };
      this.receipts.value = new Map(this.receipts.value).set(user, receipt);
    }
  }

  private showTyping(): void {
    clearTimeout(this.timer);
    const now = Date.now();
    for (const [user, until] of this.until) if (until <= now) this.until.delete(user);
    this.typing.value = [...this.until.keys()];
    const next = Math.min(...this.until.values());
    if (Number.isFinite(next)) this.timer = window.setTimeout(() => this.showTyping(), next - now + 10);
  }
}

/** Who types, in words. */
export function typingWords(users: readonly string[]): string {
  if (users.length === 0) return "";
  if (users.length > 3) return t("Several people are typing…");
  return users.length === 1 ? t("{who} is typing…", { who: users[0] ?? "" }) : t("{who} and {last} are typing…", { who: users.slice(0, -1).join(", "), last: users.at(-1) ?? "" });
}

/** How far the others are with a message of one's own, in words. */
export function receiptWords(receipts: ReadonlyMap<string, Receipt>, seq: number, me: string): string {
  const others = [...receipts].filter(([user]) => user !== me);
  const readers = others.filter(([, { read }]) => read >= seq).map(([user]) => user);
  if (readers.length > 0) return t("Read by {who}", { who: readers.length > 5 ? readers.length : readers.join(", ") });
  const delivered = others.filter(([, receipt]) => receipt.delivered >= seq).length;
  return delivered > 0 ? t("Delivered to {n}", { n: delivered }) : "";
}
