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
/** So soon it is asked again what is not counted yet. */
const AGAIN_MS = 2000;

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

function standing({ counts, voters, open }: PollNews): Voting {
  return { counts, voters, open };
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
  /** What one has done here: an answer that was asked for before may not know of it. */
  private readonly deeds = new Map<string, Map<string, boolean>>();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private readonly end: () => void;
  private told = false;
  private closed = false;
  private next = 0;

  constructor(
    private readonly client: Client,
    private readonly chat: string,
  ) {
    this.end = onCrowd(client, chat, { onReactions: (news) => this.heard(news), onPoll: (news) => this.heardOfPoll(news) });
  }

  close(): void {
    this.closed = true;
    this.end();
    this.timers.forEach(clearTimeout);
  }

  // ── what one does ────────────────────────────────────────────────────────────────────────────────

  async applaud(emoji: string): Promise<void> {
    await this.try(applaud(this.client, this.chat, { with: emoji }));
  }

  /** Reacts to a message, or takes it back. */
  async toggle(message: string, emoji: string): Promise<void> {
    const off = this.mine.value.get(message)?.has(emoji) === true;
    if (await this.try(react(this.client, this.chat, emoji, message, off))) {
      this.deeds.set(message, new Map(this.deeds.get(message)).set(emoji, !off));
      this.know(message, this.mine.value.get(message) ?? []);
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
        this.know(message, mine);
      },
      () => this.asked.delete(message),
    );
  }

  /** One's own reactions to a message, as somebody has told, and what one has done here since. */
  private know(message: string, told: Iterable<string>): void {
    const mine = new Set(told);
    for (const [emoji, on] of this.deeds.get(message) ?? []) {
      if (on) mine.add(emoji);
      else mine.delete(emoji);
    }
    this.mine.value = new Map(this.mine.value).set(message, mine);
  }

  /** How a poll stands, and what one has voted for: asked once. */
  lookAtPoll(poll: string): void {
    if (this.asked.has(poll)) return;
    this.asked.add(poll);
    const [told, voted] = [this.polls.value.get(poll), this.voted.value.get(poll)];
    this.crowd.poll(this.chat, poll).then(
      (found) => {
        // What was told meanwhile, and what one did, is newer.
        if (this.polls.value.get(poll) === told) this.polls.value = new Map(this.polls.value).set(poll, standing(found));
        if (found.mine !== null && this.voted.value.get(poll) === voted) this.voted.value = new Map(this.voted.value).set(poll, found.mine);
      },
      (error: unknown) => {
        this.asked.delete(poll);
        // Not all votes are counted yet: nobody tells of a poll that is closed, so it is asked again.
        if (this.closed || !(error instanceof TouchlineError) || error.code !== "unavailable") return;
        const timer = setTimeout(() => {
          this.timers.delete(timer);
          this.lookAtPoll(poll);
        }, AGAIN_MS);
        this.timers.add(timer);
      },
    );
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

  private heardOfPoll(news: PollNews): void {
    this.polls.value = new Map(this.polls.value).set(news.poll, standing(news));
  }

  private take(found: Poll): void {
    this.polls.value = new Map(this.polls.value).set(found.poll, standing(found));
    if (found.mine !== null) this.voted.value = new Map(this.voted.value).set(found.poll, found.mine);
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
