// A channel as the studio holds it: its broadcast stream, what is being written, who else is here, and posting that two can do at once.

import { type Client, connect, type Message, type Status, type StreamEvent, TouchlineError } from "@touchline/client";
import { batch, computed, signal } from "@preact/signals";

import { identity, namedUser, type PageConfig } from "../shared/config.ts";
import { entryOf } from "../viewer/match.ts";
import { Later, timeOf } from "./later.ts";
import { canWait, type Draft, editOf, fault, heldPost, isDouble, isWritten, laterOf, MOST_EVENTS, newDraft, phasePost, playOf, type Post, postOf, retraction } from "./play.ts";
import type { Action, Phase } from "./templates.ts";
import { t } from "../shared/tongue.ts";

/** How long what was posted may take to be seen here. */
const SEEN_MS = 5000;
/** Somebody else changed the score meanwhile: it is tried again from how it stands then. */
const MOST_TRIES = 5;
const SAY_MS = 3000;
const WRITES_MS = 5000;
/** Who watches this stream is in the studio. */
const STUDIO = "studio-";

export interface Said {
  readonly tone: "good" | "busy" | "bad";
  readonly text: string;
}

export interface Other {
  readonly user: string;
  readonly writes: boolean;
}

export class Model {
  readonly user = namedUser();
  readonly status = signal<Status>({ state: "connecting" });
  readonly viewers = signal<number | null>(null);
  readonly events = signal<readonly StreamEvent[]>([]);
  readonly loaded = signal(false);
  readonly problem = signal("");
  /** The sport that is meant until the stream says one. */
  readonly sport = signal("");
  readonly play = computed(() => playOf(this.events.value, this.sport.value));
  readonly draft = signal<Draft | null>(null);
  /** The event that is about to be taken back, once it is confirmed. */
  readonly undoing = signal<StreamEvent | null>(null);
  readonly said = signal<Said | null>(null);
  readonly busy = signal(false);
  /** What others have posted since the draft was begun. */
  readonly meanwhile = signal<readonly StreamEvent[]>([]);
  readonly others = signal<readonly Other[]>([]);
  /** What was just posted by somebody else, to be read out. */
  readonly announcement = signal("");

  /** What is scheduled. */
  readonly later: Later;
  private readonly client: Client;
  private readonly stream: string;
  private readonly studio: string;
  /** When what was posted here was: by that it is known again. */
  private readonly sent = new Set<number>();
  private readonly waiting = new Map<string, (event: StreamEvent) => void>();
  private fresh: StreamEvent[] = [];
  private frame = 0;
  /** What lies above was posted while this page is open. */
  private head: number | null = null;
  private here: ReadonlySet<string> = new Set();
  private readonly writing = new Map<string, number>();
  private timer = 0;
  private saidAt = 0;

  constructor(
    readonly channel: string,
    config: PageConfig,
  ) {
    this.stream = `broadcast:${channel}`;
    this.later = new Later(this.stream);
    this.studio = `chat:${STUDIO}${channel}`;
    this.client = connect({ url: config.edges, ...identity() });
    this.status.value = this.client.status;
    this.client.onStatus((status) => (this.status.value = status));
    this.client.onTold((message) => this.told(message));
    this.client.subscribe(this.stream, {
      last: MOST_EVENTS,
      onEvent: (event) => this.collect(event),
      onSubscribed: ({ seq }) => {
        this.head ??= seq;
        if (seq === 0) this.loaded.value = true;
      },
      onPresence: (viewers) => (this.viewers.value = viewers),
      onRefused: ({ message }) => [this.loaded.value, this.problem.value] = [true, message],
    });
    this.client.subscribe(this.studio, {
      members: true,
      onEvent: () => undefined,
      onSubscribed: () => void this.askWho(),
      // Whose token does not let them see it works all the same.
      onRefused: () => undefined,
    });
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.later.close();
    this.client.close();
  }

  // ── writing ──────────────────────────────────────────────────────────────────────────────────────

  choose(action: Action): void {
    batch(() => {
      this.draft.value = newDraft(action, this.play.value);
      this.meanwhile.value = [];
      this.undoing.value = null;
      this.said.value = null;
    });
  }

