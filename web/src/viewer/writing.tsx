// Beside the place to write: emoji, names that may be meant, and how long slow mode lets one wait.

import { type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import type { Room } from "./room.ts";
import { t } from "../shared/tongue.ts";

const EMOJI = [..."😀😂🤣😊😍🤩😎🤔😮😢😭😡🙏👏🙌💪👍👎👌✌️🤝🔥✨🎉🎊❤️💚💙💛🖤⚽🏆🥇🏁🟨🟥🧤🥅📣🍻".matchAll(/\p{Emoji}\uFE0F?/gu)].map(([one]) => one);
const NAMES = 6;
/** Lines that are looked through for who is here. */
const RECENT = 400;

/** Puts a text where the cursor is. */
export function insert(text: Signal<string>, piece: string, replaced = 0): void {
  const field = document.getElementById("message") as HTMLTextAreaElement | null;
  const [from, until] = [(field?.selectionStart ?? text.value.length) - replaced, field?.selectionEnd ?? text.value.length];
  text.value = text.value.slice(0, from) + piece + text.value.slice(until);
  requestAnimationFrame(() => {
    field?.focus();
    field?.setSelectionRange(from + piece.length, from + piece.length);
  });
}

export function EmojiButton({ text, disabled }: { text: Signal<string>; disabled: boolean }) {
  const box = useRef<HTMLDetailsElement>(null);
  const close = () => { if (box.current) box.current.open = false; };
  const along = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      close();
      box.current?.querySelector("summary")?.focus();
      return;
    }
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    const all = [...(box.current?.querySelectorAll<HTMLElement>("button") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (by === undefined || at < 0) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
  };
  return (
    <details class="emoji" ref={box} onKeyDown={along}>
      <summary class="attach" aria-label={t("Emoji")} aria-disabled={disabled} onClick={(event) => { if (disabled) event.preventDefault(); }}>🙂</summary>
      <div role="group" aria-label={t("Emoji")}>
        {EMOJI.map((one) => <button key={one} type="button" onClick={() => { insert(text, one); close(); }}>{one}</button>)}
      </div>
    </details>
  );
}

/** Who may be meant by the @ that is being written; Tab takes the first. */
export function useNames(room: Room, text: Signal<string>) {
  const begun = useComputed(() => /(?:^|\s)@([\p{L}\p{N}._-]{0,40})$/u.exec(text.value)?.[1] ?? null);
  const names = useComputed(() => {
    const start = begun.value?.toLowerCase();
    if (start === undefined) return [];
    const members = room.people.room.value?.members.map(({ user }) => user) ?? [];
    const spoke = room.lines.value.slice(-RECENT).reverse().filter((line) => line.signed && !line.system).map((line) => line.sender);
    return [...new Set([...spoke, ...members])].filter((name) => name !== room.user && name.toLowerCase().startsWith(start)).slice(0, NAMES);
  });
  const take = (name: string) => insert(text, `${name} `, begun.value?.length ?? 0);
  const onKey = (event: KeyboardEvent): boolean => {
    const [first] = names.value;
    if (event.key !== "Tab" || event.shiftKey || first === undefined) return false;
    event.preventDefault();
    take(first);
    return true;
  };
  return { names, take, onKey };
}

/** Seconds that one has to wait before one writes again; 0: none. */
export function useSlow(room: Room) {
  const slow = useSignal(0);
  const now = useSignal(Date.now());
  const asked = () => void ask<{ slow_s?: number | null }>(`/v1/streams/chat/${encodeURIComponent(room.channel)}`).then((goes) => (slow.value = goes.slow_s ?? 0), () => undefined);
  useEffect(() => {
    asked();
    const timer = setInterval(() => (now.value = Date.now()), 500);
    // Who is refused for it hears of it there: it may have begun a moment ago.
    const ends = room.refusals.subscribe((count) => { if (count > 0) asked(); });
    return () => { clearInterval(timer); ends(); };
  }, [room]);
  const left = useComputed(() => (slow.value === 0 ? 0 : Math.max(0, Math.ceil((room.spokeAt.value + slow.value * 1000 - now.value) / 1000))));
  return { slow, left };
}
