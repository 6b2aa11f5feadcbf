// What came to the parts of the page that are not in view: a number at their tabs, where one part is shown at a time.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import type { Room } from "./room.ts";

const MOST = 99;

export function useUnseen(room: Room | null, view: Signal<string>): { readonly chat: Signal<number>; readonly match: Signal<number> } {
  const unseen = { chat: useSignal(0), match: useSignal(0) };
  useEffect(() => {
    if (!room) return;
    const count = (part: "chat" | "match", seqs: () => readonly number[] | null) => {
      let newest: number | null = null;
      return () => {
        const now = seqs();
        if (now === null) return;
        const last = now.reduce((most, seq) => Math.max(most, seq), newest ?? 0);
        if (view.value === part || newest === null) unseen[part].value = 0;
        else unseen[part].value += now.filter((seq) => seq > (newest ?? 0)).length;
        newest = last;
      };
    };
    const chat = count("chat", () => (room.chatLoaded.value ? newestOf(room.lines.value) : null));
    const match = count("match", () => (room.broadcastLoaded.value ? room.playing.entries.value.map(({ seq }) => seq) : null));
    const ends = [room.lines.subscribe(chat), room.chatLoaded.subscribe(chat), room.playing.entries.subscribe(match), room.broadcastLoaded.subscribe(match), view.subscribe(() => { chat(); match(); })];
    return () => ends.forEach((end) => end());
  }, [room]);
  return unseen;
}

/** Of very many lines the newest are enough for a number that ends at 99+. */
function newestOf(lines: Room["lines"]["value"]): readonly number[] {
  return lines.slice(-2 * MOST).flatMap(({ seq, mine }) => (seq > 0 && !mine ? [seq] : []));
}

export function Unseen({ of, what }: { of: Signal<number>; what: string }) {
  if (of.value === 0) return null;
  return <span class="badge"><span aria-hidden="true">{of.value > MOST ? `${MOST}+` : of.value}</span><span class="sr-only"> {of.value} {what}</span></span>;
}
