// Who is near, friends, consent and fences as the page holds them: the client, the gateway, and signals that the components read.

import {
  type Client, connect, type Fence, type FenceShape, type Friend, locate, Nearby, type Place, type Sharing, type Status, type StreamEvent, TouchlineError, userChannel, watchNearby,
} from "@touchline/client";
import { batch, signal } from "@preact/signals";

import { ask, identity, namedUser, type PageConfig, storedToken } from "../shared/config.ts";
import { sayAway, sayCrossing, sayDistance } from "./words.ts";
import { t } from "../shared/tongue.ts";

const PAGE = 20;
const LOOK_AGAIN_MS = 4000;
/** Somebody with more friends is not asked for all of them that often. */
const FEW = 200;
const LOOK_SELDOM_MS = 30_000;
/** Streams of fences that are watched at once, and events of each that are read back. */
const MOST_WATCHED = 100;
const LAST = 50;
const MOST_TRIES = 5;
const TRY_AGAIN_MS = 500;

export interface Spot {
  readonly lat: number;
  readonly lon: number;
  readonly at: string;
}

export interface FenceNews {
  readonly inside: ReadonlySet<string>;
  readonly last: { readonly text: string; readonly at: string } | null;
}

const NO_NEWS: FenceNews = { inside: new Set(), last: null };

let models = 0;

export class Model {
  readonly number = ++models;
  readonly user = whoAmI();
  readonly status = signal<Status>({ state: "connecting" });
  readonly me = signal<Spot | null>(null);
  /** Whether it is known where I said last that I am. */
  readonly placed = signal(false);
  readonly radius = signal("5mi");
  readonly near = signal<ReadonlyMap<string, Place>>(new Map());
  readonly listed = signal(false);
  readonly more = signal<(() => void) | null>(null);
  readonly sharing = signal<Sharing | null>(null);
  readonly stoppedMs = signal(0);
  readonly friends = signal<readonly Friend[]>([]);
  readonly fences = signal<readonly Fence[]>([]);
  readonly news = signal<ReadonlyMap<string, FenceNews>>(new Map());
  readonly problem = signal("");
  readonly announcement = signal("");

  private readonly client: Client;
  private readonly asked = new Nearby(identity());
  private stopLooking: () => void = () => undefined;
  private readonly unwatch = new Map<string, () => void>();
  private readonly refused = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(readonly config: PageConfig) {
    this.client = connect({ url: config.edges, ...identity() });
    this.status.value = this.client.status;
    this.client.onStatus((status) => (this.status.value = status));
    if (this.user) void this.begin();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.client.close();
  }

  // ── where I am, and who is near ──────────────────────────────────────────────────────────────────

  /** Says that I am there, and looks from there. Resolves to whether it was believed. */
  async locate(lat: number, lon: number, accuracy?: number): Promise<boolean> {
    const given = accuracy === undefined ? {} : { accuracy };
    if (!(await this.does(locate(this.client, lat, lon, given)))) return false;
    const before = this.me.value;
    this.me.value = { lat, lon, at: new Date().toISOString() };
    // Who looks already goes along with what they say.
    if (before === null || !this.listed.value) this.look();
    return true;
  }

  /** How far is near, from now on. */
  within(radius: string): void {
    this.radius.value = radius;
    this.look();
  }

  private look(): void {
    const me = this.me.value;
    if (me === null || this.closed) return;
    this.stopLooking();
    const heard = {
      onList: (friends: readonly Place[]) => {
        batch(() => {
          this.near.value = new Map(friends.map((friend) => [friend.user, friend]));
          this.listed.value = true;
        });
      },
      onMore: (more: (() => void) | null) => (this.more.value = more),
      onNear: (friend: Place) => {
        if (!this.near.value.has(friend.user)) this.say(`${friend.user} is near: ${sayDistance(friend.distance_m)}.`);
        this.near.value = new Map(this.near.value).set(friend.user, friend);
      },
      onAway: (user: string, reason: string) => {
        const near = new Map(this.near.value);
        if (near.delete(user)) this.say(sayAway(user, reason));
        this.near.value = near;
      },
      onError: (error: unknown) => (this.problem.value = sentence(error)),
    };
    this.stopLooking = watchNearby(this.client, me.lat, me.lon, heard, this.radius.value, PAGE);
  }

  // ── consent and friends ──────────────────────────────────────────────────────────────────────────

  async share(on: boolean, isPublic: boolean): Promise<void> {
    const set = await this.does(this.asked.share(on, { public: on && isPublic }));
    if (!set) return;
    if (!on) this.stoppedMs.value = Date.now();
    this.sharing.value = set;
  }

  async ask(user: string): Promise<boolean> {
    const done = (await this.does(this.asked.ask(user))) !== null;
    await this.refreshFriends();
    return done;
  }

  async end(user: string): Promise<void> {
    await this.does(this.asked.end(user).then(() => true));
    await this.refreshFriends();
  }

  /** Walkers become my friends, and I stand in the middle of their city. */
  async startDemo(): Promise<void> {
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const city = await this.does(ask<{ lat: number; lon: number }>("/v1/demo/walk", init));
    if (city === null) return;
    await this.refreshFriends();
    await this.locate(city.lat, city.lon);
  }

