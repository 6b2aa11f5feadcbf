// The rows of an export as they arrive in pieces: only whole ones are kept, and the last one's cursor is where to go on.

/** Cuts text into whole rows. A row of CSV may have line ends of its own between quotation marks. */
export class Rows {
  /** How many whole rows came. */
  count = 0;
  /** Goes on behind the last of them; empty: none came. */
  cursor = "";
  private rest = "";
  private quoted = false;
  private looked = 0;
  private head: boolean;

  constructor(private readonly form: "ndjson" | "csv") {
    this.head = form === "csv";
  }

  /** Another answer begins: what was left of the one before is no row. */
  again(): void {
    [this.rest, this.quoted, this.looked, this.head] = ["", false, 0, this.form === "csv"];
  }

  /** The whole rows that are there with this piece. Of a second answer the head is left out. */
  take(piece: string): string {
    this.rest += piece;
    let kept = "";
    let begin = 0;
    for (let n = this.looked; n < this.rest.length; n += 1) {
      const letter = this.rest.charCodeAt(n);
      if (letter === 34 && this.form === "csv") this.quoted = !this.quoted;
      if (letter !== 10 || this.quoted) continue;
      const row = this.rest.slice(begin, n + 1);
      begin = n + 1;
      if (this.head) {
        this.head = false;
        if (this.count === 0) kept += row;
        continue;
      }
      kept += row;
      this.count += 1;
      this.cursor = cursorOf(row, this.form) || this.cursor;
    }
    this.rest = this.rest.slice(begin);
    this.looked = this.rest.length;
    return kept;
  }
}

/** Each row ends with its cursor, which has no quotation marks. */
function cursorOf(row: string, form: "ndjson" | "csv"): string {
  return (form === "ndjson" ? /"cursor":"([^"]*)"\}\s*$/ : /,([^,"\s]*)\s*$/).exec(row)?.[1] ?? "";
}
