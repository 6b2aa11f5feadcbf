// One channel as the page holds it: the client, its streams, and signals that the components read.

import { type Attachment, Attachments, type Client, connect, type Status, type StreamEvent, TouchlineError } from "@touchline/client";
import { batch, computed, signal } from "@preact/signals";

import { ChatLog, type Line } from "../shared/chatlog.ts";
import { PinnedMessage } from "../shared/pinned.ts";
import { homeOf, identity, namedUser, type PageConfig } from "../shared/config.ts";
import { Attaching } from "./attaching.ts";
import { Bell } from "./bell.ts";
import { Cheering, countedIn } from "./cheering.ts";
import { People } from "./people.ts";
import { Together } from "./together.ts";
import { Playing } from "./playing.ts";
import { moved, type Place, whoIn } from "./whereabouts.ts";
import { t } from "../shared/tongue.ts";

const PAGE = 100;
const OLDER = 200;
const MOST_LINES = 20_000;
const MOST_TOLD = 500;
const UNSEEN_MS = 200;
const MOST_FILES_KNOWN = 1000;

export class Room {
  readonly status = signal<Status>({ state: "connecting" });
  readonly viewers = signal<number | null>(null);
  readonly broadcastLoaded = signal(false);
  readonly broadcastProblem = signal("");
  readonly lines = signal<readonly Line[]>([]);
  readonly chatLoaded = signal(false);
  readonly chatProblem = signal("");
  readonly more = signal(true);
  readonly loadingMore = signal(false);
  readonly places = signal<ReadonlyMap<string, Place>>(new Map());
  /** Whether it is known where people were last seen. */
  readonly placesLoaded = signal(false);
  readonly followed = signal<readonly string[]>([]);
  readonly followProblem = signal("");
  /** Older messages around a search hit; null while the newest are shown. */
  readonly past = signal<{ readonly lines: readonly Line[]; readonly newer: boolean; readonly older: boolean } | null>(null);
  /** The message to bring into view and point out. */
  readonly target = signal<number | null>(null);
  /** The chat's list holds on to what is in view: old lines are not let go then. */
  readonly readingBack = signal(false);
  readonly shown = computed(() => this.past.value?.lines ?? this.lines.value);
  /** Who is here, by the page's address; empty: nobody in particular. */
  readonly user = namedUser();

  /** Who is in the room, and what one may do with what they say. */
  readonly people: People;
  /** The message that stays in view. */
  readonly pinned: PinnedMessage;
  /** Whom one follows, and what one is told. */
  readonly bell: Bell;
  /** What is told of this moment: who is here, who types, what is unread. */
  readonly together: Together;
  /** The message that is being answered, or changed. */
  readonly about = signal<{ readonly line: Line; readonly edit: boolean } | null>(null);
  /** When the last message of one's own was accepted, and how many were refused. */
  readonly spokeAt = signal(0);
  readonly refusals = signal(0);
  private spoken = { key: "", before: 0 };
  private refusedKey = "";
  /** What is being written. */
  readonly draft = signal("");
  /** The files of the message that is being written. */
  readonly attaching: Attaching;
  /** Score, ticker and line-ups. */
  readonly playing: Playing;
  /** Nobody has posted anything here: the name may be made up. */
  readonly nothing = computed(() => this.broadcastLoaded.value && this.chatLoaded.value && this.placesLoaded.value && this.lines.value.length + this.playing.entries.value.length + this.places.value.size === 0);
  /** Where all that is on is listed. */
  readonly home = homeOf(this.user);
  /** Applause, reactions and polls of the chat. */
  readonly cheering: Cheering;

  private readonly files: Attachments;
  private readonly found = new Map<string, Promise<Attachment>>();
  private readonly client: Client;
  private readonly chat: string;
  private readonly broadcast: string;
  private readonly log = new ChatLog(MOST_LINES);
  private pastLog = new ChatLog(MOST_LINES);
  private freshChat: StreamEvent[] = [];
  private freshBroadcast: StreamEvent[] = [];
  private freshPlaces: StreamEvent[] = [];
  private frame = 0;
  private unseen: ReturnType<typeof setTimeout> | undefined;
  private readonly unfollow = new Map<string, () => void>();

