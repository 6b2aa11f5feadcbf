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
  readonly row: (item: T) => ComponentChildren;
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
  /** Where the list was put when it last followed the end. */
  const set = useRef(0);
  const anchor = useRef<{ key: string; shift: number } | null>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [, redraw] = useState(0);
  const keys = useMemo(() => items.map((item) => item.key), [items]);
  const shown = slice(keys, heights, following.current ? Number.MAX_SAFE_INTEGER / 2 - SPARE : view.top, view.height, SPARE);
  // At the end the slice is counted from the end: rows beyond the estimate are measured before they are seen.
  const end = following.current ? slice(keys, heights, Math.max(0, shown.total - view.height), view.height, SPARE) : shown;

  const settle = () => {
    const list = box.current;
    if (!list) return;
    let changed = false;
    for (const row of list.querySelectorAll<HTMLElement>("[data-key]")) {
      changed = heights.set(row.dataset["key"] ?? "", row.offsetHeight) || changed;
    }
    // Somebody has scrolled up, and the event that tells of it is still to come: they win.
    const leaving = list.scrollTop < set.current - AT_END && list.scrollHeight - list.scrollTop - list.clientHeight > AT_END;
    if (following.current && !leaving) {
      list.scrollTop = list.scrollHeight;
      set.current = list.scrollTop;
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
    following.current = true;
    set.current = 0;
    anchor.current = null;
    props.onFollowing(true);
    redraw((count) => count + 1);
  }, [toEnd]);

  const onScroll = () => {
    const list = box.current;
    if (!list) return;
    const { scrollTop, scrollHeight, clientHeight } = list;
    const wasFollowing = following.current;
    following.current = live && scrollHeight - scrollTop - clientHeight < AT_END;
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
    <div class="list" ref={box} onScroll={onScroll} role="log" aria-live="off" aria-label={props.label} tabIndex={0}>
      {props.head}
      <div class="rows" style={{ paddingTop: `${end.above}px`, paddingBottom: `${Math.max(0, below)}px` }}>
        {drawn.map((item) => (
          <div key={item.key} data-key={item.key}>{props.row(item)}</div>
        ))}
      </div>
    </div>
  );
}
