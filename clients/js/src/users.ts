// Users' own channels: `location:user-ana` has where ana is. The twin of kernel/access/users.py; tests/shared/user_names.json is their table.

import { sha256 } from "./sha256.ts";

const PLAIN = /^[A-Za-z0-9._-]{1,120}$/;
const DIGITS = 40;

/** The user's own channel. */
export const userChannel = (user: string): string => `user-${nameInChannel(user)}`;

/** Where the system tells the user something. */
export const notifyChannel = (user: string): string => `notify-${nameInChannel(user)}`;

/** A user's name as it stands in channels: itself where it fits, else a hash of it. */
export function nameInChannel(user: string): string {
  return PLAIN.test(user) ? user : `~h${hashed(new TextEncoder().encode(user)).slice(0, DIGITS)}`;
}

function hashed(data: Uint8Array): string {
  const hash = sha256();
  hash.update(data);
  return hash.hex();
}

/** An edge's address with who and what somebody says that they are. */
export function named(url: string, { user, device }: { readonly user?: string; readonly device?: string }): string {
  const said = Object.entries({ user, device }).filter((pair): pair is [string, string] => pair[1] !== undefined);
  if (said.length === 0) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${new URLSearchParams(said).toString()}`;
}
