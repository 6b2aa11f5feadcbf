// Figures by name: lag by group, viewers by edge and by channel, closed connections, the index.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import { MAX_CHANNEL, METRICS } from "../shared/generated.ts";
import { plural } from "../shared/words.ts";
import { Drain, Reshard, Retry } from "./actions.tsx";
import { type Channel, closings, edges, indexed, type Lag, lags, receivers, type Snapshot, total } from "./figures.ts";
import { ChannelSettings } from "./settings.tsx";

/** Partitions that a row names. */
const PLACES = 4;
const number = (value: number) => value.toLocaleString("en");

interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
}

interface TableProps extends Rows {
  readonly title: string;
  readonly empty: string;
  /** Rows in which nothing happens, and what they are called; one opens them. */
  readonly folded?: { readonly name: string; readonly rows: Rows["rows"] };
  readonly children?: ComponentChildren;
}

function Table({ title, empty, head, rows, folded, children }: TableProps) {
  const id = useId();
  const quiet = folded?.rows ?? [];
  return (
    <section class="card-table" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {rows.length === 0 && <p class="quiet">{empty}</p>}
      {rows.length > 0 && <Grid label={title} head={head} rows={rows} />}
      {folded && quiet.length > 0 && (
        <details class="folded">
          <summary>{folded.name}</summary>
          <Grid label={folded.name} head={head} rows={quiet} />
        </details>
      )}
      {children}
    </section>
  );
}

/** Cells that are numbers are written as such, to the right. */
function Grid({ label, head, rows }: Rows & { label: string }) {
  const numeric = rows[0]?.cells.map((cell) => typeof cell === "number") ?? [];
  const look = (n: number) => (numeric[n] ? "number" : undefined);
  return (
    <div class="scroller" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead><tr>{head.map((name, n) => <th scope="col" key={name} class={look(n)}>{name || <span class="sr-only">What to do</span>}</th>)}</tr></thead>
        <tbody>{rows.map(({ key, cells }) => <tr key={key}>{cells.map((cell, n) => <td key={n} class={look(n)}>{typeof cell === "number" ? number(cell) : cell}</td>)}</tr>)}</tbody>
      </table>
    </div>
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
  const row = ({ channel, viewers, lanes, versions }: Channel) => {
    const newest = versions.at(-1);
    const spread = versions.map(({ version, shards, retiring }) => `v${version}: ${shards}${retiring ? " (going)" : ""}`).join(", ");
    const deeds = <span class="deeds"><Reshard channel={channel} shards={newest?.shards ?? 1} /> <ChannelSettings channel={channel} /></span>;
    return { key: channel, cells: [<bdi>{channel}</bdi>, viewers, lanes > 0 ? `${spread}, ${lanes} lanes` : spread, deeds] };
  };
  const watched = now.channels.filter(({ viewers }) => viewers > 0).map(row);
  const quiet = now.channels.filter(({ viewers }) => viewers === 0).map(row);
  const folded = { name: plural(quiet.length, "quiet channel"), rows: quiet };
  return (
    <Table title="Channels" empty="Nobody watches anything." head={["Channel", "Viewers", "Shards", ""]} rows={watched} folded={folded}>
      <p class="below another">
        <label>Another <input class="field" value={other.value} maxLength={MAX_CHANNEL} placeholder="channel" spellcheck={false} autocapitalize="off" onInput={(event) => (other.value = event.currentTarget.value)} /></label>
        <Reshard key={other.value} channel={other.value.trim()} shards={1} name="Reshard the channel that was typed" />
        <ChannelSettings key={`${other.value} settings`} channel={other.value.trim()} name="Settings of the channel that was typed" />
      </p>
    </Table>
  );
}

export function Lags({ now }: { now: Snapshot }) {
  const all = lags(now);
  const row = ({ group, topic, records, partitions }: Lag) => ({ key: `${group} ${topic}`, cells: [group, topic, records, where(partitions)] });
  const behind = all.filter(({ records }) => records > 0).map(row);
  const even = all.filter(({ records }) => records === 0).map(row);
  const folded = { name: `${plural(even.length, "topic")} of which nothing waits`, rows: even };
  const empty = all.length > 0 ? "Nothing waits." : "No consumer answers.";
  return <Table title="Consumer lag" empty={empty} head={["Group", "Topic", "Behind", "Partitions"]} rows={behind} folded={folded} />;
}

/** The partitions that are furthest behind, as far as they have room. */
function where(partitions: Lag["partitions"]): string {
  const [first, rest] = [partitions.slice(0, PLACES), partitions.slice(PLACES)];
  const told = first.map(({ partition, records }) => `${partition || "others"}: ${number(records)}`);
  const left = rest.reduce((sum, { records }) => sum + records, 0);
  return [...told, ...(left > 0 ? [`${rest.length} more: ${number(left)}`] : [])].join(" · ");
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
  const lost = total(now, METRICS.GIVEN_UP);
  return (
    <Table title="Outbox" empty="Every receiver has everything, or no outbox answers." head={["Receiver", "Waiting", "Eldest", ""]} rows={rows}>
      {lost > 0 && <p class="below bad">{plural(lost, "event")} given up since the outbox began. They lie among what was refused, as <code>not_delivered</code>.</p>}
    </Table>
  );
}

export function Closings({ now }: { now: Snapshot }) {
  const rows = closings(now).map(({ code, means, count }) => ({ key: code, cells: [`${code} ${means}`, count] }));
  return <Table title="Closed connections" empty="No edge has closed any." head={["Why", "Connections"]} rows={rows} />;
}
