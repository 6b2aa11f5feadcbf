// One channel as its moderators have it: what was reported, what is said now, who may not speak, and what is set.

import { type Client, connect, Moderation, type Report, type Sanction, type Status, type StreamEvent } from "@touchline/client";
import { computed, signal } from "@preact/signals";

import { ChatLog, type Line } from "../shared/chatlog.ts";
import { PinnedMessage } from "../shared/pinned.ts";
import { ask, identity, namedUser, type PageConfig, Refused } from "../shared/config.ts";
import { casesOf, type Message, messageOf, saidSince } from "./cases.ts";
import { Deeds, each, sentence } from "./deeds.ts";
import { many, t } from "../shared/tongue.ts";

const LINES = 2000;
const FIRST = 200;
const LOOK_MS = 8000;
const TOLD = 200;
const SOON_MS = 300;
const QUEUE = 50;
const THEIRS = 50;

/** What a channel's settings say to its chat. */
export interface ChatSettings {
  readonly slow_s: number | null;
  readonly blocked: readonly string[];
}

/** Messages of somebody, the newest first. */
export interface Theirs {
  readonly user: string;
  readonly messages: readonly Message[];
  readonly next: string | null;
  readonly total: number;
}

export class Desk {
  readonly status = signal<Status>({ state: "connecting" });
  readonly lines = signal<readonly Line[]>([]);
  readonly loaded = signal(false);
  readonly reports = signal<readonly Report[] | null>(null);
  readonly moreReports = signal(false);
  readonly sanctions = signal<ReadonlyMap<string, Sanction>>(new Map());
  /** Null: they are for administrators. */
  readonly settings = signal<ChatSettings | null>(null);
  readonly problem = signal<{ readonly text: string; readonly wantsToken: boolean } | null>(null);
  readonly chosen = signal<ReadonlyMap<string, Message>>(new Map());
  /** For how long is muted and banned; empty: without an end. */
  readonly span = signal("10m");
  readonly theirs = signal<Theirs | null>(null);
  readonly theirsProblem = signal("");
  /** Messages that are about to be taken back. */
  readonly going = signal<ReadonlySet<string>>(new Set());
  /** What moderators have done here, the latest first. */
  readonly told = signal<readonly StreamEvent[]>([]);
  readonly deeds = new Deeds();
  readonly pinned: PinnedMessage;
  /** Lists as they were when they were held still; null: they move. */
  readonly held = signal<{ readonly lines: readonly Line[]; readonly reports: readonly Report[] } | null>(null);
  readonly shown = computed(() => this.held.value?.lines ?? this.lines.value);
  readonly cases = computed(() => casesOf(this.held.value?.reports ?? this.reports.value ?? []).filter(({ message }) => !this.settled.value.has(message.id)));
  /** How many messages have come since. */
  readonly waiting = computed(() => {
    const last = this.held.value?.lines.findLast(({ seq }) => seq > 0)?.seq ?? Infinity;
    return this.lines.value.filter(({ seq }) => seq > last).length;
  });
  readonly user = namedUser();
  readonly stream: string;

