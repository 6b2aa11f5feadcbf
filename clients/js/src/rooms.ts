// Rooms: group chats, made, shown and changed by way of a gateway.

import { ask, type GatewayOptions } from "./asking.ts";

export type RoomRole = "owner" | "moderator" | "member";

export type RoomsOptions = GatewayOptions;

export interface RoomSettings {
  readonly name?: string;
  /** What those see who join from now on. */
  readonly history?: "all" | "joined";
  readonly receipts?: boolean;
}

/** A room as it is in force. */
export interface Room {
  readonly room: string;
  readonly stream: string;
  readonly name: string;
  readonly history: "all" | "joined";
  readonly receipts: boolean;
  readonly members: readonly { readonly user: string; readonly role: RoomRole; readonly since: number }[];
  readonly seq: number;
  readonly deleted?: boolean;
}

/** A room in a list. */
export interface RoomRow {
  readonly room: string;
  readonly stream: string;
  readonly name: string;
  readonly role: RoomRole;
  readonly members: number;
  /** Messages of others that the user has not read, and those of them that mention the user. */
  readonly unread: number;
  readonly mentions: number;
  readonly last: Readonly<Record<string, unknown>> | null;
  /** Up to where the user has read it, and the highest that a device of theirs has. */
  readonly read: number;
  readonly delivered: number;
  readonly muted: boolean;
}

export class Rooms {
  readonly #options: RoomsOptions;

  constructor(options: RoomsOptions = {}) {
    this.#options = options;
  }

  /** Makes a room; resolves once it is in force. Rejects with `exists` or `too_many`. */
  async create(name: string, given: Omit<RoomSettings, "name"> & { room?: string; members?: readonly string[] } = {}): Promise<Room> {
    return (await this.#ask("POST", "/v1/rooms", { name, ...given })) as Room;
  }

  /** A room that one is in. Rejects with `not_found`. */
  async show(room: string): Promise<Room> {
    return (await this.#ask("GET", path(room))) as Room;
  }

  /** The rooms that one is in, the latest activity first. */
  async list(): Promise<RoomRow[]> {
    const found: RoomRow[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.#ask("GET", `/v1/rooms?limit=200${query}`)) as { rooms: RoomRow[]; next: string | null };
      found.push(...page.rooms);
      cursor = page.next;
    }
    return found;
  }

  /** Changes what is set for it. */
  async change(room: string, settings: RoomSettings): Promise<Room> {
    return (await this.#ask("PATCH", path(room), settings)) as Room;
  }

  /** Takes people out, adds others, gives roles; resolves once that is in force. */
  async members(
    room: string,
    what: { add?: readonly string[]; remove?: readonly string[]; roles?: Readonly<Record<string, RoomRole>> },
  ): Promise<Room> {
    return (await this.#ask("POST", `${path(room)}/members`, what)) as Room;
  }

  /** No notifications of it, or again. */
  async mute(room: string, on = true): Promise<void> {
    await this.#ask("PUT", `${path(room)}/mute`, { on });
  }

  /** Deletes it: its owner does. */
  async delete(room: string): Promise<void> {
    await this.#ask("DELETE", path(room));
  }

  /** One's devices of the last 30 days, the latest first. */
  async devices(): Promise<readonly { device: string; last_active: string }[]> {
    return ((await this.#ask("GET", "/v1/devices")) as { devices: { device: string; last_active: string }[] }).devices;
  }

  /** Ends a device's connections, and forgets what it has received. Rejects with `not_found`. */
  async signOut(device: string): Promise<void> {
    await this.#ask("DELETE", `/v1/devices/${encodeURIComponent(device)}`);
  }

  /** This user adds one to no room any more. */
  async block(user: string): Promise<void> {
    await this.#ask("PUT", `/v1/blocks/${encodeURIComponent(user)}`);
  }

  /** They may again. */
  async unblock(user: string): Promise<void> {
    await this.#ask("DELETE", `/v1/blocks/${encodeURIComponent(user)}`);
  }

  async #ask(method: string, where: string, body?: unknown): Promise<unknown> {
    return await ask(this.#options, method, where, body);
  }
}

function path(room: string): string {
  return `/v1/rooms/${encodeURIComponent(room)}`;
}
