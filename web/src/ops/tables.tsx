// Figures by name: lag by group, viewers by edge and by channel, closed connections, the index.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { MAX_CHANNEL, METRICS } from "../shared/generated.ts";
import { many, number, t } from "../shared/tongue.ts";
import { Drain, Reshard, Retry } from "./actions.tsx";
import { Card, Table, woven } from "./card.tsx";
import { type Channel, closings, edges, indexed, type Lag, lags, receivers, sayState, type Snapshot, total } from "./figures.ts";
import { ChannelSettings } from "./settings.tsx";

/** Partitions that a row names. */
const PLACES = 4;

interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
}

interface ListProps extends Rows {
  readonly title: string;
  readonly empty: string;
  /** Rows in which nothing happens, and what they are called; one opens them. */
  readonly folded?: { readonly name: string; readonly rows: Rows["rows"] };
  readonly children?: ComponentChildren;
}

function List({ title, empty, head, rows, folded, children }: ListProps) {
  const quiet = folded?.rows ?? [];
  return (
    <Card title={title}>
      {rows.length === 0 && <p class="quiet">{empty}</p>}
      {rows.length > 0 && <Grid label={title} head={head} rows={rows} />}
      {folded && quiet.length > 0 && (
        <details class="folded">
          <summary>{folded.name}</summary>
          <Grid label={folded.name} head={head} rows={quiet} />
        </details>
      )}
      {children}
    </Card>
  );
}

/** Cells that are numbers are written as such, to the right. */
function Grid({ label, head, rows }: Rows & { label: string }) {
  const looks = (rows[0]?.cells ?? []).map((cell) => (typeof cell === "number" ? "number" : undefined));
  return (
    <Table label={label} head={head} looks={looks}>
      {rows.map(({ key, cells }) => <tr key={key}>{cells.map((cell, n) => <td key={n} class={looks[n]}>{typeof cell === "number" ? number(cell) : cell}</td>)}</tr>)}
    </Table>
  );
}

export function Edges({ now }: { now: Snapshot }) {
  const rows = edges(now).map(({ name, state, viewers, slow, delivered }) => ({
    key: name,
    cells: [name, viewers, slow, delivered, state === "ready" ? <Drain edge={name} /> : <span class="bad">{sayState(state)}</span>],
  }));
  return <List title={t("Edges")} empty={t("No edge is known.")} head={[t("Edge"), t("Viewers"), t("Slow"), t("Delivered"), ""]} rows={rows} />;
}

export function Channels({ now }: { now: Snapshot }) {
  const other = useSignal("");
  const row = ({ channel, viewers, lanes, versions }: Channel) => {
    const newest = versions.at(-1);
    const spread = versions.map(({ version, shards, retiring }) => `v${version}: ${shards}${retiring ? ` ${t("(going)")}` : ""}`).join(", ");
    const deeds = <span class="deeds"><Reshard channel={channel} shards={newest?.shards ?? 1} /> <ChannelSettings channel={channel} /></span>;
    return { key: channel, cells: [<bdi>{channel}</bdi>, viewers, lanes > 0 ? `${spread}, ${many(lanes, "{n} lane", "{n} lanes")}` : spread, deeds] };
  };
  const watched = now.channels.filter(({ viewers }) => viewers > 0).map(row);
  const quiet = now.channels.filter(({ viewers }) => viewers === 0).map(row);
  const folded = { name: many(quiet.length, "{n} quiet channel", "{n} quiet channels"), rows: quiet };
  return (
    <List title={t("Channels")} empty={t("Nobody watches anything.")} head={[t("Channel"), t("Viewers"), t("Shards"), ""]} rows={watched} folded={folded}>
      <p class="below another">
        <label>{t("Another")} <input class="field" value={other.value} maxLength={MAX_CHANNEL} placeholder={t("channel")} spellcheck={false} autocapitalize="off" onInput={(event) => (other.value = event.currentTarget.value)} /></label>
        <Reshard key={other.value} channel={other.value.trim()} shards={1} name={t("Reshard the channel that was typed")} />
        <ChannelSettings key={`${other.value} settings`} channel={other.value.trim()} name={t("Settings of the channel that was typed")} />
      </p>
    </List>
  );
}

export function Lags({ now }: { now: Snapshot }) {
  const all = lags(now);
  const row = ({ group, topic, records, partitions }: Lag) => ({ key: `${group} ${topic}`, cells: [group, topic, records, where(partitions)] });
  const behind = all.filter(({ records }) => records > 0).map(row);
  const even = all.filter(({ records }) => records === 0).map(row);
  const folded = { name: many(even.length, "{n} topic of which nothing waits", "{n} topics of which nothing waits"), rows: even };
  const empty = all.length > 0 ? t("Nothing waits.") : t("No consumer answers.");
  return <List title={t("Consumer lag")} empty={empty} head={[t("Group"), t("Topic"), t("Behind"), t("Partitions")]} rows={behind} folded={folded} />;
}

/** The partitions that are furthest behind, as far as they have room. */
function where(partitions: Lag["partitions"]): string {
  const [first, rest] = [partitions.slice(0, PLACES), partitions.slice(PLACES)];
  const told = first.map(({ partition, records }) => `${partition || t("others")}: ${number(records)}`);
  const left = rest.reduce((sum, { records }) => sum + records, 0);
  return [...told, ...(left > 0 ? [t("{n} more: {records}", { n: rest.length, records: number(left) })] : [])].join(" · ");
}

export function Index({ now }: { now: Snapshot }) {
  const rows = indexed(now).map(({ topic, watermark, behind }) => ({ key: topic, cells: [topic, watermark, behind ?? "–"] }));
  return <List title={t("Index")} empty={t("No indexer answers, or it has seen nothing yet.")} head={[t("Topic"), t("Watermark"), t("Behind")]} rows={rows} />;
}

export function Outbox({ now }: { now: Snapshot }) {
  const rows = receivers(now).map(({ receiver, waiting, lag }) => ({
    key: receiver,
    cells: [<bdi>{receiver}</bdi>, waiting, lag < 1 ? "–" : `${number(Math.round(lag))} s`, <Retry receiver={receiver} />],
  }));
  const lost = total(now, METRICS.GIVEN_UP);
  return (
    <List title={t("Outbox")} empty={t("Every receiver has everything, or no outbox answers.")} head={[t("Receiver"), t("Waiting"), t("Eldest"), ""]} rows={rows}>
      {lost > 0 && <p class="below bad">{woven(many(lost, "{n} event given up since the outbox began. It lies among what was refused, as {reason}.", "{n} events given up since the outbox began. They lie among what was refused, as {reason}."), { reason: <code>not_delivered</code> })}</p>}
    </List>
  );
}

export function Closings({ now }: { now: Snapshot }) {
  const rows = closings(now).map(({ code, means, count }) => ({ key: code, cells: [`${code} ${t(means)}`, count] }));
  return <List title={t("Closed connections")} empty={t("No edge has closed any.")} head={[t("Why"), t("Connections")]} rows={rows} />;
}
