// A chat as a list: what came, what was written here and is on its way, and what was edited or taken back.

import type { StreamEvent } from "@touchline/client";

import { author, tame } from "./names.ts";
import { t } from "./tongue.ts";

export type Tick = "sending" | "accepted" | "delivered" | "refused";

export interface Line {
  /** Stable while the line lives: rows are kept by it. */
  readonly key: string;
  /** 0 for what is not on the stream yet. */
  readonly seq: number;
  readonly id: string;
  readonly name: string;
  /** Who posted it, as the edge says it; empty where that is not known. */
  readonly sender: string;
  /** The id of the message that it answers; empty: none. */
  readonly replyTo: string;
  /** How many answers it has, as far as is known here. */
  readonly replies: number;
  /** A change of the room, which nobody has said. */
  readonly system: boolean;
  /** Signed by a token, rather than typed by its author. */
  readonly signed: boolean;
  readonly text: string;
  readonly at: string;
  readonly mine: boolean;
  readonly edited: boolean;
  readonly retracted: boolean;
  /** Somebody else has taken it back. */
  readonly moderated: boolean;
  readonly tick: Tick | null;
  readonly problem: string;
  /** A gap instead of a message. */
  readonly gap: boolean;
  /** Ids of the files that go with it. */
  readonly attachments: readonly string[];
  /** What is asked, where it is a poll. */
  readonly poll?: Asked;
}

/** A poll, as its message has it. */
export interface Asked {
  readonly question: string;
  readonly options: readonly string[];
  /** Until when it is open; empty: until somebody closes it. */
  readonly closesAt: string;
}

const NONE: readonly string[] = [];
const ALONE = { sender: "", replyTo: "", replies: 0, system: false, moderated: false } as const;

function filesOf(data: StreamEvent["data"]): readonly string[] {
  const given = data["attachments"];
  return Array.isArray(given) ? given.filter((id): id is string => typeof id === "string") : NONE;
}

const CHANGES: Readonly<Record<string, string>> = {
  created: "made the room, with",
  added: "added",
  removed: "removed",
  left: "left",
  role: "gave roles to",
  changed: "changed the room",
  deleted: "deleted the room",
};

/** A change of a room, in words. */
function changeOf(data: StreamEvent["data"]): string {
  const users = Array.isArray(data["users"]) ? data["users"].filter((user): user is string => typeof user === "string") : [];
  const what = String(data["what"]);
  const whom = what === "left" || what === "deleted" ? "" : ` ${users.slice(0, 5).join(", ")}${users.length > 5 ? ", …" : ""}`;
  return `${t(CHANGES[what] ?? "changed the room")}${whom}`.trim();
}

/** What a message of type `poll` asks. */
function askedIn({ data, server_ts }: StreamEvent): Asked | undefined {
  const { question, options, closes_ms: span } = data;
  if (typeof question !== "string" || !Array.isArray(options)) return undefined;
  const closesAt = typeof span === "number" ? new Date(Date.parse(server_ts) + span).toISOString() : "";
  return { question: tame(question), options: options.filter((option): option is string => typeof option === "string").map(tame), closesAt };
}

/** The result of a poll, in words. */
function resultOf({ question, options, counts }: StreamEvent["data"]): string {
  const votes = Array.isArray(counts) ? counts : [];
  const results = Array.isArray(options) ? options.map((option, number) => `${String(option)} ${String(votes[number] ?? 0)}`) : [];
  return tame(`“${String(question)}”: ${results.join(", ")}`);
}

export class ChatLog {
  private lines: Line[] = [];
  private readonly unsent = new Map<string, Line>();
  /** Own keys whose line is on the stream. */
  private readonly mine = new Set<string>();

  constructor(private readonly most: number) {}

  /** The lines in order; those on their way are last. */
  view(): readonly Line[] {
    return this.unsent.size === 0 ? this.lines : [...this.lines, ...this.unsent.values()];
  }

  get oldest(): number | null {
    return this.lines.find((line) => line.seq > 0 && !line.gap)?.seq ?? null;
  }

  get newest(): number | null {
    return this.lines.findLast((line) => line.seq > 0)?.seq ?? null;
  }

