// When it was said: a row of bars. One that is pressed narrows the search to its time.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { plural } from "../shared/words.ts";
import { type Bar, columns, ends, type Span } from "./bars.ts";

/** More than these, and a finger does not find one. */
const MOST = 32;

interface Props {
  readonly bars: readonly Bar[];
  readonly barMs: number;
  readonly onPick: (span: Span) => void;
}

export function Histogram({ bars, barMs, onPick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const reached = useSignal(0);
  const all = columns(bars, barMs, MOST);
  const [first, last] = [all[0], all.at(-1)];
  if (!first || !last || all.length < 2) return null;
  const most = Math.max(...all.map(({ count }) => count));
  const [from, to] = ends({ since: first.since, until: last.until });
  // One stop for the whole row, as for any set of buttons that belong together; arrows go along it.
  const stop = all[reached.value]?.count ? reached.value : all.findIndex(({ count }) => count > 0);
  const along = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    let next = stop + step;
    while (all[next]?.count === 0) next += step;
    if (!all[next]) return;
    reached.value = next;
    (box.current?.children[next] as HTMLElement).focus();
  };
  return (
    <figure class="histogram">
      <div class="bars" ref={box} role="group" aria-label={`When it was said, from ${from} to ${to}`} onKeyDown={along}>
        {all.map((column, n) => {
          const [since, until] = ends(column);
          const says = `${since} to ${until}: ${plural(column.count, "result")}`;
          return (
            <button key={column.since} type="button" class="bar" disabled={column.count === 0} tabIndex={n === stop ? 0 : -1}
              data-count={column.count} aria-label={says} title={says} onClick={() => onPick(column)}>
              <span style={{ height: `${(100 * column.count) / most}%` }} />
            </button>
          );
        })}
      </div>
      <figcaption><span>{from}</span><span>{to}</span></figcaption>
    </figure>
  );
}
