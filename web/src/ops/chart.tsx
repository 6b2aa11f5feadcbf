// A line chart, drawn by uPlot in the page's own colours. All charts point at one moment: the pointer's, or the keyboard's.

import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { locale, number, t } from "../shared/tongue.ts";
import { short } from "./figures.ts";

interface Line {
  readonly label: string;
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  readonly unit: string;
  readonly at: readonly number[];
  readonly lines: readonly Line[];
  /** Above it something is wrong. */
  readonly limit?: number | undefined;
  /** So many seconds are shown at least, be there figures of them or not. */
  readonly least: number;
}

const HEIGHT = 168;
export const LEAST_SECONDS = 60;
/** So that a quiet hour is not drawn in tenths. */
const LEAST_TOP = 4;
/** A limit is drawn where the values come near it: a page of quiet lines says more than a limit far above them. */
const NEAR = 0.3;
const HOUR = 3600;
/** Keys, and how far they lead. */
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

/** The moment that is pointed at, in seconds; null: none, and the newest values are shown. */
const pointed: Signal<number | null> = signal(null);

export function timeOf(seconds: number, span: number): string {
  const fine = span < HOUR;
  return new Date(seconds * 1000).toLocaleTimeString(locale.value, { hour: "2-digit", minute: "2-digit", ...(fine ? { second: "2-digit" } : {}) });
}

/** Values with nothing on either side, which no line would show. Where nothing was measured none is drawn across. */
function alone({ data }: uPlot, series: number): number[] {
  const values = data[series] ?? [];
  return [...values.keys()].filter((n) => values[n] != null && values[n - 1] == null && values[n + 1] == null);
}

function nearest(at: readonly number[], moment: number): number {
  let found = at.length - 1;
  for (let n = 0; n < at.length; n++) if (Math.abs(at[n]! - moment) < Math.abs(at[found]! - moment)) found = n;
  return found;
}

export function Chart({ title, unit, at, lines, limit, least }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const asked = useRef({ limit, least });
  asked.current = { limit, least };
  const hovers = useRef(false);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const ink = (name: string) => () => getComputedStyle(element).getPropertyValue(name);
    const axis = { stroke: ink("--quiet-now"), grid: { stroke: ink("--line-now"), width: 1 }, ticks: { show: false }, font: "12px Archivo, system-ui" };
    const top = (most: number | null) => {
      const [high, wall] = [Math.max((most ?? 0) * 1.1, LEAST_TOP), asked.current.limit];
      return wall !== undefined && high > wall * NEAR ? Math.max(high, wall * 1.1) : high;
    };
    /** Also while there are no figures yet: uPlot's own idea of a single point is a whole day. */
    const span = ({ data: [at] }: uPlot): [number, number] => {
      const end = at.at(-1) ?? Date.now() / 1000;
      return [Math.min(at[0] ?? end, end - asked.current.least), end];
    };
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 }, focus: { prox: -1 } },
      axes: [
        { ...axis, size: 26, grid: { show: false }, values: (plot, splits) => splits.map((s) => timeOf(s, plot.scales["x"]!.max! - plot.scales["x"]!.min!)), space: 110 },
        { ...axis, size: 54, values: (_, splits) => splits.map(short) },
      ],
      scales: { x: { range: span }, y: { range: (_, __, most) => [0, top(most)] } },
      series: [{}, ...lines.map(({ label, colour }) => ({ label, stroke: ink(colour), width: 2, points: { show: true, size: 5, filter: alone } }))],
      hooks: {
        draw: [(drawn) => drawLimit(drawn, asked.current.limit, ink("--bad")())],
        // By the pointer alone: new figures move the cursor, too.
        setCursor: [(moved) => {
          if (hovers.current) pointed.value = moved.cursor.idx == null ? null : (moved.data[0][moved.cursor.idx] ?? null);
        }],
      },
    };
    plot.current = new uPlot(options, [[...at], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData, element);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
    };
  }, []);

  const moment = pointed.value;
  const index = moment === null || at.length === 0 ? null : nearest(at, moment);
  useEffect(() => {
    const drawn = plot.current;
    if (!drawn) return;
    drawn.setData([[...at], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData);
    const left = index === null ? -10 : drawn.valToPos(at[index]!, "x");
    drawn.setCursor({ left, top: index === null ? -10 : 0 }, false);
  });

  const shown = index ?? at.length - 1;
  const values = lines.map(({ label, values: all }) => `${label} ${short(all[shown] ?? null)} ${unit}`).join(", ");
  const when = at.length > 0 ? timeOf(at[shown]!, (at.at(-1) ?? 0) - (at[0] ?? 0)) : "";
  const step = (event: KeyboardEvent) => {
    const by = STEPS[event.key];
    if (event.key === "Escape") pointed.value = null;
    else if (by !== undefined && at.length > 0) pointed.value = at[Math.min(at.length - 1, Math.max(0, shown + by))]!;
    else return;
    event.preventDefault();
  };
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}{limit !== undefined && <small> {t("limit {n} {unit}", { n: number(limit), unit })}</small>}</h2>
        <ul>
          {index !== null && <li class="when">{when}</li>}
          {lines.map(({ label, colour, values: all }) => (
            <li key={label}><span class={`swatch ${colour.slice(2)}`} aria-hidden="true" />{label} <strong>{short(all[shown] ?? null)}</strong> {unit}</li>
          ))}
        </ul>
      </figcaption>
      <div
        class="plot"
        ref={box}
        tabIndex={0}
        role="slider"
        aria-label={t("{title}: moment", { title })}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, at.length - 1)}
        aria-valuenow={Math.max(0, shown)}
        aria-valuetext={`${when}: ${values}`}
        onKeyDown={step}
        onMouseEnter={() => (hovers.current = true)}
        onMouseLeave={() => { hovers.current = false; pointed.value = null; }}
        onBlur={() => (pointed.value = null)}
      />
    </figure>
  );
}

function drawLimit(drawn: uPlot, limit: number | undefined, colour: string): void {
  const { min, max } = drawn.scales["y"]!;
  if (limit === undefined || min == null || max == null || limit > max) return;
  const [{ left, width }, y] = [drawn.bbox, drawn.valToPos(limit, "y", true)];
  const { ctx } = drawn;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(left + width, y);
  ctx.stroke();
  ctx.restore();
}
