// From what the roles say of themselves to what an operator wants to know: rates, quantiles, totals. Pure.

import { CLOSE, type CloseCode, METRIC_LABELS, METRICS } from "../shared/generated.ts";
import { number, t } from "../shared/tongue.ts";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | null;
}

export interface Role {
  readonly name: string;
  readonly url: string;
  readonly state: "ready" | "not ready" | "down";
  readonly problems: Readonly<Record<string, string>>;
  readonly metrics: readonly Sample[];
}

export function sayState(state: Role["state"]): string {
  return state === "ready" ? t("ready") : state === "down" ? t("down") : t("not ready");
}

export interface Version {
  readonly version: number;
  readonly shards: number;
  readonly retiring: boolean;
  readonly viewers: number;
}

export interface Channel {
  readonly channel: string;
  readonly viewers: number;
  readonly lanes: number;
  readonly versions: readonly Version[];
}

/** Beyond them something is wrong: settings of the gateway. */
export interface Thresholds {
  readonly lag_records: number;
  readonly latency_ms: number;
  readonly outbox_s: number;
}

export interface Snapshot {
  readonly at_ms: number;
  /** Not in looks of the past. */
  readonly thresholds?: Thresholds;
  readonly roles: readonly Role[];
  readonly channels: readonly Channel[];
}

/** An event of the operators' stream: the same, summed to what this page shows. */
export interface Overview {
  readonly at_ms: number;
  readonly thresholds?: Thresholds;
  readonly roles: readonly (Omit<Role, "metrics"> & { readonly sums: Readonly<Record<string, number | Readonly<Record<string, number>>>> })[];
  readonly channels: readonly Channel[];
}

/** The labels of a sum: of several the values stand with slashes between, of which only the last may hold any. */
function labelled(name: string, own: string): Record<string, string> {
  const labels = METRIC_LABELS[name] ?? ["label"];
  const values = own.split("/");
  return Object.fromEntries(labels.map((label, n) => [label, n === labels.length - 1 ? values.slice(n).join("/") : (values[n] ?? "")]));
}

export function unpack({ roles, ...told }: Overview): Snapshot {
  const samples = (name: string, sum: number | Readonly<Record<string, number>>): Sample[] =>
    typeof sum === "number" ? [{ name, labels: {}, value: sum }] : Object.entries(sum).map(([own, value]) => ({ name, labels: labelled(name, own), value }));
  return { ...told, roles: roles.map(({ sums, ...role }) => ({ ...role, metrics: Object.entries(sums).flatMap(([name, sum]) => samples(name, sum)) })) };
}

/** One point of the charts; null where nothing can be said. */
export interface Point {
  readonly at: number;
  readonly ingested: number | null;
  readonly accepted: number | null;
  readonly delivered: number | null;
  readonly indexed: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly viewers: number | null;
  readonly lag: number | null;
}

/** So many times the usual distance of looks is a gap. */
const GAP = 4;

export function total({ roles }: Pick<Snapshot, "roles">, name: string): number {
  let sum = 0;
  for (const { metrics } of roles) for (const sample of metrics) if (sample.name === name) sum += sample.value ?? 0;
  return sum;
}

/** Growth of a counter, role by role: a role that was started anew counts from 0 again. */
export function growth(before: Snapshot, now: Snapshot, name: string): number {
  let sum = 0;
  for (const role of now.roles) {
    const old = before.roles.find((other) => other.name === role.name);
    // Who did not answer, or was not asked, then has told nothing of what came in between.
    if (!old || old.metrics.length === 0) continue;
    const [was, is] = [total({ roles: [old] }, name), total({ roles: [role] }, name)];
    sum += is >= was ? is - was : is;
  }
  return sum;
}

