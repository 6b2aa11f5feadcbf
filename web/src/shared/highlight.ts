// A search hit's highlight as pieces of plain text: the server's escapes are undone, and only its marks are kept.

import { tame } from "./names.ts";

export interface Piece {
  readonly text: string;
  readonly marked: boolean;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'", "#x2F": "/", "#47": "/" };

export function pieces(highlight: string): Piece[] {
  const made: Piece[] = [];
  let marked = false;
  for (const part of highlight.split(/(<\/?mark>)/)) {
    if (part === "<mark>") marked = true;
    else if (part === "</mark>") marked = false;
    else if (part !== "") made.push({ text: tame(unescape(part)), marked });
  }
  return made;
}

function unescape(text: string): string {
  return text.replaceAll(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}
