// A line chart over the last minutes, drawn by uPlot in the page's own colours.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

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
}

const HEIGHT = 168;
const LEAST_SECONDS = 60;
/** So that a quiet hour is not drawn in tenths. */
const LEAST_TOP = 4;

/** At least a minute is shown, also while there are no figures yet. uPlot's own idea of a single point is a whole day. */
function span({ data: [at] }: uPlot): [number, number] {
  const end = at.at(-1) ?? Date.now() / 1000;
  return [Math.min(at[0] ?? end, end - LEAST_SECONDS), end];
}

/** Values with nothing on either side, which no line would show. Where nothing was measured none is drawn across. */
function alone({ data }: uPlot, series: number): number[] {
  const values = data[series] ?? [];
  return [...values.keys()].filter((n) => values[n] != null && values[n - 1] == null && values[n + 1] == null);
}

export function Chart({ title, unit, at, lines }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const ink = (name: string) => () => getComputedStyle(element).getPropertyValue(name);
    const axis = { stroke: ink("--quiet-now"), grid: { stroke: ink("--line-now"), width: 1 }, ticks: { show: false }, font: "12px Archivo, system-ui" };
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      axes: [
        { ...axis, size: 26, grid: { show: false }, values: (_, splits) => splits.map((s) => new Date(s * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })), space: 110 },
        { ...axis, size: 54, values: (_, splits) => splits.map(short) },
      ],
      scales: { x: { range: span }, y: { range: (_, __, most) => [0, Math.max((most ?? 0) * 1.1, LEAST_TOP)] } },
      series: [{}, ...lines.map(({ label, colour }) => ({ label, stroke: ink(colour), width: 2, points: { show: true, size: 5, filter: alone } }))],
    };
    plot.current = new uPlot(options, [[...at], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData, element);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.current?.destroy();
    };
  }, []);

  useEffect(() => plot.current?.setData([[...at], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData));

  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <ul>
          {lines.map(({ label, colour, values }) => (
            <li key={label}><span class={`swatch ${colour.slice(2)}`} aria-hidden="true" />{label} <strong>{short(values.at(-1) ?? null)}</strong> {unit}</li>
          ))}
        </ul>
      </figcaption>
      <div class="plot" ref={box} aria-hidden="true" />
    </figure>
  );
}
