// What the crowd of a chat does besides talking: applause, reactions to messages, polls; and what flies up of it.

import { applaud, type Client, Crowd, onCrowd, type Poll, type PollNews, react, type ReactionNews, TouchlineError, vote } from "@touchline/client";
import { signal } from "@preact/signals";

import { identity } from "../shared/config.ts";
import { tame } from "../shared/names.ts";
import { t } from "../shared/tongue.ts";

export const EMOJI = ["👏", "🎉", "⚽", "😮"] as const;
export const TO_MESSAGES = ["👍", "❤️", "😂", "😮", "🔥"] as const;
/** Emoji in the air at once: more would hide the page. */
const MOST_FLYING = 24;
const FLIES_MS = 2600;
const MOST_MESSAGES = 2000;

export type Counts = Readonly<Record<string, number>>;

export interface Flying {
  readonly key: number;
  readonly emoji: string;
  /** Where it begins, in percent of the width, and how it sways. */
  readonly left: number;
  readonly sway: number;
}

/** What the channel is about now, as its counters tell it. */
export interface Counted {
  readonly perMinute: number;
  readonly words: readonly string[];
  readonly senders: readonly string[];
}

/** The names of a top, as far as they are some. */
function names(top: unknown): string[] {
  return Array.isArray(top) ? top.flatMap((row: unknown) => (Array.isArray(row) && typeof row[0] === "string" ? [tame(row[0])] : [])).slice(0, 3) : [];
}

export function countedIn(data: Readonly<Record<string, unknown>>): Counted {
  const rate = data["messages_per_min"];
  return { perMinute: typeof rate === "number" ? rate : 0, words: names(data["words"]), senders: names(data["senders"]) };
}

export interface Voting {
  readonly counts: readonly number[];
  readonly voters: number;
  readonly open: boolean;
}

/** How many of each came since: what is to be seen of it, at most so many in all. */
export function risen(before: Counts, now: Counts, most: number): string[] {
  const more = Object.entries(now).map(([emoji, count]) => [emoji, count - (before[emoji] ?? 0)] as const).filter(([, rise]) => rise > 0).sort(([, one], [, other]) => one - other);
  const all = more.reduce((sum, [, rise]) => sum + rise, 0);
  const share = Math.min(1, most / Math.max(all, 1));
  return more.flatMap(([emoji, rise]) => Array.from({ length: Math.max(1, Math.round(rise * share)) }, () => emoji)).slice(0, most);
}

export class Cheering {
  readonly applause = signal<Counts>({});
  readonly perSecond = signal<Counts>({});
  readonly flying = signal<readonly Flying[]>([]);
  /** Message -> what reactions to it have come to. */
  readonly reactions = signal<ReadonlyMap<string, Counts>>(new Map());
  readonly mine = signal<ReadonlyMap<string, ReadonlySet<string>>>(new Map());
  readonly polls = signal<ReadonlyMap<string, Voting>>(new Map());
  readonly voted = signal<ReadonlyMap<string, number>>(new Map());
  readonly problem = signal("");
  /** Where the channel counts. */
  readonly counted = signal<Counted | null>(null);

  private readonly crowd = new Crowd(identity());
  private readonly asked = new Set<string>();
  private readonly end: () => void;
  private told = false;
  private next = 0;

  constructor(
    private readonly client: Client,
    private readonly chat: string,
  ) {
    this.end = onCrowd(client, chat, { onReactions: (news) => this.heard(news), onPoll: (news) => this.heardOfPoll(news) });
  }

  close(): void {
    this.end();
  }

  // ── what one does ────────────────────────────────────────────────────────────────────────────────

  async applaud(emoji: string): Promise<void> {
    await this.try(applaud(this.client, this.chat, { with: emoji }));
  }

  /** Reacts to a message, or takes it back. */
  async toggle(message: string, emoji: string): Promise<void> {
    const mine = new Set(this.mine.value.get(message));
    const off = mine.has(emoji);
    if (await this.try(react(this.client, this.chat, emoji, message, off))) {
      if (off) mine.delete(emoji);
      else mine.add(emoji);
      this.mine.value = new Map(this.mine.value).set(message, mine);
    }
  }

  async vote(poll: string, option: number): Promise<void> {
    if (await this.try(vote(this.client, this.chat, poll, option))) this.voted.value = new Map(this.voted.value).set(poll, option);
  }

  /** Begins a poll. Rejects with what is wrong with it. */
  async ask(question: string, options: readonly string[], closesIn?: string): Promise<void> {
    await this.crowd.ask(this.chat, question, options, closesIn);
  }

  async closePoll(poll: string): Promise<void> {
    await this.try(this.crowd.close(this.chat, poll).then((found) => this.take(found)));
  }

  /** How reactions to a message stand, where nobody has told: asked once. */
  look(message: string): void {
    if (this.asked.has(message)) return;
    this.asked.add(message);
    this.crowd.totals(this.chat, message).then(
      ({ totals, mine }) => {
        if (!this.reactions.value.has(message)) this.reactions.value = new Map(this.reactions.value).set(message, totals);
        this.mine.value = new Map(this.mine.value).set(message, new Set(mine));
      },
      () => this.asked.delete(message),
    );
  }

  /** How a poll stands, and what one has voted for: asked once. */
  lookAtPoll(poll: string): void {
    if (this.asked.has(poll)) return;
    this.asked.add(poll);
    this.crowd.poll(this.chat, poll).then((found) => this.take(found), () => this.asked.delete(poll));
  }

  // ── what is told ─────────────────────────────────────────────────────────────────────────────────

  private heard({ target, totals, per_s }: ReactionNews): void {
    if (target !== null) {
      const known = new Map(this.reactions.value).set(target, totals);
      if (known.size > MOST_MESSAGES) known.delete(known.keys().next().value ?? "");
      this.reactions.value = known;
      return;
    }
    // What there was before one came does not fly up now.
    if (this.told) this.fly(risen(this.applause.value, totals, MOST_FLYING / 2));
    this.told = true;
    this.applause.value = totals;
    this.perSecond.value = per_s;
  }

  private heardOfPoll({ poll, counts, voters, open }: PollNews): void {
    this.polls.value = new Map(this.polls.value).set(poll, { counts, voters, open });
  }

  private take({ poll, counts, voters, open, mine }: Poll): void {
    this.polls.value = new Map(this.polls.value).set(poll, { counts, voters, open });
    if (mine !== null) this.voted.value = new Map(this.voted.value).set(poll, mine);
  }

  private fly(emoji: readonly string[]): void {
    if (emoji.length === 0 || matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) return;
    const risen = emoji.map((one) => ({ key: (this.next += 1), emoji: one, left: Math.random() * 88, sway: Math.random() * 40 - 20 }));
    this.flying.value = [...this.flying.value, ...risen].slice(-MOST_FLYING);
    const gone = new Set(risen.map(({ key }) => key));
    setTimeout(() => (this.flying.value = this.flying.value.filter(({ key }) => !gone.has(key))), FLIES_MS);
  }

  private async try(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      this.problem.value = "";
      return true;
    } catch (error) {
      this.problem.value = error instanceof TouchlineError ? error.message : t("It did not work: try again.");
      return false;
    }
  }
}
