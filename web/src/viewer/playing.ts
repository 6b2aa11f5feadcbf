// The match of a channel as the page holds it: score, ticker, line-ups; and who is told of a goal, by a banner or by the machine.

import type { StreamEvent } from "@touchline/client";
import { batch, signal } from "@preact/signals";

import { t } from "../shared/tongue.ts";
import { type Entry, type Match, NO_MATCH, sayMatch } from "./match.ts";
import { NO_SHEET, type Sheet } from "./sheet.ts";
import { Ticker } from "./ticker.ts";

const MOST_ENTRIES = 500;
const BANNER_MS = 7000;
/** What somebody missed longer ago is read in the ticker. */
const NEWS_MS = 120_000;
const WANTED = "touchline.goals";

export interface Goal {
  readonly entry: Entry;
  readonly said: string;
}

export class Playing {
  readonly match = signal<Match>(NO_MATCH);
  readonly sheet = signal<Sheet>(NO_SHEET);
  readonly entries = signal<readonly Entry[]>([]);
  readonly announcement = signal("");
  /** The goal that has just been scored. */
  readonly goal = signal<Goal | null>(null);
  /** Whether the machine tells of goals while the page is out of sight. */
  readonly tells = signal(wanted() && "Notification" in window && Notification.permission === "granted");
  readonly problem = signal("");
  private readonly ticker = new Ticker(MOST_ENTRIES);
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly channel: string) {}

  /** `live`: what came before is here already. */
  take(events: readonly StreamEvent[], live: boolean): void {
    const before = sayMatch(this.ticker.match);
    const fresh = this.ticker.append(events);
    const { match, sheet } = this.ticker;
    const now = sayMatch(match);
    batch(() => {
      [this.match.value, this.sheet.value, this.entries.value] = [match, sheet, this.ticker.entries];
      const newest = fresh.at(-1);
      if (!live) return;
      if (newest) this.announcement.value = [newest.minute, newest.title, newest.score, newest.text].filter(Boolean).join(", ");
      else if (before !== now) this.announcement.value = `${t("Corrected")}: ${now}`;
      const goal = fresh.findLast(({ moment, at }) => moment === "goal" && Date.now() - Date.parse(at) < NEWS_MS);
      if (goal) this.tell({ entry: goal, said: now });
      else if (before !== now) this.goal.value = null; // what the banner says holds no more
    });
  }

  /** Asks whether the machine may tell of goals, or lets it be. */
  async tellGoals(on: boolean): Promise<void> {
    const allowed = on && "Notification" in window && (await Notification.requestPermission()) === "granted";
    this.tells.value = allowed;
    this.problem.value = on && !allowed ? t("Your browser does not let this page notify you: allow it in the site's settings.") : "";
    keep(allowed);
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private tell(goal: Goal): void {
    clearTimeout(this.timer);
    this.goal.value = goal;
    this.timer = setTimeout(() => (this.goal.value = null), BANNER_MS);
    if (!this.tells.value || !document.hidden) return;
    try {
      new Notification(`${t("Goal!")} ${goal.said}`, { body: [goal.entry.minute, goal.entry.title, goal.entry.text].filter(Boolean).join(" · "), tag: `goal ${this.channel}` });
    } catch {
      // Some phones let only apps notify; the banner is there when one looks.
    }
  }
}

function wanted(): boolean {
  try {
    return localStorage.getItem(WANTED) === "1";
  } catch {
    return false;
  }
}

function keep(on: boolean): void {
  try {
    localStorage.setItem(WANTED, on ? "1" : "0");
  } catch {
    // Asked again next time.
  }
}
