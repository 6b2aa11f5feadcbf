// Who is in a room, and what one may do with what others say.

import { Moderation, type Room as Known, Rooms, TouchlineError } from "@touchline/client";
import { signal } from "@preact/signals";

import { identity } from "../shared/config.ts";
import { t } from "../shared/tongue.ts";

const ROOM = "room-";

export class People {
  /** The room of this channel, for who is in it. */
  readonly room = signal<Known | null>(null);
  readonly problem = signal("");

  private readonly name: string;
  private readonly asked = new Rooms(identity());
  private readonly moderation = new Moderation(identity());

  constructor(
    private readonly channel: string,
    readonly user: string,
  ) {
    this.name = channel.startsWith(ROOM) ? channel.slice(ROOM.length) : "";
    void this.refresh();
  }

  get isRoom(): boolean {
    return this.name !== "";
  }

  /** Whether whoever is here moderates: the owner and the moderators of a room. */
  get leads(): boolean {
    const me = this.room.value?.members.find(({ user }) => user === this.user);
    return me !== undefined && me.role !== "member";
  }

  async refresh(): Promise<void> {
    try {
      if (this.isRoom) this.room.value = await this.asked.show(this.name);
    } catch {
      this.room.value = null; // the chat says why it cannot be read
    }
  }

  report(target: string, reason: string): Promise<string> {
    return done(this.moderation.report(`chat:${this.channel}`, target, reason), t("It is reported."));
  }

  mute(user: string): Promise<string> {
    return done(this.moderation.mute(this.channel, user, "10m"), t("{user} is muted for ten minutes.", { user }));
  }

  ban(user: string): Promise<string> {
    return done(this.moderation.ban(this.channel, user), t("{user} is banned.", { user }));
  }
}

/** What became of it, as a sentence. */
export async function done(work: Promise<unknown>, said: string): Promise<string> {
  try {
    await work;
    return said;
  } catch (error) {
    return error instanceof TouchlineError ? error.message : t("It did not work: try again.");
  }
}
