// What was reported, message by message: several reports of one message are one case.

import type { Report } from "@touchline/client";

import type { Line } from "../shared/chatlog.ts";
import { tame } from "../shared/names.ts";
import { t } from "../shared/tongue.ts";

/** A message that one can do something about. */
export interface Message {
  readonly id: string;
  readonly stream: string;
  readonly seq: number;
  /** Who wrote it; empty: nobody who is known. */
  readonly sender: string;
  readonly name: string;
  readonly text: string;
  readonly at: string;
  readonly retracted: boolean;
}

export interface Case {
  readonly message: Message;
  /** The reports of it, the latest first. */
  readonly reports: readonly Report[];
  readonly done: boolean;
}

/** An event as the gateway shows it beside a report, or as a search finds it. */
export function messageOf(id: string, stream: string, seq: number, event: Readonly<Record<string, unknown>> | null): Message {
  const data = (event?.["data"] ?? {}) as Readonly<Record<string, unknown>>;
  const text = (value: unknown) => (typeof value === "string" ? tame(value) : "");
  const sender = typeof event?.["sender"] === "string" ? event["sender"] : "";
  const name = text(data["name"]) || text(sender) || t("Somebody");
  return { id, stream, seq, sender, name: sender.startsWith("guest-") || !sender ? name : text(sender), text: text(data["text"]), at: text(event?.["server_ts"]), retracted: event?.["retracted"] === true };
}

/** The cases, in the order of their latest reports: the newest first. */
export function casesOf(reports: readonly Report[]): Case[] {
  const found = new Map<string, Report[]>();
  for (const report of reports) {
    const before = found.get(report.target);
    if (before) before.push(report);
    else found.set(report.target, [report]);
  }
  return [...found.values()].map((all) => {
    const [latest] = all as [Report];
    return { message: messageOf(latest.target, latest.stream, latest.seq, latest.event), reports: all, done: all.every(({ done }) => done) };
  });
}

/** A line of the chat as what one does something about. */
export function messageOfLine(line: Line, stream: string): Message {
  return { id: line.id, stream, seq: line.seq, sender: line.sender, name: line.name || line.sender || t("Somebody"), text: line.text, at: line.at, retracted: line.retracted };
}

/** What somebody has said in the chat since the newest of their messages that were found, the newest first. */
export function saidSince(found: readonly Message[], lines: readonly Line[], user: string, stream: string): Message[] {
  const [known, newest] = [new Set(found.map(({ id }) => id)), found[0]?.at ?? ""];
  const said = lines.filter((line) => line.sender === user && line.seq > 0 && !line.system && !line.gap && line.at >= newest && !known.has(line.id));
  return said.map((line) => messageOfLine(line, stream)).reverse();
}
