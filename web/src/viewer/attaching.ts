// Files on their way with the message that is being written: each is uploaded at once, and named when the message is sent.

import { type Attachments, TouchlineError } from "@touchline/client";
import { computed, signal } from "@preact/signals";
import { t } from "../shared/tongue.ts";

export const MOST_FILES = 32;

export interface Pending {
  readonly key: number;
  readonly name: string;
  readonly size: number;
  readonly sent: number;
  /** Of a picture, to be shown; else empty. */
  readonly preview: string;
  /** The attachment's id, once it is there. */
  readonly id: string;
  readonly problem: string;
}

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

/** Whether browsers show it: a picture, and no document that may hold anything. */
export const isPicture = (type: string): boolean => PICTURES.has(type);

export class Attaching {
  readonly files = signal<readonly Pending[]>([]);
  readonly problem = signal("");
  readonly ready = computed(() => this.files.value.every(({ id }) => id !== ""));
  private readonly stops = new Map<number, AbortController>();
  private next = 1;

  constructor(
    private readonly attachments: Attachments,
    private readonly stream: string,
  ) {}

  add(files: Iterable<File>): void {
    this.problem.value = "";
    for (const file of files) {
      if (this.files.value.length >= MOST_FILES) {
        this.problem.value = t("At most {n} files go with a message.", { n: MOST_FILES });
        return;
      }
      void this.upload(file);
    }
  }

  remove(key: number): void {
    this.stops.get(key)?.abort();
    this.forget(this.files.value.filter((file) => file.key === key));
  }

  /** The ids of all, which are the message's from now on. */
  take(): readonly string[] {
    const taken = this.files.value;
    this.forget(taken);
    return taken.map(({ id }) => id);
  }

  private async upload(file: File): Promise<void> {
    const key = this.next++;
    const stop = new AbortController();
    this.stops.set(key, stop);
    const preview = isPicture(file.type) ? URL.createObjectURL(file) : "";
    const name = file.name || "pasted";
    this.files.value = [...this.files.value, { key, name, size: file.size, sent: 0, preview, id: "", problem: "" }];
    try {
      const onProgress = (sent: number) => this.change(key, { sent });
      this.change(key, { id: await this.attachments.upload(this.stream, file, { name, onProgress, signal: stop.signal }) });
    } catch (error) {
      if (!stop.signal.aborted) this.change(key, { problem: error instanceof TouchlineError ? error.message : t("It cannot be read.") });
    }
  }

  private change(key: number, what: Partial<Pending>): void {
    this.files.value = this.files.value.map((file) => (file.key === key ? { ...file, ...what } : file));
  }

  private forget(gone: readonly Pending[]): void {
    for (const { key, preview } of gone) {
      this.stops.delete(key);
      if (preview) URL.revokeObjectURL(preview);
    }
    this.files.value = this.files.value.filter((file) => !gone.includes(file));
  }
}

const UNITS = ["bytes", "kB", "MB", "GB"] as const;

/** `3.2 MB`. */
export function bytes(size: number): string {
  let [shown, unit] = [size, 0];
  while (shown >= 1000 && unit < UNITS.length - 1) [shown, unit] = [shown / 1000, unit + 1];
  return `${unit > 0 && shown < 10 ? shown.toFixed(1) : Math.round(shown)} ${UNITS[unit]}`;
}
