// Rooms: group chats, made, shown and changed by way of a gateway.

import { askGateway, type GatewayOptions } from "./gateway.ts";

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
  readonly last: Readonly<Record<string, unknown>> | null;
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

  /** This user adds one to no room any more. */
  async block(user: string): Promise<void> {
    await this.#ask("PUT", `/v1/blocks/${encodeURIComponent(user)}`);
  }

  /** They may again. */
  async unblock(user: string): Promise<void> {
    await this.#ask("DELETE", `/v1/blocks/${encodeURIComponent(user)}`);
  }

  async #ask(method: string, where: string, body?: unknown): Promise<unknown> {
    return askGateway(this.#options, method, where, body);
  }
}

function path(room: string): string {
  return `/v1/rooms/${encodeURIComponent(room)}`;
}