  /** Adds events at the end; returns how many old lines were let go to stay within the bound. */
  append(events: readonly StreamEvent[], keepOld = false): number {
    for (const event of events) this.add(this.lines, event);
    const over = keepOld ? 0 : Math.max(0, this.lines.length - this.most);
    if (over > 0) this.lines = this.lines.slice(over);
    else this.lines = [...this.lines];
    return over;
  }

  prepend(events: readonly StreamEvent[]): void {
    const older: Line[] = [];
    for (const event of events) this.add(older, event);
    this.lines = [...older, ...this.lines];
  }

  gap(seq: number): void {
    const blank = { ...ALONE, id: "", name: "", signed: false, text: "", at: "", mine: false, edited: false, retracted: false, attachments: NONE };
    this.lines = [...this.lines, { ...blank, key: `gap-${seq}`, seq, tick: null, problem: "", gap: true }];
  }

  /** Written here, and not on the stream yet. */
  send(key: string, name: string, text: string, at: string, attachments: readonly string[] = NONE, replyTo = ""): void {
    const fixed = { ...ALONE, replyTo, signed: false, edited: false, retracted: false, problem: "", gap: false };
    this.unsent.set(key, { ...fixed, key, seq: 0, id: "", name, text: tame(text), at, mine: true, tick: "sending", attachments });
  }

  tick(key: string, tick: Tick, problem = ""): void {
    const line = this.unsent.get(key);
    if (line) this.unsent.set(key, { ...line, tick, problem });
  }

  discard(key: string): Line | undefined {
    const line = this.unsent.get(key);
    this.unsent.delete(key);
    return line;
  }

  private add(to: Line[], event: StreamEvent): void {
    const { data, type } = event;
    const said = typeof data["text"] === "string" ? tame(data["text"]) : "";
    const words = type === "room" ? changeOf(data) : type === "poll_closed" ? resultOf(data) : said;
    const poll = type === "poll" ? askedIn(event) : undefined;
    if (type === "edit" && event.retracted) return; // of a message that was taken back
    if (type === "edit" || type === "retract") return this.change(to, String(data["target"] ?? ""), type === "edit" ? words : null, event.sender ?? "");
    if (type === "pin" || type === "unpin") return; // what is pinned stands elsewhere
    const own = event.key !== undefined && this.unsent.delete(event.key);
    if (own && event.key !== undefined) this.mine.add(event.key);
    const mine = own || (event.key !== undefined && this.mine.has(event.key));
    const { name, signed } = author(event);
    const replyTo = typeof data["reply_to"] === "string" ? data["reply_to"] : "";
    if (replyTo !== "" && to === this.lines && !event.retracted) this.answered(replyTo, 1);
    to.push({
      key: event.key !== undefined && (own || this.mine.has(event.key)) ? event.key : event.id,
      seq: event.seq,
      id: event.id,
      // What an edge calls somebody without a name says nothing to them.
      name: mine && !signed && !data["name"] ? "" : name,
      sender: event.sender ?? "",
      replyTo,
      replies: event.replies ?? 0,
      system: type === "room" || type === "poll_closed",
      signed,
      text: words,
      at: event.server_ts,
      mine,
      edited: false,
      retracted: event.retracted === true,
      moderated: false,
      tick: own ? "delivered" : null,
      problem: "",
      gap: false,
      attachments: filesOf(data),
      ...(poll ? { poll } : {}),
    });
  }

  /** The line of a message, if it is here. */
  find(id: string): Line | undefined {
    return this.lines.findLast((line) => line.id === id);
  }

  /** An answer came live, or was taken back: what is taken back is no answer. */
  private answered(id: string, more: number): void {
    const place = this.lines.findLastIndex((line) => line.id === id);
    const line = this.lines[place];
    if (line) this.lines[place] = { ...line, replies: Math.max(0, line.replies + more) };
  }

  private change(to: Line[], id: string, text: string | null, by: string): void {
    for (const lines of to === this.lines ? [to] : [to, this.lines]) {
      const place = lines.findLastIndex((line) => line.id === id);
      const line = lines[place];
      if (!line) continue;
      if (text === null && !line.retracted && line.replyTo !== "" && lines === this.lines) this.answered(line.replyTo, -1);
      lines[place] = text === null ? { ...line, text: "", retracted: true, moderated: by !== line.sender, tick: null, attachments: NONE } : { ...line, text, edited: true };
      return;
    }
  }
}