  /** What an event says is told otherwise. */
  edit(event: StreamEvent): void {
    const draft = editOf(event, this.play.value);
    if (!draft) return;
    this.choose(draft.action);
    this.draft.value = draft;
  }

  write(change: Partial<Draft>): void {
    const draft = this.draft.value;
    if (!draft) return;
    this.draft.value = { ...draft, ...change };
    const now = Date.now();
    if (!this.user || now - this.saidAt < SAY_MS || !isWritten(this.draft.value)) return;
    this.saidAt = now;
    this.client.typing(this.studio).catch(() => undefined); // of this moment only
  }

  discard(): void {
    batch(() => {
      this.draft.value = this.undoing.value = null;
      this.meanwhile.value = [];
      this.said.value = null;
    });
  }

  /** Posts what is written. Resolves to whether it is posted, by whomever. */
  async post(): Promise<boolean> {
    const draft = this.draft.value;
    if (!draft) return false;
    const missing = fault(draft);
    if (missing) return this.says("bad", missing);
    if (draft.when.trim() && canWait(draft)) return this.schedule(draft);
    const done = await this.put(() => postOf(draft, this.play.value, Date.now(), this.channel));
    if (done) this.saidAt = 0;
    if (done && this.draft.value === draft) [this.draft.value, this.meanwhile.value] = [null, []];
    return done;
  }

  private async schedule(draft: Draft): Promise<boolean> {
    const at = timeOf(draft.when, Date.now());
    if (at === null) return this.says("bad", t("Write when as 20:45, or as +10m."));
    if (this.busy.value) return false;
    this.busy.value = true;
    try {
      await this.later.put(laterOf(draft, this.play.value, this.channel), at);
      if (this.draft.value === draft) [this.draft.value, this.meanwhile.value] = [null, []];
      return this.says("good", t("Scheduled for {time}. It is posted though you leave.", { time: new Date(at).toLocaleTimeString() }));
    } catch (error) {
      return this.says("bad", error instanceof Error ? error.message : t("It could not be scheduled."));
    } finally {
      this.busy.value = false;
    }
  }

  async postPhase(phase: Phase): Promise<boolean> {
    return this.put(() => phasePost(phase, this.play.value, Date.now(), this.channel));
  }

  /** The clock is held, or let run. */
  async hold(): Promise<boolean> {
    return this.put(() => heldPost(this.play.value, Date.now(), this.channel));
  }

  /** Takes an event back. */
  async undo(event: StreamEvent): Promise<boolean> {
    const done = await this.put(() => retraction(event, this.play.value, this.channel));
    if (done) this.undoing.value = null;
    return done;
  }

  // ── posting ──────────────────────────────────────────────────────────────────────────────────────

