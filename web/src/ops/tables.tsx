// Figures by name: lag by group, viewers by edge and by channel, closed connections, the index.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import { MAX_CHANNEL } from "../shared/generated.ts";
import { Drain, Reshard, Retry } from "./actions.tsx";
import { closings, edges, indexed, lags, receivers, type Snapshot } from "./figures.ts";

const number = (value: number) => value.toLocaleString("en");

interface TableProps {
  readonly title: string;
  readonly empty: string;
  readonly head: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
  readonly children?: ComponentChildren;
}

/** Cells that are numbers are written as such, to the right. */
function Table({ title, empty, head, rows, children }: TableProps) {
  const id = useId();
  const numeric = rows[0]?.cells.map((cell) => typeof cell === "number") ?? [];
  const look = (n: number) => (numeric[n] ? "number" : undefined);
  return (
    <section class="card-table" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {rows.length === 0 ? <p class="quiet">{empty}</p> : (
        <div class="scroller" tabIndex={0} role="region" aria-labelledby={id}>
          <table>
            <thead><tr>{head.map((name, n) => <th scope="col" key={name} class={look(n)}>{name || <span class="sr-only">What to do</span>}</th>)}</tr></thead>
            <tbody>{rows.map(({ key, cells }) => <tr key={key}>{cells.map((cell, n) => <td key={n} class={look(n)}>{typeof cell === "number" ? number(cell) : cell}</td>)}</tr>)}</tbody>
          </table>
        </div>
      )}
      {children}
    </section>
  );
}

export function Edges({ now }: { now: Snapshot }) {
  const rows = edges(now).map(({ name, state, viewers, slow, delivered }) => ({
    key: name,
    cells: [name, viewers, slow, delivered, state === "ready" ? <Drain edge={name} /> : <span class="bad">{state}</span>],
  }));
  return <Table title="Edges" empty="No edge is known." head={["Edge", "Viewers", "Slow", "Delivered", ""]} rows={rows} />;
}

export function Channels({ now }: { now: Snapshot }) {
  const other = useSignal("");
  const rows = now.channels.map(({ channel, viewers, lanes, versions }) => {
    const newest = versions.at(-1);
    const spread = versions.map(({ version, shards, retiring }) => `v${version}: ${shards}${retiring ? " (going)" : ""}`).join(", ");
    return { key: channel, cells: [<bdi>{channel}</bdi>, viewers, lanes > 0 ? `${spread}, ${lanes} lanes` : spread, <Reshard channel={channel} shards={newest?.shards ?? 1} />] };
  });
  return (
    <Table title="Channels" empty="Nobody watches anything." head={["Channel", "Viewers", "Shards", ""]} rows={rows}>
      <p class="below another">
        <label>Another <input class="field" value={other.value} maxLength={MAX_CHANNEL} placeholder="channel" spellcheck={false} autocapitalize="off" onInput={(event) => (other.value = event.currentTarget.value)} /></label>
        <Reshard key={other.value} channel={other.value.trim()} shards={1} name="Reshard the channel that was typed" />
      </p>
    </Table>
  );
}

export function Lags({ now }: { now: Snapshot }) {
  const rows = lags(now).map(({ group, topic, records }) => ({ key: `${group} ${topic}`, cells: [group, topic, records] }));
  return <Table title="Consumer lag" empty="No consumer answers." head={["Group", "Topic", "Records behind"]} rows={rows} />;
}

export function Index({ now }: { now: Snapshot }) {
  const rows = indexed(now).map(({ topic, watermark, behind }) => ({ key: topic, cells: [topic, watermark, behind] }));
  return <Table title="Index" empty="No indexer answers, or it has seen nothing yet." head={["Topic", "Watermark", "Behind"]} rows={rows} />;
}

export function Outbox({ now }: { now: Snapshot }) {
  const rows = receivers(now).map(({ receiver, waiting, lag }) => ({
    key: receiver,
    cells: [<bdi>{receiver}</bdi>, waiting, lag < 1 ? "–" : `${Math.round(lag).toLocaleString("en")} s`, <Retry receiver={receiver} />],
  }));
  return <Table title="Webhooks" empty="No outbox answers, or there are no webhooks." head={["Receiver", "Waiting", "Eldest", ""]} rows={rows} />;
}

export function Closings({ now }: { now: Snapshot }) {
  const rows = closings(now).map(({ code, means, count }) => ({ key: code, cells: [`${code} ${means}`, count] }));
  return <Table title="Closed connections" empty="No edge has closed any." head={["Why", "Connections"]} rows={rows} />;
}
