// Which rows of a long list to draw: heights as far as they were measured, an estimate for the others.

export interface Slice {
  readonly first: number;
  /** One after the last. */
  readonly end: number;
  /** Height of what is above `first`, and of everything. */
  readonly above: number;
  readonly total: number;
}

export class Heights {
  private readonly measured = new Map<string, number>();
  private sum = 0;

  constructor(private readonly guess: number) {}

  of(key: string): number {
    return this.measured.get(key) ?? this.average;
  }

  /** Whether anything changed. */
  set(key: string, height: number): boolean {
    const before = this.measured.get(key);
    if (before !== undefined && Math.abs(before - height) < 0.5) return false;
    this.sum += height - (before ?? 0);
    this.measured.set(key, height);
    return true;
  }

  /** Rows change their width, and so their height: what was measured is worthless. */
  forget(): void {
    this.measured.clear();
    this.sum = 0;
  }

  private get average(): number {
    return this.measured.size < 8 ? this.guess : this.sum / this.measured.size;
  }
}

export function slice(keys: readonly string[], heights: Heights, top: number, viewport: number, spare: number): Slice {
  let y = 0;
  let first = -1;
  let above = 0;
  let end = 0;
  for (let n = 0; n < keys.length; n += 1) {
    const height = heights.of(keys[n] as string);
    if (first < 0 && y + height > top - spare) [first, above] = [n, y];
    if (y < top + viewport + spare) end = n + 1;
    y += height;
  }
  return { first: Math.max(first, 0), end: first < 0 ? 0 : end, above, total: y };
}

/** Where a row begins. */
export function offsetOf(keys: readonly string[], heights: Heights, row: number): number {
  let y = 0;
  for (let n = 0; n < row; n += 1) y += heights.of(keys[n] as string);
  return y;
}
