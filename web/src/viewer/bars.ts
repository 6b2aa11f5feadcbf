// When the hits happened, as bars that are wide enough to be pointed at.

export interface Bar {
  readonly start: string;
  readonly count: number;
}

/** A stretch of time, both ends part of it, as a search takes them. */
export interface Span {
  readonly since: string;
  readonly until: string;
}

export interface Column extends Span {
  readonly count: number;
}

/** Neighbours are put together until there are no more than `most`. The bars lie close together, each `barMs` wide. */
export function columns(bars: readonly Bar[], barMs: number, most: number): Column[] {
  const together = Math.ceil(bars.length / most);
  const made: Column[] = [];
  for (let n = 0; n < bars.length; n += together) {
    const group = bars.slice(n, n + together);
    const since = new Date(group[0]?.start ?? 0).getTime();
    made.push({
      since: new Date(since).toISOString(),
      until: new Date(since + barMs * group.length - 1).toISOString(),
      count: group.reduce((sum, { count }) => sum + count, 0),
    });
  }
  return made;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SECONDS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** Both ends in words, as exactly as this length of time asks for. */
export function ends({ since, until }: Span): readonly [string, string] {
  const [from, to] = [new Date(since), new Date(until)];
  const length = to.getTime() - from.getTime();
  const format = length < 10 * MINUTE_MS ? SECONDS : length < DAY_MS ? CLOCK : DAY;
  return [format.format(from), format.format(to)];
}
