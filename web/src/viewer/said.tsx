// What a message says, piece by piece: links that lead away, names that are called, and the words between; and where a day, or somebody's turn, begins.

import type { Line } from "../shared/chatlog.ts";

/** So soon after their last message somebody goes on speaking. */
const TURN_MS = 5 * 60_000;
const LINK = /https?:\/\/[^\s<>"']+/gu;
/** What stands behind an address in a sentence is none of it. */
const BEHIND = /[.,;:!?)\]}’”]+$/u;
const NAME = /(?<![\p{L}\p{N}_])@[\p{L}\p{N}._-]{1,128}/gu;

export interface Piece {
  readonly kind: "text" | "link" | "name";
  readonly text: string;
}

export function piecesOf(text: string): Piece[] {
  const made: Piece[] = [];
  const put = (kind: Piece["kind"], piece: string) => { if (piece) made.push({ kind, text: piece }); };
  const between = (from: number, until: number) => {
    let at = from;
    for (const match of text.slice(from, until).matchAll(NAME)) {
      const name = match[0].replace(/[.-]+$/u, "");
      put("text", text.slice(at, from + match.index));
      put("name", name);
      at = from + match.index + name.length;
    }
    put("text", text.slice(at, until));
  };
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const address = match[0].replace(BEHIND, "");
    if (!URL.canParse(address)) continue;
    between(at, match.index);
    put("link", address);
    at = match.index + address.length;
  }
  between(at, text.length);
  return made;
}

export function Said({ text, me }: { text: string; me: string }) {
  return (
    <>
      {piecesOf(text).map(({ kind, text: piece }, n) => {
        if (kind === "link") return <a key={n} href={piece} target="_blank" rel="noopener noreferrer nofollow">{piece}</a>;
        if (kind === "name") return <span key={n} class={me !== "" && piece === `@${me}` ? "called me" : "called"}>{piece}</span>;
        return piece;
      })}
    </>
  );
}

/** Whether a message calls somebody. */
export function calls(text: string, me: string): boolean {
  return me !== "" && text.includes(`@${me}`) && piecesOf(text).some(({ kind, text: piece }) => kind === "name" && piece === `@${me}`);
}

/** Whether a message goes on with what the one before it began: its author need not be named again. */
export function goesOn(line: Line, before: Line | undefined): boolean {
  if (!before || before.system || before.gap || line.system || line.replyTo !== "" || line.poll || dayBegins(line, before)) return false;
  const same = line.mine || before.mine ? line.mine === before.mine : line.sender === before.sender && line.name === before.name;
  return same && Date.parse(line.at) - Date.parse(before.at) < TURN_MS;
}

/** Whether a day begins with this message. */
export function dayBegins(line: Line, before: Line | undefined): boolean {
  if (line.at === "" || before?.at === "") return false;
  return before !== undefined && new Date(line.at).toDateString() !== new Date(before.at).toDateString();
}

const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** A day as one says it. */
export function dayWords(at: string, now: Date): string {
  const day = new Date(at);
  const days = Math.round((new Date(now.toDateString()).getTime() - new Date(day.toDateString()).getTime()) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : DAY.format(day);
}
