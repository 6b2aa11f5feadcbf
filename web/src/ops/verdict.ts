// The page's headline: from the last minute, whether all is well, and all that is not. Pure.

import { METRICS } from "../shared/generated.ts";
import { many, number, t } from "../shared/tongue.ts";
import { growth, lags, quantile, receivers, type Snapshot, type Thresholds } from "./figures.ts";

const USUAL: Thresholds = { lag_records: 1000, latency_ms: 1000, outbox_s: 60 };
/** Looks, one a second, for which too many records wait before somebody should see it … */
const LATE_LOOKS = 3;
/** … and for which none of a partition's records that wait is taken: also a few that nobody reads are told. */
const STILL_LOOKS = 20;
/** What was delivered or refused is looked at over so many. */
export const LOOKS = 60;
/** Fewer are no share of anything. */
const LEAST = 20;
const REFUSED = 0.05;
const DELIVERED_LOOKS = 10;

export interface Verdict {
  readonly good: boolean;
  /** What matters most. */
  readonly text: string;
  /** What else is wrong. */
  readonly more: readonly string[];
}

export function verdict(looks: readonly Snapshot[]): Verdict | null {
  const now = looks.at(-1);
  if (!now) return null;
  const limits = now.thresholds ?? USUAL;
  const wrong = [...ill(now), ...behind(looks, limits), ...still(looks), ...slow(looks, limits), ...refused(looks), ...unsent(looks, limits)];
  const [text = t("All is well"), ...more] = wrong;
  return { good: wrong.length === 0, text, more };
}

function ill({ roles }: Snapshot): string[] {
  const names = roles.filter(({ state }) => state !== "ready").map(({ name }) => name);
  return names.length > 0 ? [many(names.length, "{names} needs a look", "{names} need a look", { names: names.join(", ") })] : [];
}

function behind(looks: readonly Snapshot[], { lag_records }: Thresholds): string[] {
  const of = (look: Snapshot, group: string) => lags(look).filter((row) => row.group === group).reduce((sum, { records }) => sum + records, 0);
  const now = looks.at(-1)!;
  return now.roles
    .filter(({ name }) => looks.slice(-LATE_LOOKS).every((look) => of(look, name) > lag_records))
    .map(({ name }) => many(of(now, name), "{name} is {n} record behind", "{name} is {n} records behind", { name }));
}

/** Partitions of which something waits, and nothing was taken for a while. Where records flow their number goes up and down. */
function still(looks: readonly Snapshot[]): string[] {
  const some = looks.slice(-STILL_LOOKS);
  if (some.length < STILL_LOOKS) return [];
  const before = some.map((look) => new Map(lags(look).flatMap(({ group, topic, partitions }) => partitions.map((one) => [`${group} ${topic} ${one.partition}`, one.records]))));
  return lags(some.at(-1)!).flatMap(({ group, topic, partitions }) => {
    const stands = partitions.filter(({ partition }) => {
      const of = before.map((at) => at.get(`${group} ${topic} ${partition}`) ?? 0);
      return partition !== "" && of.every((records, n) => records > 0 && records >= (of[n - 1] ?? 0));
    });
    const records = stands.reduce((sum, one) => sum + one.records, 0);
    const where = many(stands.length, "partition {numbers}", "partitions {numbers}", { numbers: stands.map(({ partition }) => partition).join(", ") });
    return stands.length > 0 ? [many(records, "{group} takes nothing from {topic}, {where}: {n} waits", "{group} takes nothing from {topic}, {where}: {n} wait", { group, topic, where })] : [];
  });
}

function slow(looks: readonly Snapshot[], { latency_ms }: Thresholds): string[] {
  const [before, now] = [looks.at(-DELIVERED_LOOKS - 1) ?? looks[0]!, looks.at(-1)!];
  if (growth(before, now, METRICS.DELIVERED) < LEAST) return [];
  const p99 = (quantile(before, now, METRICS.EDGE_LATENCY, 0.99) ?? 0) * 1000;
  return p99 > latency_ms ? [t("one event in a hundred takes {n} ms to viewers", { n: number(Math.round(p99)) })] : [];
}

function refused(looks: readonly Snapshot[]): string[] {
  const [before, now] = [looks[0]!, looks.at(-1)!];
  const [bad, good] = [growth(before, now, METRICS.REJECTED), growth(before, now, METRICS.ACCEPTED)];
  return bad >= LEAST && bad > REFUSED * (bad + good) ? [t("{n} % of what comes is refused", { n: Math.round((100 * bad) / (bad + good)) })] : [];
}

function unsent(looks: readonly Snapshot[], { outbox_s }: Thresholds): string[] {
  const [before, now] = [looks[0]!, looks.at(-1)!];
  const late = receivers(now).filter(({ lag }) => lag > outbox_s).map(({ receiver, lag }) => t("{receiver} lacks an event of {n} s ago", { receiver, n: number(Math.round(lag)) }));
  const lost = growth(before, now, METRICS.GIVEN_UP);
  return [...late, ...(lost > 0 ? [many(lost, "{n} event was given up by the outbox", "{n} events were given up by the outbox")] : [])];
}
