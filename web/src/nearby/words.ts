// Distances, ages, and what others see of somebody, in words. Pure.

import type { Fence, Sharing } from "@touchline/client";

import { sayAge } from "../shared/words.ts";
import { many, t } from "../shared/tongue.ts";

export const RADII: readonly (readonly [string, string])[] = [
  ["500m", "500 metres"], ["1km", "1 kilometre"], ["5km", "5 kilometres"], ["5mi", "5 miles"], ["25km", "25 kilometres"], ["100km", "100 kilometres"],
];

/** How far it is drawn. */
export function metresOf(radius: string): number {
  const number = Number.parseFloat(radius);
  return number * (radius.endsWith("km") ? 1000 : radius.endsWith("mi") ? 1609.344 : 1);
}

export function sayDistance(metres: number): string {
  if (metres < 10) return t("here");
  if (metres < 995) return `${(Math.round(metres / 10) * 10).toLocaleString("en")} m`;
  return `${(metres / 1000).toLocaleString("en", { maximumFractionDigits: metres < 9950 ? 1 : 0 })} km`;
}

export const sayPlace = (lat: number, lon: number): string => `${lat.toFixed(5)}, ${lon.toFixed(5)}`;

/** A place that somebody typed: latitude, longitude. */
export function readPlace(text: string): readonly [number, number] | null {
  const found = /^\s*(-?\d+(?:\.\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  if (!found) return null;
  const [lat, lon] = [Number(found[1]), Number(found[2])];
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? [lat, lon] : null;
}

export interface Seen {
  readonly sharing: Sharing | null;
  readonly friends: number;
  /** Where I said last that I am, and when; null: never. */
  readonly at: string | null;
  /** When I was seen no more, last: what I said before that is forgotten. */
  readonly stoppedMs: number;
  readonly nowMs: number;
  readonly inactiveS: number;
  readonly cellM: number;
}

/** What others see of me, a sentence each. */
export function saySeen({ sharing, friends, at, stoppedMs, nowMs, inactiveS, cellM }: Seen): readonly string[] {
  if (sharing === null) return [t("It is not known yet what others see of you.")];
  if (!sharing.on) return [t("Nobody sees where you are, nor where you were."), t("Switch it on to be seen by your friends from then on.")];
  const minutes = many(Math.max(1, Math.round(inactiveS / 60)), "{n} minute", "{n} minutes");
  const who = friends === 0 ? t("You have no friends here yet, who could see where you are") : friends === 1 ? t("Your one friend sees where you are") : t("Your {n} friends see where you are", { n: friends.toLocaleString("en") });
  const said = [t("{who}: the place that you said last, exactly, until you say nothing for {minutes}.", { who, minutes })];
  said.push(sharing.public ? t("Everybody else sees roughly where you are: the middle of a square {wide} wide that you are in, and when you said so.", { wide: sayDistance(cellM) }) : t("Nobody else does."));
  said.push(t("Whom you have blocked sees nothing."));
  if (at === null) said.push(t("You have not said where you are, so there is nothing to see yet."));
  else if (Date.parse(at) <= stoppedMs) said.push(t("What you said before you were switched off is forgotten: say where you are to be seen."));
  else if (nowMs - Date.parse(at) > inactiveS * 1000) said.push(t("You said it {ago}: too long ago to be shown to anybody.", { ago: sayAge(at, nowMs) }));
  return said;
}

export function sayFence({ radius_m, polygon }: Fence): string {
  return polygon && polygon.length > 0 ? t("inside {n} corners", { n: polygon.length }) : t("{far} around its middle", { far: sayDistance(radius_m ?? 0) });
}

/** What a fence told: came, left, or is seen no more. */
export function sayCrossing(type: string, data: Readonly<Record<string, unknown>>): string {
  const user = String(data["user"]);
  if (type === "enter") return t("{user} came", { user });
  return data["reason"] === "stopped" ? t("{user} is seen no more", { user }) : t("{user} left", { user });
}

const AWAY: Readonly<Record<string, string>> = { left: "{user} went farther away.", inactive: "{user} has said nothing for a while.", unfriended: "{user} is no friend any more.", stopped: "{user} is seen no more." };

export const sayAway = (user: string, reason: string): string => t(AWAY[reason] ?? "{user} is away.", { user });
