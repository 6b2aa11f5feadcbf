// Cursors that outlive the page: where each stream stood when it was left.

export interface CursorStore {
  load(stream: string): number | null;
  save(stream: string, seq: number): void;
}

/** Keeps cursors in `localStorage` or `sessionStorage`; a storage that is full or forbidden means none are kept. */
export function storedCursors(storage: Pick<Storage, "getItem" | "setItem">, prefix = "touchline:"): CursorStore {
  return {
    load(stream) {
      try {
        const seq = Number(storage.getItem(prefix + stream) ?? Number.NaN);
        return Number.isSafeInteger(seq) && seq >= 0 ? seq : null;
      } catch {
        return null;
      }
    },
    save(stream, seq) {
      try {
        storage.setItem(prefix + stream, String(seq));
      } catch {
        // A private window, or no room: the next visit starts without it.
      }
    },
  };
}
