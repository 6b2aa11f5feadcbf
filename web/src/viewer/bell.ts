// Whom one follows, what those post, what one is told, and what of it one wants to be told.

import { type Client, type FeedEvent, Feeds, type Notifications, type NotificationType, notifyChannel, type StreamEvent, watchFeed } from "@touchline/client";
import { signal } from "@preact/signals";

import { identity } from "../shared/config.ts";
import { done } from "./people.ts";
import { t } from "../shared/tongue.ts";

const MOST = 100;

export const TYPES: readonly (readonly [NotificationType, string])[] = [
  ["mention", "Mentions"], ["reply", "Replies"], ["live_started", "Channels going live"], ["friend", "Friend requests"], ["invited", "Invitations"],
];

export class Bell {
  /** Whether the channel can be followed at all, whether it is, and by how many. */
  readonly following = signal(false);
  readonly followers = signal<number | null>(null);
  /** The feed, the newest event first. */
  readonly feed = signal<readonly FeedEvent[]>([]);
  readonly older = signal(true);
  readonly told = signal<readonly StreamEvent[]>([]);
  readonly unread = signal(0);
  readonly wishes = signal<Notifications | null>(null);
  readonly said = signal("");

  private readonly feeds = new Feeds(identity());
  private readonly stream: string;
  private endFeed: (() => void) | null = null;

  constructor(
    private readonly client: Client,
    private readonly channel: string,
    readonly user: string,
  ) {
    this.stream = `broadcast:${notifyChannel(user)}`;
    if (!user) return;
    client.onTold((message) => {
      if (message.op === "inbox" && typeof message["notifications"] === "number") this.unread.value = message["notifications"];
    });
    let live = false;
    client.onStatus((status) => {
      const now = status.state === "live";
      if (now && !live) void this.count();
      live = now;
    });
    client.subscribe(this.stream, { last: MOST, onEvent: (event) => (this.told.value = [event, ...this.told.value].slice(0, MOST)) });
    void this.refresh();
  }

  get followable(): boolean {
    return this.user !== "" && !/^(room|notify|touchline)-/.test(this.channel) && !/~\d+$/.test(this.channel);
  }

  async follow(on: boolean): Promise<void> {
    const what = on ? this.feeds.follow(this.channel) : this.feeds.unfollow(this.channel);
    this.said.value = await done(what, on ? t("You follow {channel}.", { channel: this.channel }) : t("You follow {channel} no more.", { channel: this.channel }));
    await this.refresh();
  }

  /** The feed is looked at: from then on it is live. */
  look(): void {
    this.endFeed ??= watchFeed(this.client, { onEvents: (events) => (this.feed.value = [...[...events].reverse(), ...this.feed.value]) });
    void this.loadWishes();
  }

  /** What was told is read, on whatever device. */
  async read(): Promise<void> {
    const newest = this.told.value[0];
    if (newest && this.unread.value > 0) await this.client.request({ op: "read", stream: this.stream, seq: newest.seq }).catch(() => undefined);
  }

  async loadOlder(): Promise<void> {
    const last = this.feed.value.at(-1);
    if (!last) return;
    const page = await this.feeds.page({ before: last.id });
    this.feed.value = [...this.feed.value, ...page.events];
    this.older.value = page.more;
  }

  async want(types: Partial<Record<NotificationType, boolean>>, quiet: string | null): Promise<void> {
    this.said.value = await done(
      this.feeds.setNotifications({ types, quiet }).then((now) => (this.wishes.value = now)),
      t("It is kept."),
    );
  }

  close(): void {
    this.endFeed?.();
  }

  private async count(): Promise<void> {
    const answer = await this.client.request({ op: "inbox", limit: 1 }).catch(() => null);
    if (answer && typeof answer["notifications"] === "number") this.unread.value = answer["notifications"];
  }

  private async loadWishes(): Promise<void> {
    this.wishes.value ??= await this.feeds.notifications().catch(() => null);
  }

  private async refresh(): Promise<void> {
    if (!this.followable) return;
    try {
      const [all, followers] = await Promise.all([this.feeds.follows(), this.feeds.followers(this.channel)]);
      this.following.value = all.some(({ channel }) => channel === this.channel);
      this.followers.value = followers;
    } catch {
      this.followers.value = null; // the channel itself says why it cannot be read
    }
  }
}
