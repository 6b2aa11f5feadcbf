// A list of any length of which only what is in view is drawn; it stays at its end, or where the reader is.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { Heights, offsetOf, slice } from "./virtual.ts";

const SPARE = 400;
const NEAR = 400;
const AT_END = 40;

interface Props<T extends { readonly key: string }> {
  readonly items: readonly T[];
  readonly label: string;
  /** A row; `before` is the one above it, if there is one. */
  readonly row: (item: T, before: T | undefined) => ComponentChildren;
  readonly head?: ComponentChildren;
  /** Brought into view; the list then stays there. */
  readonly target: string | null;
  /** Whether the end of `items` is the live end. */
  readonly live: boolean;
  readonly onStart: () => void;
  readonly onEnd: () => void;
  readonly onFollowing: (following: boolean) => void;
  /** Counts up to make the list go to its end. */
  readonly toEnd: number;
}

export function VirtualList<T extends { readonly key: string }>(props: Props<T>) {
  const { items, target, live, toEnd } = props;
  const box = useRef<HTMLDivElement>(null);
  const heights = useMemo(() => new Heights(58), []);
  const following = useRef(live);
  /** Where the list was put when it last followed the end: its upper and its lower edge. */
  const set = useRef({ top: 0, bottom: 0 });
  const anchor = useRef<{ key: string; shift: number } | null>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [, redraw] = useState(0);
  const keys = useMemo(() => items.map((item) => item.key), [items]);
  // Rows are drawn for where the list will be put, not for where it was when it last told: heights, and rows above, change in between.
  const held = anchor.current === null ? -1 : keys.indexOf(anchor.current.key);
  const wanted = following.current ? Infinity : anchor.current !== null && held >= 0 ? offsetOf(keys, heights, held) + anchor.current.shift : view.top;
  const last = offsetOf(keys, heights, keys.length) - view.height;
  const end = slice(keys, heights, Math.max(0, Math.min(wanted, last)), view.height, SPARE);

  const settle = () => {
    const list = box.current;
    if (!list) return;
    let changed = false;
    for (const row of list.querySelectorAll<HTMLElement>("[data-key]")) {
      changed = heights.set(row.dataset["key"] ?? "", row.offsetHeight) || changed;
    }
    // Somebody has scrolled up, and the event that tells of it is still to come: they win.
    if (following.current && !leaving(list, set.current)) {
      list.scrollTop = list.scrollHeight;
      set.current = { top: list.scrollTop, bottom: list.scrollTop + list.clientHeight };
    } else if (following.current) return;
    else if (anchor.current) {
      const row = keys.indexOf(anchor.current.key);
      if (row >= 0) {
        const wanted = offsetOf(keys, heights, row) + anchor.current.shift;
        if (Math.abs(wanted - list.scrollTop) > 1) list.scrollTop = wanted;
      }
    }
    if (changed) redraw((count) => count + 1);
  };
  const settleNow = useRef(settle);
  settleNow.current = settle;
  useLayoutEffect(settle);

  useEffect(() => {
    const list = box.current;
    if (!list) return;
    let width = list.clientWidth;
    const watcher = new ResizeObserver(() => {
      if (list.clientWidth !== width) heights.forget();
      width = list.clientWidth;
      setView({ top: list.scrollTop, height: list.clientHeight });
    });
    watcher.observe(list);
    // Rows also change by themselves: fonts come, a long message is opened.
    const rows = new ResizeObserver(() => settleNow.current());
    if (list.querySelector(".rows")) rows.observe(list.querySelector(".rows") as Element);
    return () => {
      watcher.disconnect();
      rows.disconnect();
    };
  }, []);

  useLayoutEffect(() => {
    if (target === null) return;
    const row = keys.indexOf(target);
    if (row < 0) return;
    following.current = false;
    const shift = -Math.max(40, view.height / 3);
    anchor.current = { key: target, shift };
    props.onFollowing(false);
    setView({ top: Math.max(0, offsetOf(keys, heights, row) + shift), height: view.height });
  }, [target]);

  useLayoutEffect(() => {
    if (toEnd === 0) return;
    toLast();
  }, [toEnd]);

  const toLast = () => {
    following.current = true;
    set.current = { top: 0, bottom: 0 };
    anchor.current = null;
    props.onFollowing(true);
    redraw((count) => count + 1);
  };

  /** The first and the last row: by themselves browsers go to where these were before the rows between were measured. */
  const onKeyDown = (event: KeyboardEvent) => {
    const list = box.current;
    const from = event.target instanceof HTMLElement ? event.target : null;
    if (!list || (event.key !== "Home" && event.key !== "End") || event.metaKey || event.altKey || from?.matches("input, textarea, select")) return;
    event.preventDefault();
    if (event.key === "End" && live) return toLast();
    const [key, shift] = event.key === "Home" ? [keys[0], 0] : [keys.at(-1), AT_END - list.clientHeight + heights.of(keys.at(-1) ?? "")];
    if (key === undefined) return;
    following.current = false;
    anchor.current = { key, shift };
    props.onFollowing(false);
    redraw((count) => count + 1);
    if (event.key === "Home") props.onStart();
  };

  const onScroll = () => {
    const list = box.current;
    if (!list) return;
    const { scrollTop, scrollHeight, clientHeight } = list;
    const wasFollowing = following.current;
    // What is written below has grown or shrunk, and a message has come: nobody has scrolled.
    following.current = live && (scrollHeight - scrollTop - clientHeight < AT_END || (wasFollowing && !leaving(list, set.current)));
    if (following.current && wasFollowing) return settle();
    if (wasFollowing !== following.current) props.onFollowing(following.current);
    const at = slice(keys, heights, scrollTop, clientHeight, 0);
    const key = keys[at.first];
    anchor.current = following.current || key === undefined ? null : { key, shift: scrollTop - at.above };
    setView({ top: scrollTop, height: clientHeight });
    if (scrollTop < NEAR) props.onStart();
    if (scrollHeight - scrollTop - clientHeight < NEAR) props.onEnd();
  };

  const drawn = items.slice(end.first, end.end);
  const below = end.total - drawn.reduce((sum, { key }) => sum + heights.of(key), end.above);
  return (
    <div class="list" ref={box} onScroll={onScroll} onKeyDown={onKeyDown} role="log" aria-live="off" aria-label={props.label} tabIndex={0}>
      {props.head}
      <div class="rows" style={{ paddingTop: `${end.above}px`, paddingBottom: `${Math.max(0, below)}px` }}>
        {drawn.map((item, n) => (
          <div key={item.key} data-key={item.key}>{props.row(item, items[end.first + n - 1])}</div>
        ))}
      </div>
    </div>
  );
}

/** Whether a reader has scrolled up from where the list was put: both its edges have gone up. One that is made smaller or larger moves one of them. */
function leaving(list: HTMLElement, set: { readonly top: number; readonly bottom: number }): boolean {
  const { scrollTop, scrollHeight, clientHeight } = list;
  const up = scrollTop < set.top - AT_END && scrollTop + clientHeight < set.bottom - AT_END;
  return up && scrollHeight - scrollTop - clientHeight > AT_END;
}