  /** Settled here, and not read again yet. */
  private readonly settled = signal<ReadonlySet<string>>(new Set());
  private readonly client: Client;
  private readonly asked = new Moderation(identity());
  private readonly log = new ChatLog(LINES);
  private fresh: StreamEvent[] = [];
  private frame = 0;
  private pages = 1;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly leaving = () => this.deeds.flush();
  private closed = false;
  private soon: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly channel: string,
    config: PageConfig,
  ) {
    this.stream = `chat:${channel}`;
    this.pinned = new PinnedMessage(channel, (id) => this.log.find(id));
    this.client = connect({ url: config.edges, ...identity() });
    this.client.onStatus((status) => (this.status.value = status));
    this.client.subscribe(this.stream, {
      last: FIRST,
      onEvent: (event) => this.collect(event),
      onSubscribed: () => (this.loaded.value = true),
      onRefused: ({ message }) => (this.problem.value = { text: message, wantsToken: true }),
    });
    this.client.subscribe(`broadcast:touchline-audit-${channel}`, {
      last: TOLD,
      onEvent: (event) => this.hear(event),
      onRefused: () => undefined, // whoever may not read it may not moderate either: the lists say so
    });
    this.timer = setInterval(() => {
      if (document.visibilityState === "visible") void this.look();
    }, LOOK_MS);
    addEventListener("pagehide", this.leaving);
    addEventListener("online", this.again);
    void this.look();
    void this.readSettings();
  }

  close(): void {
    this.closed = true;
    this.deeds.flush();
    this.pinned.close();
    clearInterval(this.timer);
    clearTimeout(this.soon);
    cancelAnimationFrame(this.frame);
    removeEventListener("pagehide", this.leaving);
    removeEventListener("online", this.again);
    this.client.close();
  }

  // ── what there is ────────────────────────────────────────────────────────────────────────────────

  private readonly again = () => void this.look();

  /** Read what is reported, and who may not speak. */
  async look(): Promise<void> {
    try {
      const [reports, sanctions] = await Promise.all([this.readReports(), this.asked.sanctioned(this.channel)]);
      if (this.closed) return;
      this.reports.value = reports;
      this.settled.value = new Set();
      this.sanctions.value = new Map(sanctions.map((one) => [one.user, one]));
      this.problem.value = null;
    } catch (error) {
      const wantsToken = "code" in (error as object) && ["unauthorized", "forbidden"].includes(String((error as { code: unknown }).code));
      if (!this.closed) this.problem.value = { text: sentence(error), wantsToken: wantsToken || (error instanceof Refused && error.wantsToken) };
    }
  }

  /** Somebody has done something, or reported something: the lists are read again, once for what comes together. */
  private hear(event: StreamEvent): void {
    this.told.value = [event, ...this.told.value].slice(0, TOLD);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => void this.look(), SOON_MS);
  }

  moreOfQueue(): void {
    this.pages += 1;
    void this.look();
  }

  private async readReports(): Promise<Report[]> {
    const found: Report[] = [];
    let cursor: string | null = "";
    for (let page = 0; page < this.pages && cursor !== null; page += 1) {
      const query = new URLSearchParams({ open: "true", limit: String(QUEUE), ...(cursor ? { cursor } : {}) });
      const answer: { reports: Report[]; next: string | null } = await ask(`/v1/streams/chat/${encodeURIComponent(this.channel)}/reports?${query.toString()}`);
      found.push(...answer.reports);
      cursor = answer.next;
    }
    this.moreReports.value = cursor !== null;
    return found;
  }

  async readSettings(): Promise<void> {
    try {
      const { settings } = await ask<{ settings: ChatSettings }>(`/v1/channels/${encodeURIComponent(this.channel)}`);
      this.settings.value = { slow_s: settings.slow_s, blocked: settings.blocked };
    } catch {
      this.settings.value = null; // who leads a room sets none of it
    }
  }

  /** What somebody has said here, the newest first. */
  async show(user: string, cursor: string | null = null): Promise<void> {
    if (!cursor) this.theirs.value = { user, messages: [], next: null, total: 0 };
    this.theirsProblem.value = "";
    try {
      const query = new URLSearchParams({ channel: this.channel, kind: "chat", sender: user, sort: "newest", limit: String(THEIRS), ...(cursor ? { cursor } : {}) });
      const found = await ask<{ hits: { event: StreamEvent }[]; next: string | null; total: number }>(`/v1/search?${query.toString()}`);
      const before = this.theirs.value;
      if (before?.user !== user) return; // somebody else is looked at by now
      const messages = found.hits.map(({ event }) => messageOf(event.id, event.stream, event.seq, event as unknown as Record<string, unknown>));
      this.addTo({ user, messages: [...(cursor ? before.messages : []), ...messages], next: found.next, total: found.total });
    } catch (error) {
      this.theirsProblem.value = sentence(error);
    }
  }

  /** A search finds a message a moment after it is read here. */
  private addTo(theirs: Theirs): void {
    const since = saidSince(theirs.messages, this.lines.value, theirs.user, this.stream);
    this.theirs.value = { ...theirs, messages: [...since, ...theirs.messages], total: Math.max(theirs.total, theirs.messages.length + since.length) };
  }

  private collect(event: StreamEvent): void {
    this.fresh.push(event);
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.flush());
    else if (this.fresh.length >= 2000) this.flush();
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const events = this.fresh;
    this.fresh = [];
    this.log.append(events);
    this.pinned.take(events);
    this.lines.value = this.log.view();
    const theirs = this.theirs.value;
    if (theirs && events.some(({ sender }) => sender === theirs.user)) this.addTo(theirs);
    // What was taken back is seen at once, also in lists that are held still.
    const gone = new Set(events.filter(({ type }) => type === "retract").map(({ data }) => String(data["target"] ?? "")));
    const held = this.held.value;
    if (gone.size > 0 && held) this.held.value = { ...held, lines: held.lines.map((line) => (gone.has(line.id) ? { ...line, text: "", retracted: true } : line)) };
  }

  // ── lists that are held still, and what is chosen in them ────────────────────────────────────────

  hold(on = this.held.value === null): void {
    // A log adds to its list in place.
    this.held.value = on ? { lines: [...this.lines.value], reports: this.reports.value ?? [] } : null;
  }

  choose(message: Message, on = !this.chosen.value.has(message.id)): void {
    const chosen = new Map(this.chosen.value);
    if (on) chosen.set(message.id, message);
    else chosen.delete(message.id);
    this.chosen.value = chosen;
  }

  clear(): void {
    this.chosen.value = new Map();
  }

  // ── what moderators do ───────────────────────────────────────────────────────────────────────────

  /** Takes messages back, in a moment: nobody can bring them back after that. */
  retract(messages: readonly Message[]): void {
    const wanted = messages.filter(({ id, retracted }) => !retracted && !this.going.value.has(id));
    if (wanted.length === 0) return;
    const ids = wanted.map(({ id }) => id);
    this.going.value = new Set([...this.going.value, ...ids]);
    const rest = () => (this.going.value = new Set([...this.going.value].filter((id) => !ids.includes(id))));
    this.deeds.later(
      many(wanted.length, "Taking {n} message back", "Taking {n} messages back"),
      async () => {
        try {
          await this.takeBack(ids);
        } finally {
          rest();
        }
        await this.markDone(ids).catch(() => undefined); // they stay in the queue, without their text
        const theirs = this.theirs.value;
        if (theirs) this.theirs.value = { ...theirs, messages: theirs.messages.map((one) => (ids.includes(one.id) ? { ...one, text: "", retracted: true } : one)) };
        return many(wanted.length, "{n} message was taken back", "{n} messages were taken back");
      },
      rest,
    );
    this.clear();
  }

  /** Keeps a message in view, or no more; undone, it is as it was before. */
  pin(id: string, on: boolean): void {
    const before = this.pinned.target;
    const back = async () => {
      if (!on || before !== "") await this.pinned.pin(on ? before : id);
      else await this.pinned.unpin(id);
    };
    void this.deeds.act(on ? t("A message was pinned") : t("Nothing is pinned any more"), async () => await (on ? this.pinned.pin(id) : this.pinned.unpin(id)), back);
  }

  private async takeBack(ids: readonly string[]): Promise<void> {
    const events = ids.map((target) => ({ type: "retract", data: { target } }));
    const answer = await ask<{ results: { ok: boolean; message?: string }[] }>(`/v1/streams/chat/${encodeURIComponent(this.channel)}/events`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(events),
      keepalive: true, // also of a page that is left
    });
    const failed = answer.results.filter(({ ok }) => !ok);
    if (failed.length > 0) throw new Error(t("{n} of {all} could not be taken back: {why}", { n: failed.length, all: ids.length, why: failed[0]?.message ?? "" }));
  }

  /** What was reported of these messages needs nothing more. */
  settle(ids: readonly string[]): void {
    const numbers = this.numbersOf(ids);
    if (numbers.length === 0) return;
    const cases = new Set(ids);
    void this.deeds.act(
      many(cases.size, "{n} case closed", "{n} cases closed"),
      async () => await this.markDone(ids),
      async () => {
        await this.asked.settle(this.stream, numbers, false);
        await this.look();
      },
    );
    this.clear();
  }

  private async markDone(ids: readonly string[]): Promise<void> {
    const numbers = this.numbersOf(ids);
    for (let first = 0; first < numbers.length; first += 200) await this.asked.settle(this.stream, numbers.slice(first, first + 200));
    this.settled.value = new Set([...this.settled.value, ...ids]);
  }

  private numbersOf(ids: readonly string[]): number[] {
    return (this.reports.value ?? []).filter(({ target, done }) => !done && ids.includes(target)).map(({ report }) => report);
  }

  sanction(what: "mute" | "unmute" | "ban" | "unban", users: readonly string[]): void {
    const whom = [...new Set(users)].filter(Boolean);
    if (whom.length === 0) return;
    const span = what === "mute" || what === "ban" ? this.span.value : "";
    const before = new Map(whom.map((user) => [user, this.sanctions.value.get(user)]));
    const names = whom.length > 3 ? many(whom.length, "{n} user", "{n} users") : whom.join(", ");
    void this.deeds.act(
      t(SAID[what], { names, span: span ? t(" for {span}", { span: spanWords(span) }) : "" }),
      async () => await this.order(whom, async (user) => void (await this.asked[what](this.channel, user, span || undefined))),
      async () => await this.order(whom, async (user) => await this.restore(user, what, before.get(user))),
    );
    this.clear();
  }

  private async order(users: readonly string[], work: (user: string) => Promise<void>): Promise<void> {
    try {
      await each(users, work);
    } finally {
      await this.look();
    }
  }

  /** As it was before. */
  private async restore(user: string, what: "mute" | "unmute" | "ban" | "unban", before: Sanction | undefined): Promise<void> {
    const mutes = what === "mute" || what === "unmute";
    const [held, until] = mutes ? [before?.muted, before?.muted_until] : [before?.banned, before?.banned_until];
    const left = until === undefined ? undefined : Math.ceil((Date.parse(until) - Date.now()) / 1000);
    if (!held || (left !== undefined && left <= 0)) await this.asked[mutes ? "unmute" : "unban"](this.channel, user);
    else await this.asked[mutes ? "mute" : "ban"](this.channel, user, left === undefined ? undefined : `${left}s`);
  }

  /** Which blocked words these texts have. */
  async tryWords(texts: readonly string[], blocked: readonly string[]): Promise<string[][]> {
    return await this.asked.tryWords(this.channel, texts, blocked);
  }

  set(said: string, wanted: Partial<ChatSettings>): void {
    const before = this.settings.value;
    if (!before) return;
    const put = async (values: Partial<ChatSettings>) => {
      await ask(`/v1/channels/${encodeURIComponent(this.channel)}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) });
      if (this.settings.value) this.settings.value = { ...this.settings.value, ...values };
    };
    const old = Object.fromEntries(Object.keys(wanted).map((name) => [name, before[name as keyof ChatSettings]])) as Partial<ChatSettings>;
    void this.deeds.act(said, async () => await put(wanted), async () => await put(old));
  }
}

const SAID = { mute: "{names} muted{span}", unmute: "{names} may write again", ban: "{names} banned{span}", unban: "{names} may read again" } as const;

export const SPANS: readonly (readonly [string, string])[] = [["10m", "10 minutes"], ["1h", "an hour"], ["12h", "12 hours"], ["1d", "a day"], ["7d", "7 days"], ["30d", "30 days"], ["", "without an end"]];

export function spanWords(span: string): string {
  return t(SPANS.find(([value]) => value === span)?.[1] ?? span);
}
