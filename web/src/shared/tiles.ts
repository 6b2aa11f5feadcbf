// Whether a server of map tiles is worth asking: the grid under its tiles is there in any case.

/** So many failures, and not one tile between them, mean that the server is away, and not that one tile is missing. */
const MOST_FAILURES = 6;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

export class TileServer {
  private failures = 0;
  private pauses = 0;

  loaded(): void {
    [this.failures, this.pauses] = [0, 0];
  }

  /** A tile did not come. How long to leave the server alone now; null: ask it for the next tile. */
  failed(): number | null {
    this.failures += 1;
    // Who has just been left alone in vain gets one chance, and not six.
    if (this.failures < (this.pauses > 0 ? 1 : MOST_FAILURES)) return null;
    this.failures = 0;
    return Math.min(FIRST_PAUSE_MS * 2 ** this.pauses++, LONGEST_PAUSE_MS);
  }
}
