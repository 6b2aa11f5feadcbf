// When it was said: a row of bars. One that is pressed narrows the search to its time; so do several, drawn over or chosen with Shift.

import "./histogram.css";

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { type Bar, type Column, columns, countsWithin, ends, type Span } from "./bars.ts";
import { many, t } from "./tongue.ts";

/** More than these, and a finger does not find one. */
const MOST = 32;

interface Props {
  readonly bars: readonly Bar[];
  readonly barMs: number;
  readonly onPick: (span: Span) => void;
  readonly most?: number;
  /** The columns cover at least this time. */
  readonly whole?: Span;
  readonly zone?: string;
  /** Values by which bars are divided, each in a colour of its own; what is of none of them comes last. */
  readonly parts?: readonly string[];
  /** What is drawn beside each bar to compare it with: told so much later than it was. */
  readonly before?: { readonly bars: readonly Bar[]; readonly laterMs: number } | undefined;
  /** The column that is pointed at or reached, and what it counts before; null: none. */
  readonly onPoint?: (column: Column | null, before: number) => void;
}

export function Histogram({ bars, barMs, onPick, most: atMost = MOST, whole, zone = "", parts = [], before, onPoint }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const reached = useSignal(0);
  /** Where a choice of several began; null: there is none. */
  const anchor = useSignal<number | null>(null);
  const pointed = useSignal<number | null>(null);
  const all = whole ? columns(bars, barMs, atMost, whole) : columns(bars, barMs, atMost);
  const [first, last] = [all[0], all.at(-1)];
  if (!first || !last || all.length < 2) return null;
  const earlier = before ? countsWithin(all, before.bars, before.laterMs) : [];
  const most = Math.max(1, ...all.map(({ count }) => count), ...earlier);
  const [from, to] = ends({ since: first.since, until: last.until }, zone);
  const filled = (n: number) => (all[n]?.count ?? 0) > 0 || (earlier[n] ?? 0) > 0;
  // One stop for the whole row, as for any set of buttons that belong together; arrows go along it.
  const stop = filled(reached.value) ? reached.value : all.findIndex((_, n) => filled(n));
  const [low, high] = anchor.value === null ? [-1, -1] : [Math.min(anchor.value, pointed.value ?? stop), Math.max(anchor.value, pointed.value ?? stop)];
  const along = (event: KeyboardEvent) => {
    if (event.key === "Escape") return void (anchor.value = null);
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    let next = stop + step;
    while (all[next] && !filled(next)) next += step;
    if (!all[next]) return;
    anchor.value = event.shiftKey ? (anchor.value ?? stop) : null;
    [reached.value, pointed.value] = [next, null];
    (box.current?.children[next] as HTMLElement).focus();
  };
  const pick = (n: number) => {
    const [begin, end] = anchor.value === null ? [all[n], all[n]] : [all[low], all[high]];
    [anchor.value, pointed.value] = [null, null];
    if (begin && end) onPick({ since: begin.since, until: end.until });
  };
  const at = (event: PointerEvent): number => {
    const bar = (event.target as HTMLElement).closest(".bar");
    return bar ? [...(box.current?.children ?? [])].indexOf(bar) : -1;
  };
  const point = (n: number) => onPoint?.(all[n] ?? null, earlier[n] ?? 0);
  return (
    <figure class="histogram">
      <div class="bars" ref={box} role="group" aria-label={t("When it was said, from {from} to {to}", { from, to })} onKeyDown={along}
        onPointerDown={(event) => { const n = at(event); if (n >= 0 && event.pointerType === "mouse") [anchor.value, pointed.value] = [n, n]; }}
        onPointerOver={(event) => { const n = at(event); if (n >= 0 && anchor.value !== null && event.buttons) pointed.value = n; point(n); }}
        onPointerUp={(event) => { const n = at(event); if (anchor.value !== null && n !== anchor.value) pick(n); else anchor.value = null; }}
        onPointerLeave={() => { if (pointed.value !== null) anchor.value = pointed.value = null; onPoint?.(null, 0); }}>
        {all.map((column, n) => {
          const [since, until] = ends(column, zone);
          const says = `${since} – ${until}: ${many(column.count, "{n} result", "{n} results")}${before ? t(", before {n}", { n: (earlier[n] ?? 0).toLocaleString("en") }) : ""}`;
          return (
            <button key={column.since} type="button" class={`bar${n >= low && n <= high ? " chosen" : ""}${before ? " beside" : ""}`} disabled={!filled(n)} tabIndex={n === stop ? 0 : -1}
              data-count={column.count} aria-label={says} title={says} onClick={() => pick(n)} onFocus={() => point(n)}>
              {(earlier[n] ?? 0) > 0 && <span class="before" style={{ height: `${(100 * (earlier[n] ?? 0)) / most}%` }} />}
              <span class="pile" style={{ height: `${(100 * column.count) / most}%` }}>{parts.length > 0 && <Pile column={column} parts={parts} />}</span>
            </button>
          );
        })}
      </div>
      <figcaption><span>{from}</span>{atMost > MOST && <span>{t("tallest: {n}", { n: most.toLocaleString("en") })}</span>}<span>{to}</span></figcaption>
    </figure>
  );
}

function Pile({ column, parts }: { column: Column; parts: readonly string[] }) {
  let others = column.count;
  const pieces = parts.map((value, n) => {
    const count = column.by[value] ?? 0;
    others -= count;
    return count > 0 ? <i key={value} class={`part-${n}`} style={{ flexGrow: count }} /> : null;
  });
  return <>{others > 0 && <i class="part-others" style={{ flexGrow: others }} />}{pieces.reverse()}</>;
}