  constructor(
    readonly channel: string,
    config: PageConfig,
  ) {
    // A message that was written waits for the edge to come back, well within the time that its key is remembered.
    const requestTimeoutMs = 300_000;
    this.client = connect({ url: config.edges, requestTimeoutMs, ...identity() });
    this.chat = `chat:${channel}`;
    this.files = new Attachments(identity());
    this.attaching = new Attaching(this.files, this.chat);
    this.people = new People(channel, this.user);
    this.pinned = new PinnedMessage(channel, (id) => this.log.find(id));
    this.bell = new Bell(this.client, channel, this.user);
    this.playing = new Playing(channel);
    this.cheering = new Cheering(this.client, this.chat);
    this.together = new Together(this.client, this.chat, this.people.isRoom, this.user);
    this.broadcast = `broadcast:${channel}`;
    this.status.value = this.client.status;
    this.client.onStatus((status) => (this.status.value = status));
    this.client.onRejected(({ key, message }) => {
      if (key !== undefined) {
        this.log.tick(key, "refused", message);
        this.refusedKey = key;
        // Slow mode counts from the last one that stays.
        if (this.spoken.key === key) this.spokeAt.value = this.spoken.before;
      }
      this.refusals.value += 1;
      this.lines.value = this.log.view();
    });
    this.client.subscribe(this.broadcast, {
      last: MOST_TOLD,
      onEvent: (event) => this.collect(this.freshBroadcast, event),
      onSubscribed: ({ seq }) => {
        if (seq === 0) this.broadcastLoaded.value = true;
      },
      onPresence: (viewers) => (this.viewers.value = viewers),
      onRefused: ({ message }) => [this.broadcastLoaded.value, this.broadcastProblem.value] = [true, message],
    });
    this.client.subscribe(this.chat, {
      last: PAGE,
      reactions: true,
      members: this.people.isRoom,
      onEvent: (event) => this.collect(this.freshChat, event),
      onSubscribed: ({ seq }) => {
        void this.together.watched();
        if (seq === 0) [this.chatLoaded.value, this.more.value] = [true, false];
      },
      onGap: ({ seq }) => {
        this.flush();
        this.log.gap(seq);
        this.lines.value = this.log.view();
      },
      onRefused: ({ message }) => [this.chatLoaded.value, this.chatProblem.value] = [true, message],
    });
    this.follow(channel);
    void this.countViewers();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.unseen);
    this.playing.close();
    this.pinned.close();
    this.bell.close();
    this.cheering.close();
    this.together.close();
    this.client.close();
  }

  // ── chat ─────────────────────────────────────────────────────────────────────────────────────────

  async say(text: string, name: string, attachments: readonly string[] = [], replyTo = ""): Promise<void> {
    const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    this.log.send(key, this.user || name, text, new Date().toISOString(), attachments, replyTo);
    this.lines.value = this.log.view();
    try {
      const data = { text, ...(name && !this.user ? { name } : {}), ...(attachments.length > 0 ? { attachments } : {}), ...(replyTo ? { reply_to: replyTo } : {}) };
      await this.client.publish(this.chat, data, { key });
      this.log.tick(key, "accepted");
      if (key !== this.refusedKey) {
        this.spoken = { key, before: this.spokeAt.value };
        this.spokeAt.value = Date.now();
      }
    } catch (error) {
      this.log.tick(key, "refused", sentence(error));
      this.refusals.value += 1;
    }
    this.lines.value = this.log.view();
  }

  /** Forgets a message that was refused; it is handed back. */
  drop(key: string): Line | undefined {
    const line = this.log.discard(key);
    this.lines.value = this.log.view();
    return line;
  }

  sayAgain(key: string): void {
    const line = this.drop(key);
    if (line) void this.say(line.text, line.name, line.attachments, line.replyTo);
  }

  /** Changes what a message says; null takes it back. Resolves once that is accepted; rejects with a sentence. */
  async change(line: Line, text: string | null): Promise<void> {
    const what = text === null ? { target: line.id } : { target: line.id, text };
    await this.client.publish(this.chat, what, { type: text === null ? "retract" : "edit", wait: "accepted" });
  }

  /** The message of an id, where it is among those that are shown. */
  line(id: string): Line | undefined {
    return (this.past.value ? this.pastLog : this.log).find(id);
  }

  /** What an attachment is; asked for once, or `again` where its address may have run out. */
  attachment(id: string, again = false): Promise<Attachment> {
    const known = this.found.get(id);
    if (known && !again) return known;
    const asked = this.files.look(id);
    this.found.set(id, asked);
    asked.catch(() => this.found.delete(id));
    if (this.found.size > MOST_FILES_KNOWN) this.found.delete(this.found.keys().next().value ?? "");
    return asked;
  }

  /** This device has it now. */
  has(id: string): void {
    this.files.fetched(id).catch(() => undefined); // its days decide, then
  }

  async loadOlder(): Promise<void> {
    const past = this.past.value;
    const log = past ? this.pastLog : this.log;
    const before = log.oldest;
    if (this.loadingMore.value || before === null || !(past ? past.older : this.more.value)) return;
    this.loadingMore.value = true;
    try {
      const page = await this.client.history(this.chat, { before, limit: OLDER });
      log.prepend(page.events);
      batch(() => {
        if (past) this.past.value = { ...past, lines: log.view(), older: page.more };
        else [this.lines.value, this.more.value] = [log.view(), page.more];
      });
    } catch {
      // Tried again with the next scroll; the connection's state tells what is wrong.
    } finally {
      this.loadingMore.value = false;
    }
  }

  async loadNewer(): Promise<void> {
    const past = this.past.value;
    const after = this.pastLog.newest;
    if (!past?.newer || this.loadingMore.value || after === null) return;
    this.loadingMore.value = true;
    try {
      const page = await this.client.history(this.chat, { after, limit: PAGE });
      this.pastLog.append(page.events, true);
      if (!page.more) return this.toNewest();
      this.past.value = { ...past, lines: this.pastLog.view(), newer: page.more };
    } catch {
      // As above.
    } finally {
      this.loadingMore.value = false;
    }
  }

  /** Show a message where it was said. */
  async showContext(seq: number): Promise<void> {
    if (this.lines.value.some((line) => line.seq === seq)) {
      return batch(() => {
        this.past.value = null;
        this.target.value = seq;
      });
    }
    const page = await this.client.history(this.chat, { around: seq, limit: 2 * PAGE });
    this.pastLog = new ChatLog(MOST_LINES);
    this.pastLog.append(page.events, true);
    batch(() => {
      this.past.value = { lines: this.pastLog.view(), newer: page.more_after === true, older: page.more_before === true };
      this.target.value = seq;
    });
  }

  toNewest(): void {
    batch(() => {
      this.past.value = null;
      this.target.value = null;
    });
  }

  // ── the map ──────────────────────────────────────────────────────────────────────────────────────

  follow(channel: string): void {
    const stream = `location:${channel}`;
    if (this.unfollow.has(stream)) return;
    this.followProblem.value = "";
    const end = this.client.subscribe(stream, {
      onEvent: (event) => this.collect(this.freshPlaces, event),
      onRefused: ({ message }) => {
        this.unfollow.delete(stream);
        this.followed.value = [...this.unfollow.keys()].map((name) => name.slice("location:".length));
        if (channel !== this.channel) this.followProblem.value = message;
      },
    });
    this.unfollow.set(stream, end);
    void this.lastPlaces(stream);
    this.followed.value = [...this.unfollow.keys()].map((name) => name.slice("location:".length));
  }

  unfollowOne(channel: string): void {
    const stream = `location:${channel}`;
    this.unfollow.get(stream)?.();
    this.unfollow.delete(stream);
    this.followed.value = [...this.unfollow.keys()].map((name) => name.slice("location:".length));
    const places = new Map(this.places.value);
    for (const [who] of places) if (who === channel || who.startsWith(`${channel} `)) places.delete(who);
    this.places.value = places;
  }

  // ── how it is done ───────────────────────────────────────────────────────────────────────────────

  private collect(into: StreamEvent[], event: StreamEvent): void {
    into.push(event);
    // One drawing a frame, however many events came; a hidden page gets no frames, and needs none but for the score in its title.
    if (document.hidden && into === this.freshBroadcast) {
      clearTimeout(this.unseen);
      this.unseen = setTimeout(() => this.flush(), UNSEEN_MS);
    }
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.flush());
    else if (into.length >= 2000) this.flush();
  }

  private flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const [chat, broadcast, places] = [this.freshChat, this.freshBroadcast, this.freshPlaces];
    [this.freshChat, this.freshBroadcast, this.freshPlaces] = [[], [], []];
    batch(() => {
      if (chat.length > 0) {
        if (chat.some((event) => event.type === "room")) void this.people.refresh();
        for (const { sender } of chat) this.together.wrote(sender ?? "");
        this.log.append(chat, this.readingBack.value);
        this.pinned.take(chat);
        this.lines.value = this.log.view();
        this.chatLoaded.value = true;
      }
      if (broadcast.length > 0) this.takeBroadcast(broadcast);
      if (places.length > 0) this.takePlaces(places);
    });
  }

  private takeBroadcast(all: readonly StreamEvent[]): void {
    // What the channel is about is none of what happens in it.
    const events = all.filter(({ type }) => type !== "counters");
    const told = all.findLast(({ type }) => type === "counters");
    if (told) this.cheering.counted.value = countedIn(told.data);
    this.playing.take(events, this.broadcastLoaded.value);
    this.broadcastLoaded.value = true;
  }

  /** Where everybody was last seen: a location stream itself only tells what comes from now on. */
  private async lastPlaces(stream: string): Promise<void> {
    try {
      const { events } = await this.client.history(stream, { before: Number.MAX_SAFE_INTEGER, limit: PAGE });
      const known = this.places.value;
      this.takePlaces(events.filter((event) => (known.get(whoIn(event, this.channel))?.at ?? "") < event.server_ts));
    } catch {
      // The map fills as people move.
    }
    if (stream === `location:${this.channel}`) this.placesLoaded.value = true;
  }

  private takePlaces(events: readonly StreamEvent[]): void {
    this.places.value = moved(this.places.value, events, this.channel);
  }

  private async countViewers(): Promise<void> {
    try {
      this.viewers.value = await this.client.presence(this.broadcast);
    } catch {
      // Pushed later, when it changes.
    }
  }
}

function sentence(error: unknown): string {
  return error instanceof TouchlineError ? error.message : t("It could not be sent.");
}
