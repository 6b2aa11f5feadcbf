// Sports, as data: which phases a match has, and what can happen in it. A sport more is an entry more in templates.json.

import all from "./templates.json";
import { t } from "../shared/tongue.ts";

export type Side = "home" | "away";
export type Field = "player" | "off" | "text" | "score" | "clock" | "details";

export interface Phase {
  readonly type: string;
  readonly name: string;
  /** Where the match's clock stands when it begins; phases without one stop it. */
  readonly clock?: string;
  /** The minute after which time is added. */
  readonly until?: number;
  readonly text?: string;
}

export interface Action {
  /** The key that chooses it. */
  readonly key: string;
  readonly type: string;
  readonly name: string;
  readonly tone?: string;
  /** Whether it is one team's. */
  readonly side?: boolean;
  readonly points?: number;
  /** Points of an own goal are the other team's. */
  readonly for?: string;
  readonly fields: readonly Field[];
}

export interface Template {
  readonly id: string;
  readonly name: string;
  readonly phases: readonly Phase[];
  readonly actions: readonly Action[];
}

export const TEMPLATES = all as unknown as readonly Template[];

/** What every sport has. */
export const COMMON: readonly Action[] = [
  { key: "t", type: "note", name: "Words", fields: ["text"] },
  { key: "c", type: "score", name: "Correct the score", fields: ["score", "text"] },
  { key: "k", type: "clock", name: "Set the clock", fields: ["clock"] },
  { key: "m", type: "announced", name: "Teams and title", fields: ["details", "text"] },
];

export function templateOf(id: string): Template {
  const found = TEMPLATES.find((template) => template.id === id) ?? TEMPLATES[0];
  if (!found) throw new Error(t("There is no template."));
  return found;
}
