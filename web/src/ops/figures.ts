// From what the roles say of themselves to what an operator wants to know: rates, quantiles, totals. Pure.

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

export interface Snapshot {
  readonly at_ms: number;
  readonly roles: readonly Role[];
}

/** One point of the charts; null where nothing can be said. */
export interface Point {
  readonly at: number;
  readonly accepted: number | null;
  readonly delivered: number | null;
  readonly indexed: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly viewers: number;
  readonly lag: number;
}

type Choice = (sample: Sample) => boolean;

export function total(snapshot: Snapshot, name: string, choice: Choice = () => true): number {
  let sum = 0;
  for (const { metrics } of snapshot.roles) {
    for (const sample of metrics) if (sample.name === name && choice(sample)) sum += sample.value ?? 0;
  }
  return sum;
}

/** Growth of a counter, role by role: a role that was started anew counts from 0 again. */
export function growth(before: Snapshot, now: Snapshot, name: string): number {
  let sum = 0;
  for (const role of now.roles) {
    const old = before.roles.find((other) => other.name === role.name);
    const [was, is] = [old, role].map((one) => one?.metrics.filter((sample) => sample.name === name).reduce((all, { value }) => all + (value ?? 0), 0) ?? 0) as [number, number];
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

const EDGE_LATENCY = "touchline_edge_latency_seconds";

export function point(before: Snapshot, now: Snapshot): Point {
  const seconds = (now.at_ms - before.at_ms) / 1000;
  const rate = (name: string) => (seconds > 0 ? growth(before, now, name) / seconds : null);
  const milliseconds = (q: number) => {
    const value = quantile(before, now, EDGE_LATENCY, q);
    return value === null ? null : value * 1000;
  };
  return {
    at: now.at_ms / 1000,
    accepted: rate("touchline_accepted_total"),
    delivered: rate("touchline_delivered_total"),
    indexed: rate("touchline_indexed_total"),
    p50: milliseconds(0.5),
    p99: milliseconds(0.99),
    viewers: total(now, "touchline_viewers"),
    lag: total(now, "touchline_consumer_lag"),
  };
}

export interface Row {
  readonly name: string;
  readonly value: number;
}

/** A metric's values by one of its labels, summed over the roles, largest first. */
export function by(snapshot: Snapshot, name: string, label: string): Row[] {
  const sums = new Map<string, number>();
  for (const { metrics } of snapshot.roles) {
    for (const sample of metrics) {
      if (sample.name !== name) continue;
      const key = sample.labels[label] ?? "";
      sums.set(key, (sums.get(key) ?? 0) + (sample.value ?? 0));
    }
  }
  return [...sums].map(([key, value]) => ({ name: key, value })).sort((a, b) => b.value - a.value);
}

export function short(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "–";
  if (value >= 1e6) return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(value < 1e5 ? 1 : 0)} k`;
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}
