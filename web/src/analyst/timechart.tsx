// When it was said, divided by a field, beside the same time before; and the numbers behind it as a table.

import type { Facets } from "@touchline/client";
import { useSignal } from "@preact/signals";

import { type Column, ends, type Span } from "../shared/bars.ts";
import { Histogram } from "../shared/histogram.tsx";
import { whenOf } from "./columns.ts";
import type { Model } from "./model.ts";
import { type Field, FIELDS } from "./wanted.ts";
import { many, t } from "../shared/tongue.ts";

const INTERVALS: readonly (readonly [string, string])[] = [["", "as it fits"], ["10s", "10 s"], ["1m", "1 min"], ["5m", "5 min"], ["1h", "1 hour"], ["1d", "1 day"]];
/** Colours that are told apart. */
const PARTS = 8;
const WIDE = 120;
const NARROW = 48;
const MOST_ROWS = 200;

export function TimeChart({ model, counted }: { model: Model; counted: Facets }) {
  const { wanted, zone } = model;
  const pointed = useSignal<{ readonly column: Column; readonly before: number } | null>(null);
  const numbers = useSignal(false);
  const { by, interval, compare, since } = wanted.value;
  const parts = by ? (counted[by] ?? []).map(({ value }) => value).slice(0, PARTS) : [];
  const { previous } = counted;
  const whole: Span | undefined = previous ? { since: new Date(Date.parse(previous.until) + 1).toISOString(), until: new Date(2 * Date.parse(previous.until) - Date.parse(previous.since)).toISOString() } : undefined;
  const before = previous && { bars: previous.facets.histogram, laterMs: Date.parse(previous.until) + 1 - Date.parse(previous.since) };
  const said = pointed.value;
  return (
    <section class="card chart" aria-labelledby="chart-title">
      <div class="card-head">
        <h2 id="chart-title">{t("By time")}</h2>
        <div class="chart-options">
          <label>{t("A bar is")} <select id="interval" value={interval} onChange={(event) => model.want({ interval: event.currentTarget.value })}>{INTERVALS.map(([value, words]) => <option key={value} value={value}>{t(words)}</option>)}</select></label>
          <label>{t("by")} <select id="by" value={by} onChange={(event) => model.want({ by: event.currentTarget.value as Field | "" })}><option value="">{t("nothing")}</option>{FIELDS.map((name) => <option key={name} value={name}>{name}</option>)}</select></label>
          <label class="check" title={since ? "" : t("Choose a time first: as much before it is counted, too")}><input type="checkbox" id="compare" checked={compare} disabled={!since} onChange={(event) => model.want({ compare: event.currentTarget.checked })} /> {t("beside the time before")}</label>
        </div>
      </div>
      {counted.histogram.length === 0 ? <p class="quiet">{t("There is nothing to draw.")}</p> : (
        <>
          <Histogram bars={counted.histogram} barMs={counted.bar_ms} most={matchMedia("(min-width: 720px)").matches ? WIDE : NARROW} zone={zone} parts={parts} before={before} {...(whole ? { whole } : {})}
            onPick={(span) => model.want(span)} onPoint={(column, count) => (pointed.value = column && { column, before: count })} />
          {counted.histogram.length === 1 && !whole && <p class="quiet">{t("All of it within one bar: choose shorter ones to see more.")}</p>}
          <p class="pointed">{said ? <>{ends(said.column, zone).join(" to ")}: {many(said.column.count, "{n} result", "{n} results")}{previous && t(", before {n}", { n: said.before.toLocaleString("en") })}{parts.filter((value) => said.column.by[value]).map((value) => <> · <bdi>{value}</bdi> {said.column.by[value]?.toLocaleString("en")}</>)}</> : t("A bar, or several drawn over, narrow the search to their time.")}</p>
        </>
      )}
      {parts.length > 0 && (
        <ul class="legend" aria-label={t("By {by}", { by })}>
          {parts.map((value, n) => <li key={value}><span class={`swatch part-${n}`} aria-hidden="true" /><bdi>{value}</bdi> {(counted[by as Field] ?? [])[n]?.count.toLocaleString("en")}</li>)}
          <li><span class="swatch part-others" aria-hidden="true" />{t("all else")}</li>
        </ul>
      )}
      {counted.histogram.length > 0 && (
        <details open={numbers.value} onToggle={(event) => (numbers.value = event.currentTarget.open)}>
          <summary>{t("The numbers")}</summary>
          {numbers.value && <Numbers counted={counted} parts={parts} zone={zone} />}
        </details>
      )}
    </section>
  );
}

/** Each bar that counts something, and each of its parts. */
function Numbers({ counted, parts, zone }: { counted: Facets; parts: readonly string[]; zone: string }) {
  const rows = counted.histogram.filter(({ count }) => count > 0);
  return (
    <div class="scroller" tabIndex={0} role="region" aria-label={t("Counts by time")}>
      <table>
        <thead><tr><th scope="col">{t("From")}</th><th scope="col" class="number">{t("All")}</th>{parts.map((value) => <th scope="col" class="number" key={value}><bdi>{value}</bdi></th>)}</tr></thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map(({ start, count, by }) => (
            <tr key={start}><th scope="row">{whenOf(start, zone).short}</th><td class="number">{count.toLocaleString("en")}</td>{parts.map((value) => <td class="number" key={value}>{(by?.[value] ?? 0).toLocaleString("en")}</td>)}</tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && <p class="quiet">{t("And {n} more: choose longer bars, or less time.", { n: (rows.length - MOST_ROWS).toLocaleString("en") })}</p>}
    </div>
  );
}