  // ── fences ───────────────────────────────────────────────────────────────────────────────────────

  async setFence(id: string, shape: FenceShape): Promise<boolean> {
    const done = (await this.does(this.asked.setFence(id, shape))) !== null;
    await this.refreshFences();
    return done;
  }

  async removeFence(id: string): Promise<void> {
    await this.does(this.asked.removeFence(id).then(() => true));
    await this.refreshFences();
  }

  // ── how it is done ───────────────────────────────────────────────────────────────────────────────

  private async begin(): Promise<void> {
    await Promise.all([this.lastPlace(), this.refreshSharing(), this.refreshFriends(), this.refreshFences()]);
    this.lookAgain();
  }

  /** Where I said last that I am: my own stream has it. */
  private async lastPlace(): Promise<void> {
    try {
      const path = `/v1/streams/location/${encodeURIComponent(userChannel(this.user))}/events?limit=1&before=${Number.MAX_SAFE_INTEGER}`;
      const { events } = await ask<{ events: readonly StreamEvent[] }>(path);
      const { lat, lon } = events.at(-1)?.data ?? {};
      if (typeof lat === "number" && typeof lon === "number" && this.me.value === null) {
        this.me.value = { lat, lon, at: events.at(-1)?.server_ts ?? "" };
        this.look();
      }
    } catch (error) {
      this.problem.value = sentence(error);
    }
    this.placed.value = true;
  }

  private async refreshSharing(): Promise<void> {
    this.sharing.value = (await this.read(this.asked.sharing())) ?? this.sharing.value;
  }

  private async refreshFriends(): Promise<void> {
    this.friends.value = (await this.does(this.asked.friends(), false)) ?? this.friends.value;
  }

  private async refreshFences(): Promise<void> {
    const fences = await this.read(this.asked.fences());
    if (fences === null) return;
    this.fences.value = fences;
    const there = new Set(fences.slice(0, MOST_WATCHED).map(({ stream }) => stream));
    for (const [stream, end] of this.unwatch) {
      if (there.has(stream)) continue;
      end();
      this.unwatch.delete(stream);
    }
    for (const { id, stream } of fences.slice(0, MOST_WATCHED)) {
      if (this.unwatch.has(stream)) continue;
      let caughtUp = false;
      const end = this.client.subscribe(stream, {
        last: LAST,
        onEvent: (event) => this.crossed(id, event, caughtUp),
        onSubscribed: () => setTimeout(() => (caughtUp = true)),
        onRefused: () => this.watchLater(stream),
      });
      this.unwatch.set(stream, end);
    }
  }

  /** An edge hears of a new fence a moment after the gateway: it is asked again. */
  private watchLater(stream: string): void {
    this.unwatch.delete(stream);
    const tries = (this.refused.get(stream) ?? 0) + 1;
    this.refused.set(stream, tries);
    if (tries <= MOST_TRIES && !this.closed) setTimeout(() => void this.refreshFences(), TRY_AGAIN_MS * tries);
  }

  private crossed(id: string, { type, data, server_ts }: StreamEvent, fresh: boolean): void {
    const before = this.news.value.get(id) ?? NO_NEWS;
    const inside = new Set(before.inside);
    if (type === "enter") inside.add(String(data["user"]));
    else inside.delete(String(data["user"]));
    const text = sayCrossing(type, data);
    this.news.value = new Map(this.news.value).set(id, { inside, last: { text, at: server_ts } });
    if (fresh) this.say(`${id}: ${text}.`);
  }

  /** Requests are not pushed: they are looked for while somebody looks at the page. */
  private lookAgain(): void {
    if (this.closed) return;
    const soon = this.friends.value.length <= FEW ? LOOK_AGAIN_MS : LOOK_SELDOM_MS;
    this.timer = setTimeout(() => {
      const look = document.visibilityState === "visible" ? this.refreshFriends() : Promise.resolve();
      void look.then(() => this.lookAgain());
    }, soon);
  }

  private say(text: string): void {
    this.announcement.value = text;
  }

  /** The same of what is only read: what was told of the act before it stays. */
  private async read<T>(work: Promise<T>): Promise<T | null> {
    return await work.catch((error: unknown) => {
      this.problem.value = sentence(error);
      return null;
    });
  }

  /** What came of it; null where it was refused, which is told then. */
  private async does<T>(work: Promise<T>, tell = true): Promise<T | null> {
    try {
      const done = await work;
      if (tell) this.problem.value = "";
      return done ?? (true as T);
    } catch (error) {
      if (tell) this.problem.value = sentence(error);
      return null;
    }
  }
}

function sentence(error: unknown): string {
  return error instanceof TouchlineError || error instanceof Error ? error.message : t("It did not work: try again.");
}

/** Whoever the address names, or the token. */
function whoAmI(): string {
  const claims = storedToken().split(".")[1];
  if (claims === undefined) return namedUser();
  try {
    const { sub } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as { sub?: unknown };
    return typeof sub === "string" ? sub : namedUser();
  } catch {
    return namedUser();
  }
}
