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
  private readonly counts = new Map<number, number>();
  private usual: number;
  private most = 0;

  constructor(private readonly guess: number) {
    this.usual = guess;
  }

  of(key: string): number {
    return this.measured.get(key) ?? this.usual;
  }

  /** Whether the row has another height than was reckoned with: only then does anything move. */
  set(key: string, height: number): boolean {
    const known = this.measured.get(key);
    if (known !== undefined && Math.abs(known - height) < 0.5) return false;
    const reckoned = this.of(key);
    if (known === undefined) this.count(height);
    this.measured.set(key, height);
    return Math.abs(reckoned - height) >= 0.5;
  }

  /** Rows change their width, and so their height: what was measured is worthless. */
  forget(): void {
    this.measured.clear();
    this.counts.clear();
    [this.usual, this.most] = [this.guess, 0];
  }

  /** Most messages have one line: the commonest height is right more often than the average, which never is. */
  private count(height: number): void {
    const times = (this.counts.get(height) ?? 0) + 1;
    this.counts.set(height, times);
    if (times > this.most && times >= 8) [this.usual, this.most] = [height, times];
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
