// The ticker of a match, with its corrections: what is taken back or told otherwise changes the entries, and the score after them.

import type { StreamEvent } from "@touchline/client";

import { t } from "../shared/tongue.ts";
import { type Entry, entryOf, fold, type Match, momentOf, NO_MATCH, sayScore, type Score, scoreOf, scores, titleOf, withScore } from "./match.ts";
import { type Sheet, NO_SHEET, sheetWith } from "./sheet.ts";

interface Told {
  readonly event: StreamEvent;
  /** The score before it, and after it. */
  before: Score;
  after: Score;
  corrected: boolean;
  /** It was taken back: its place is shown, and nothing of what it said. */
  gone: boolean;
  /** It came as one that was taken back since: what it counted it counts up to the retraction. */
  readonly blank: boolean;
}

const NOBODY: Score = [null, null];

export class Ticker {
  match: Match = NO_MATCH;
  sheet: Sheet = NO_SHEET;
  private told: Told[] = [];
  /** What was told before those that are kept comes to. */
  private base: Match = NO_MATCH;
  private baseSheet: Sheet = NO_SHEET;

  constructor(private readonly most: number) {}

  /** Returns the entries that are new, oldest first. */
  append(events: readonly StreamEvent[]): readonly Entry[] {
    const fresh: Told[] = [];
    for (const event of events) {
      if (event.retracted && event.type === "edit") continue;
      const target = event.data["target"];
      if ((event.type === "retract" || event.type === "edit") && typeof target === "string") this.correct(event, target);
      else fresh.push(this.tell(event));
    }
    this.forget();
    return fresh.flatMap((told) => shown(told, this.match) ?? []);
  }

  /** Newest first. */
  get entries(): readonly Entry[] {
    return this.told.flatMap((told) => shown(told, this.match) ?? []).reverse();
  }

  private tell(event: StreamEvent): Told {
    const before = scoreOf(this.match);
    this.match = fold(this.match, event);
    this.sheet = sheetWith(this.sheet, event.data);
    const told = { event, before, after: scoreOf(this.match), corrected: false, gone: false, blank: event.retracted === true };
    this.told.push(told);
    return told;
  }

  private correct(event: StreamEvent, target: string): void {
    const place = this.told.findLastIndex(({ event: { id } }) => id === target);
    const told = this.told[place];
    if (told && !told.gone) {
      const { before, after } = told;
      if (event.type === "retract") {
        this.told[place] = { ...told, event: { ...told.event, data: minuteAlone(told.event.data) }, after: before, gone: true };
        if (!this.repeated(place, after)) this.shift(place, after, before);
      } else {
        const { target: _, type, ...said } = event.data;
        const now = { ...told.event, data: { ...told.event.data, ...said }, type: typeof type === "string" ? type : told.event.type };
        const counts = ["score", "team", "home", "away", "type"].some((name) => name in event.data);
        const then = counts ? scoreOf(fold(withScore(this.match, before), now)) : after;
        this.told[place] = { ...told, event: now, after: then, corrected: true };
        this.shift(place, after, then);
      }
      this.foldAgain();
    }
    // Who corrects may say how it stands now.
    if (event.type === "retract" && scores(event.data["score"]).some((one) => one !== null)) {
      const { target: _, ...said } = event.data;
      this.tell({ ...event, type: "correction", data: { score: said["score"] } });
    }
  }

  /** A goal that is told again with the same score, before the first is taken back, stands for it. */
  private repeated(place: number, score: Score): boolean {
    return this.told.slice(place + 1).some(({ event, after, gone }) => !gone && momentOf(event.type) === "goal" && same(after, score) && same(scores(event.data["score"]), score));
  }

  /** What came after rests on it. */
  private shift(place: number, was: Score, is: Score): void {
    for (const later of this.told.slice(place + 1)) {
      later.before = moved(later.before, was, is);
      later.after = moved(later.after, was, is);
    }
  }

  private foldAgain(): void {
    this.match = this.base;
    this.sheet = this.baseSheet;
    for (const { event, gone } of this.told) {
      if (gone) continue;
      this.match = fold(this.match, event);
      this.sheet = sheetWith(this.sheet, event.data);
    }
    this.match = withScore(this.match, this.told.at(-1)?.after ?? NOBODY);
  }

  private forget(): void {
    for (const { event, after, gone } of this.told.splice(0, Math.max(0, this.told.length - this.most))) {
      if (gone) continue;
      this.base = withScore(fold(this.base, event), after);
      this.baseSheet = sheetWith(this.baseSheet, event.data);
    }
  }
}

function shown({ event, before, after, corrected, gone, blank }: Told, match: Match): Entry | null {
  if (event.type === "correction" || event.type === "clock") return null; // they say nothing of their own
  const [home, away] = [0, 1].map((n) => (after[n] ?? 0) - (before[n] ?? 0));
  const scorer = home && !away ? match.home.name : away && !home ? match.away.name : "";
  const told = entryOf(event, withScore(match, after), corrected, scorer);
  // Points of other sports are goals, too, where they can be told from a score that was missed.
  const entry = told.score === "" && before[0] !== null && (home || away) ? { ...told, score: sayScore(after) } : told;
  if (!gone) return blank ? null : entry;
  // A note that is gone is not missed; of a goal or a card people talk.
  return entry.moment === "note" ? null : { ...entry, moment: "note", title: t("{what} taken back", { what: titleOf(event.type) }), text: "", score: "", corrected: true };
}

function minuteAlone({ minute }: StreamEvent["data"]): StreamEvent["data"] {
  return minute === undefined ? {} : { minute };
}

function moved([home, away]: Score, was: Score, is: Score): Score {
  const by = (now: number | null, n: 0 | 1) => (now === null ? null : Math.max(0, now + (is[n] ?? 0) - (was[n] ?? 0)));
  return [by(home, 0), by(away, 1)];
}

function same(one: Score, other: Score): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