  /** The key of a post says what it goes by (the last score that was seen, say), so of two posts that go by the same one becomes
   * an event, and the other is told of it: it was meant alike, or is made again from how things stand then. */
  private async put(make: () => Post): Promise<boolean> {
    if (this.busy.value) return false;
    const { state } = this.status.value;
    if (state !== "live") return this.says("bad", t("You are not connected: what others have posted is not seen here, so nothing is posted. Try again once you are."));
    this.busy.value = true;
    this.says("busy", t("Posting…"));
    try {
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const post = make();
        const at = Date.now();
        this.sent.add(at);
        const { id } = await this.client.publish(this.stream, post.data, { type: post.type, key: post.key, clientTs: at, wait: "accepted" });
        const event = id === undefined ? null : await this.seen(id);
        if (!event || (Date.parse(event.client_ts ?? "") === at && this.isMine(event))) return this.says("good", t("Posted: {words}", { words: wordsOf(post.type, post.data) }));
        const who = event.sender || t("Somebody else");
        if (isDouble(post, event)) return this.says("good", t("{who} had posted that already: {words}", { who, words: wordsOf(event.type, event.data) }), true);
        if (post.data["score"] === undefined) return this.says("bad", t("{who} was quicker: {words}. Look, and post again.", { who, words: wordsOf(event.type, event.data) }));
      }
      return this.says("bad", t("Others post too quickly. Look at the score, and post again."));
    } catch (error) {
      return this.says("bad", error instanceof TouchlineError ? error.message : t("It could not be posted."));
    } finally {
      this.busy.value = false;
    }
  }

  private isMine({ sender, client_ts: at }: StreamEvent): boolean {
    return this.sent.has(Date.parse(at ?? "")) && (!this.user || sender === this.user);
  }

  private says(tone: Said["tone"], text: string, done = tone === "good"): boolean {
    this.said.value = { tone, text };
    return done;
  }

  private seen(id: string): Promise<StreamEvent | null> {
    const known = this.events.value.find((event) => event.id === id) ?? this.fresh.find((event) => event.id === id);
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => {
      const timer = window.setTimeout(() => { this.waiting.delete(id); resolve(null); }, SEEN_MS);
      this.waiting.set(id, (event) => { clearTimeout(timer); resolve(event); });
    });
  }

  private collect(event: StreamEvent): void {
    this.fresh.push(event);
    // One drawing a frame; a hidden page gets no frames, and whoever waits for an event needs none.
    if (this.waiting.size > 0) this.flush();
    else if (this.frame === 0) this.frame = requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const fresh = this.fresh;
    this.fresh = [];
    batch(() => {
      this.events.value = [...this.events.value, ...fresh].slice(-MOST_EVENTS);
      this.loaded.value = true;
      this.hear(fresh);
      const due = this.later.posts.value.some(({ at }) => Date.parse(at) <= Date.now());
      if (due) void this.later.refresh();
    });
    for (const event of fresh) {
      this.waiting.get(event.id)?.(event);
      this.waiting.delete(event.id);
    }
  }

  /** What others have posted. */
  private hear(events: readonly StreamEvent[]): void {
    const { head } = this;
    const theirs = events.filter((event) => event.type !== "counters" && head !== null && event.seq > head && !this.isMine(event));
    const last = theirs.at(-1);
    if (!last) return;
    for (const { sender } of theirs) this.writing.delete(sender ?? "");
    this.announcement.value = t("{who} posted: {words}", { who: last.sender || t("Somebody"), words: wordsOf(last.type, last.data) });
    if (this.draft.value) this.meanwhile.value = [...this.meanwhile.value, ...theirs];
    this.showOthers();
  }

  // ── who is here ──────────────────────────────────────────────────────────────────────────────────

  private async askWho(): Promise<void> {
    try {
      this.here = new Set((await this.client.present(this.studio)).map(({ user }) => user));
      this.showOthers();
    } catch {
      // Told again when somebody comes or goes.
    }
  }

  private told({ op, ...said }: Message): void {
    const user = String(said["user"] ?? "");
    if (said["stream"] !== this.studio || !user) return;
    const here = new Set(this.here);
    if (op === "join") here.add(user);
    else if (op === "leave") here.delete(user);
    else if (op === "typing") this.writing.set(user, Date.now() + WRITES_MS);
    this.here = here;
    this.showOthers();
  }

  private showOthers(): void {
    clearTimeout(this.timer);
    const now = Date.now();
    for (const [user, until] of this.writing) if (until <= now) this.writing.delete(user);
    this.others.value = [...this.here].filter((user) => user && user !== this.user).sort().map((user) => ({ user, writes: this.writing.has(user) }));
    const next = Math.min(...this.writing.values());
    if (Number.isFinite(next)) this.timer = window.setTimeout(() => this.showOthers(), next - now + 10);
  }
}

/** An event in a few words. */
export function wordsOf(type: string, data: Readonly<Record<string, unknown>>): string {
  if (type === "retract") return "something was taken back.";
  if (type === "edit") return "something was told otherwise.";
  if (type === "clock") return t(data["running"] === false ? "the clock, {clock}, held." : "the clock, {clock}.", { clock: String(data["clock"] ?? "") });
  const { title, text } = entryOf({ stream: "", seq: 0, id: "", server_ts: "", type, data });
  const score = data["score"];
  return `${title}${Array.isArray(score) ? `, ${score.join("–")}` : ""}. ${text}`.trim();
}
