// Line-ups and statistics of a match, as far as they are told.

import type { StreamEvent } from "@touchline/client";

import { text } from "./match.ts";

export interface Player {
  readonly name: string;
  readonly number: string;
  readonly position: string;
  readonly bench: boolean;
}

export interface Figure {
  readonly name: string;
  readonly home: number;
  readonly away: number;
}

export interface Sheet {
  readonly home: readonly Player[];
  readonly away: readonly Player[];
  readonly figures: readonly Figure[];
}

export const NO_SHEET: Sheet = { home: [], away: [], figures: [] };
const MOST_PLAYERS = 40;
const MOST_FIGURES = 20;
const LONGEST = 60;

export function sheetWith(known: Sheet, data: StreamEvent["data"]): Sheet {
  const lineups = record(data["lineups"]);
  const stats = record(data["stats"]);
  if (!lineups && !stats) return known;
  const told = lineups ? { home: players(lineups["home"]), away: players(lineups["away"]) } : known;
  return {
    home: told.home.length > 0 ? told.home : known.home,
    away: told.away.length > 0 ? told.away : known.away,
    figures: stats ? merged(known.figures, figures(stats)) : known.figures,
  };
}

function players(given: unknown): Player[] {
  if (!Array.isArray(given)) return [];
  return given.slice(0, MOST_PLAYERS).flatMap((one: unknown) => {
    const said = record(one) ?? { name: one };
    const name = short(said["name"]);
    const number = said["number"];
    return name === "" ? [] : [{ name, number: typeof number === "number" ? String(number) : short(number), position: short(said["position"]), bench: said["bench"] === true }];
  });
}

/** `{"shots": [4, 2]}`, or with `{"home": 4, "away": 2}`. */
function figures(stats: Readonly<Record<string, unknown>>): Figure[] {
  return Object.entries(stats).flatMap(([key, given]) => {
    const [home, away] = Array.isArray(given) ? (given as unknown[]) : [record(given)?.["home"], record(given)?.["away"]];
    const name = short(key.replaceAll(/[_.-]+/g, " "));
    return name !== "" && number(home) && number(away) ? [{ name: name.charAt(0).toUpperCase() + name.slice(1), home, away }] : [];
  });
}

function merged(known: readonly Figure[], told: readonly Figure[]): readonly Figure[] {
  const all = new Map(known.map((figure) => [figure.name, figure]));
  for (const figure of told) all.set(figure.name, figure);
  return [...all.values()].slice(0, MOST_FIGURES);
}

function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

function number(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 && value < 1e6;
}

function short(value: unknown): string {
  return text(value).trim().slice(0, LONGEST);
}