/** The quantile of what a histogram took in between two snapshots; null where that is nothing. */
export function quantile(before: Snapshot, now: Snapshot, name: string, q: number): number | null {
  const bounds = new Map<number, number>();
  const gather = (snapshot: Snapshot, sign: number) => {
    for (const { metrics } of snapshot.roles) {
      for (const { name: own, labels, value } of metrics) {
        if (own !== `${name}_bucket`) continue;
        const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
        bounds.set(bound, (bounds.get(bound) ?? 0) + sign * (value ?? 0));
      }
    }
  };
  gather(now, 1);
  gather(before, -1);
  const buckets = [...bounds].sort(([a], [b]) => a - b);
  const all = buckets.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  let [lower, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= q * all) {
      if (bound === Infinity) return lower;
      return lower + (bound - lower) * ((q * all - below) / Math.max(count - below, 1e-9));
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

const EMPTY = { ingested: null, accepted: null, delivered: null, indexed: null, p50: null, p99: null, viewers: null, lag: null };

/** Points of looks that follow one another; where nobody looked for several times `every` nothing is drawn. */
export function pointsOf(looks: readonly Snapshot[], every: number): Point[] {
  return looks.slice(1).flatMap((now, index) => {
    const before = looks[index]!;
    const gap = now.at_ms - before.at_ms > GAP * every;
    return gap ? [{ at: (before.at_ms + now.at_ms) / 2000, ...EMPTY }] : [point(before, now)];
  });
}

export function point(before: Snapshot, now: Snapshot): Point {
  const seconds = (now.at_ms - before.at_ms) / 1000;
  const rate = (name: string) => (seconds > 0 ? growth(before, now, name) / seconds : null);
  const milliseconds = (q: number) => {
    const value = quantile(before, now, METRICS.EDGE_LATENCY, q);
    return value === null ? null : value * 1000;
  };
  return {
    at: now.at_ms / 1000,
    ingested: rate(METRICS.INGESTED),
    accepted: rate(METRICS.ACCEPTED),
    delivered: rate(METRICS.DELIVERED),
    indexed: rate(METRICS.INDEXED),
    p50: milliseconds(0.5),
    p99: milliseconds(0.99),
    viewers: total(now, METRICS.VIEWERS),
    lag: total(now, METRICS.CONSUMER_LAG),
  };
}

/** Sums of a metric over these labels, largest first. */
function sums<L extends string>(roles: readonly Role[], name: string, ...labels: L[]): (Record<L, string> & { value: number })[] {
  const found = new Map<string, Record<L, string> & { value: number }>();
  for (const { metrics } of roles) {
    for (const sample of metrics) {
      if (sample.name !== name) continue;
      const own = Object.fromEntries(labels.map((label) => [label, sample.labels[label] ?? ""])) as Record<L, string>;
      const key = labels.map((label) => own[label]).join("\n");
      const row = found.get(key) ?? { ...own, value: 0 };
      row.value += sample.value ?? 0;
      found.set(key, row);
    }
  }
  return [...found.values()].sort((a, b) => b.value - a.value);
}

/** A role's lag on a topic, and where: the partitions that are behind, furthest first. `""`: all that are not named. */
export interface Lag {
  readonly group: string;
  readonly topic: string;
  readonly records: number;
  readonly partitions: readonly { readonly partition: string; readonly records: number }[];
}

/** Each role is a consumer group: how far it is behind the end of each topic that it reads. */
export function lags({ roles }: Snapshot): Lag[] {
  const rows = roles.flatMap((role) => {
    const places = sums([role], METRICS.CONSUMER_LAG, "topic", "partition");
    return sums([role], METRICS.CONSUMER_LAG, "topic").map(({ topic, value }) => ({
      group: role.name,
      topic,
      records: value,
      partitions: places.filter((place) => place.topic === topic && place.value > 0).map((place) => ({ partition: place.partition, records: place.value })),
    }));
  });
  return rows.sort((a, b) => b.records - a.records);
}

export function edges({ roles }: Snapshot): { name: string; state: Role["state"]; viewers: number; slow: number; delivered: number }[] {
  const of = (role: Role, name: string) => total({ roles: [role] }, name);
  return roles
    .filter(({ name }) => name.startsWith("edge"))
    .map((role) => ({ name: role.name, state: role.state, viewers: of(role, METRICS.VIEWERS), slow: of(role, METRICS.SLOW_VIEWERS), delivered: of(role, METRICS.DELIVERED) }));
}

/** How far the index is complete and findable: offsets summed over a topic's partitions. `behind` is null while no indexer knows it. */
export function indexed({ roles }: Snapshot): { topic: string; watermark: number; behind: number | null }[] {
  const own = roles.filter(({ metrics }) => metrics.some(({ name }) => name === METRICS.INDEX_WATERMARK));
  const behind = new Map(sums(own, METRICS.CONSUMER_LAG, "topic").map(({ topic, value }) => [topic, value]));
  return sums(own, METRICS.INDEX_WATERMARK, "topic").map(({ topic, value }) => ({ topic, watermark: value, behind: behind.get(topic) ?? null }));
}

/** Receivers of webhooks: what waits for each in memory, and how old the eldest event is that it does not have. */
export function receivers({ roles }: Snapshot): { receiver: string; waiting: number; lag: number }[] {
  const of = (name: string) => new Map(sums(roles, name, "receiver").map(({ receiver, value }) => [receiver, value]));
  const [waiting, lag] = [of(METRICS.OUTBOX_WAITING), of(METRICS.OUTBOX_LAG)];
  const rows = [...new Set([...lag.keys(), ...waiting.keys()])].map((receiver) => ({ receiver, waiting: waiting.get(receiver) ?? 0, lag: lag.get(receiver) ?? 0 }));
  return rows.sort((a, b) => b.lag - a.lag);
}

/** Close codes in the few words that a table has room for: those of WebSockets, and each of the viewer protocol's. */
const OF_WEBSOCKETS: Readonly<Record<number, string>> = {
  1000: "said goodbye",
  1001: "said goodbye",
  1006: "broke off",
  1009: "sent too large a frame",
};
const OF_THE_PROTOCOL: Readonly<Record<CloseCode, string>> = {
  [CLOSE.BAD_TOKEN]: "bad or expired token",
  [CLOSE.FORBIDDEN]: "not allowed",
  [CLOSE.ABUSE]: "too many bad requests",
  [CLOSE.TOO_SLOW]: "too slow, or silent",
  [CLOSE.RATE_LIMIT]: "too many messages",
  [CLOSE.FULL]: "edge full",
  [CLOSE.UNAVAILABLE]: "history not to be read",
  [CLOSE.DRAINING]: "edge draining",
  [CLOSE.MOVED]: "served elsewhere",
  [CLOSE.RENEW_TOKEN]: "token ran out",
};
const CLOSES: Readonly<Record<string, string>> = { ...OF_WEBSOCKETS, ...OF_THE_PROTOCOL, other: "a code of the client’s own" };

export function closings({ roles }: Snapshot): { code: string; means: string; count: number }[] {
  const rows = sums(roles, METRICS.CLOSED, "code").filter(({ value }) => value > 0);
  return rows.map(({ code, value }) => ({ code, means: CLOSES[code] ?? "", count: value }));
}

export function short(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "–";
  const of = (part: number, digits: number) => number(part, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
  if (value >= 1e6) return `${of(value / 1e6, value < 1e7 ? 1 : 0)} M`;
  if (value >= 1e4) return `${of(value / 1e3, value < 1e5 ? 1 : 0)} k`;
  return of(value, value >= 100 || Number.isInteger(value) ? 0 : 1);
}

/**
 * What was told until now, and from the first of `more` on what that tells. The stream's past comes in pieces, and
 * begins before the first answer over HTTP: it replaces what was asked for meanwhile.
 */
export function joined<T extends { readonly at_ms: number }>(kept: readonly T[], more: readonly T[]): T[] {
  const [first] = more;
  const all = kept.filter(({ at_ms }) => !first || at_ms < first.at_ms);
  for (const one of more) if (one.at_ms > (all.at(-1)?.at_ms ?? -Infinity)) all.push(one);
  return all;
}
