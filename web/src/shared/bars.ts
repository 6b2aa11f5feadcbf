// When the hits happened, as bars that are wide enough to be pointed at.

export interface Bar {
  readonly start: string;
  readonly count: number;
  /** By the values that bars are divided by. */
  readonly by?: Readonly<Record<string, number>>;
}

/** A stretch of time, both ends part of it, as a search takes them. */
export interface Span {
  readonly since: string;
  readonly until: string;
}

export interface Column extends Span {
  readonly count: number;
  readonly by: Readonly<Record<string, number>>;
}

/** Neighbours are put together until there are no more than `most`. The bars lie close together, each `barMs` wide; columns cover
 * at least the `whole`, where that is given. */
export function columns(bars: readonly Bar[], barMs: number, most: number, whole?: Span): Column[] {
  const [first, last] = [bars[0], bars.at(-1)];
  if (!first || !last || barMs <= 0) return [];
  let [begin, end] = [Date.parse(first.start), Date.parse(last.start) + barMs];
  if (whole) {
    begin -= Math.max(0, Math.ceil((begin - Date.parse(whole.since)) / barMs)) * barMs;
    end += Math.max(0, Math.ceil((Date.parse(whole.until) + 1 - end) / barMs)) * barMs;
  }
  const width = Math.ceil((end - begin) / barMs / most) * barMs;
  const counts: { count: number; by: Record<string, number> }[] = Array.from({ length: Math.ceil((end - begin) / width) }, () => ({ count: 0, by: {} }));
  for (const { start, count, by } of bars) {
    const column = counts[Math.floor((Date.parse(start) - begin) / width)];
    if (!column) continue;
    column.count += count;
    for (const [value, some] of Object.entries(by ?? {})) column.by[value] = (column.by[value] ?? 0) + some;
  }
  return counts.map((column, n) => ({
    since: new Date(begin + n * width).toISOString(),
    until: new Date(Math.min(begin + (n + 1) * width, end) - 1).toISOString(),
    ...column,
  }));
}

/** What other bars count within each of these columns, when they are told `laterMs` later than they were. */
export function countsWithin(made: readonly Column[], bars: readonly Bar[], laterMs: number): number[] {
  const counts = made.map(() => 0);
  const [first] = made;
  if (!first) return counts;
  const begin = Date.parse(first.since);
  const width = Date.parse(first.until) + 1 - begin;
  for (const { start, count } of bars) {
    const n = Math.floor((Date.parse(start) + laterMs - begin) / width);
    if (n >= 0 && n < counts.length) counts[n] = (counts[n] ?? 0) + count;
  }
  return counts;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const CLOCK: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
const SECONDS: Intl.DateTimeFormatOptions = { ...CLOCK, second: "2-digit" };
const DAY: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", ...CLOCK };
const formats = new Map<string, Intl.DateTimeFormat>();

/** How times are written in a zone; in the reader's own where it is none. */
export function inZone(options: Intl.DateTimeFormatOptions, zone = ""): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = made(options, zone)));
  return format;
}

function made(options: Intl.DateTimeFormatOptions, zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(undefined, zone ? { ...options, timeZone: zone } : options);
  } catch {
    return new Intl.DateTimeFormat(undefined, options);
  }
}

/** Both ends in words, as exactly as this length of time asks for. */
export function ends({ since, until }: Span, zone = ""): readonly [string, string] {
  const [from, to] = [new Date(since), new Date(until)];
  const length = to.getTime() - from.getTime();
  const format = inZone(length < 10 * MINUTE_MS ? SECONDS : length < DAY_MS ? CLOCK : DAY, zone);
  return [format.format(from), format.format(to)];
}
