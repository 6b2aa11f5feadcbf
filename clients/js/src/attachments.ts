// Files that go with messages: up in one piece or in parts, down by an address that lives for some minutes.

import { TouchlineError } from "./protocol.ts";
import { sha256 } from "./sha256.ts";

const TRIES = 6;
const WAIT_MS = 100;
const PIECE = 4 * 1024 * 1024;

export interface AttachmentsOptions {
  /** Address of a gateway; in a page by default the page's own. */
  readonly gateway?: string;
  readonly token?: string | (() => string | Promise<string>);
  /** Who you are, where there are no keys. */
  readonly user?: string;
  /** A name for this device of the user. */
  readonly device?: string;
}

export interface TransferOptions {
  /** Told how many bytes of how many are through. */
  readonly onProgress?: (done: number, size: number) => void;
  readonly signal?: AbortSignal;
}

export interface UploadOptions extends TransferOptions {
  /** By default the file's own. */
  readonly name?: string;
  readonly type?: string;
}

/** What an attachment is, and until when its bytes are to be had at `url`. */
export interface Attachment {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  readonly url: string;
  readonly expires: string;
}

interface Address {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What may go better the next time. */
class Again extends TouchlineError {}

export class Attachments {
  readonly #options: AttachmentsOptions;

  constructor(options: AttachmentsOptions = {}) {
    this.#options = options;
  }

  /** Uploads a file for a message of this stream; resolves to the id for `data.attachments`. */
  async upload(stream: string, file: Blob, { name, type, onProgress, signal }: UploadOptions = {}): Promise<string> {
    const said = {
      stream,
      name: name ?? (file as Partial<File>).name ?? "file",
      type: (type ?? file.type) || "application/octet-stream",
      size: file.size,
      sha256: await hashOf(file),
    };
    const taken = (await this.#ask("POST", "/v1/attachments", said, signal)) as { attachment: string; upload: Address };
    await send(taken.upload, file, onProgress ?? (() => undefined), signal);
    return taken.attachment;
  }

  /** What it is, and where it is to be had: an `<img>` may show it. Rejects with `not_found` or `expired`. */
  async look(attachment: string, signal?: AbortSignal): Promise<Attachment> {
    return (await this.#ask("GET", `/v1/attachments/${encodeURIComponent(attachment)}`, undefined, signal)) as Attachment;
  }

  /** Its bytes. The server is told that this device has it. */
  async fetch(attachment: string, { onProgress, signal }: TransferOptions = {}): Promise<Blob> {
    const found = await this.look(attachment, signal);
    const pieces: BlobPart[] = [];
    let done = 0;
    for (let failed = 1; done < found.size || failed === 1; failed += 1) {
      try {
        await receive(found.url, done, signal, (piece) => {
          pieces.push(piece);
          onProgress?.((done += piece.byteLength), found.size);
        });
        if (done < found.size) throw new Again("unavailable", "The file ended too early.");
        break;
      } catch (error) {
        if (!(error instanceof Again) || failed === TRIES) throw error;
        await pause(failed);
      }
    }
    await this.fetched(attachment, signal);
    return new Blob(pieces, { type: found.type });
  }

  /** This device has it: the server may let go of it once all have. */
  async fetched(attachment: string, signal?: AbortSignal): Promise<void> {
    await this.#ask("POST", `/v1/attachments/${encodeURIComponent(attachment)}/fetched`, undefined, signal);
  }

  async #ask(method: string, path: string, said: unknown, signal?: AbortSignal): Promise<unknown> {
    const { gateway = "", token, user, device } = this.#options;
    const shown = typeof token === "function" ? await token() : token;
    const headers: Record<string, string> = {};
    if (shown) headers["Authorization"] = `Bearer ${shown}`;
    if (user !== undefined) headers["Touchline-User"] = encodeURIComponent(user);
    if (device !== undefined) headers["Touchline-Device"] = device;
    if (said !== undefined) headers["Content-Type"] = "application/json";
    const body = said === undefined ? null : JSON.stringify(said);
    const answer = await fetch(gateway + path, { method, headers, body, signal: signal ?? null }).catch(notReached);
    const text = await answer.text();
    if (!answer.ok) throw refusal(answer.status, text);
    return text === "" ? null : JSON.parse(text);
  }
}

/** Puts the bytes there. After a break it is asked how many have come, and goes on with the rest. */
async function send(address: Address, file: Blob, tell: (sent: number, size: number) => void, signal?: AbortSignal): Promise<void> {
  let offset = 0;
  for (let failed = 1; ; failed += 1) {
    const headers: Record<string, string> = { ...address.headers };
    if (offset > 0) headers["Content-Range"] = `bytes ${offset}-${file.size - 1}/${file.size}`;
    try {
      const base = offset;
      const answer = await put(address, headers, file.slice(offset), (sent) => tell(base + sent, file.size), signal);
      if (answer.status >= 300) throw refusal(answer.status, answer.text);
      return tell(file.size, file.size);
    } catch (error) {
      if (!(error instanceof Again) || failed === TRIES) throw error;
    }
    await pause(failed);
    offset = await arrived(address, file.size);
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Browsers tell how far a request is of XMLHttpRequest only; Node has none. */
async function put(address: Address, headers: Record<string, string>, body: Blob, tell: (sent: number) => void, signal?: AbortSignal): Promise<Answer> {
  if (typeof XMLHttpRequest === "undefined") {
    const answer = await fetch(address.url, { method: address.method, headers, body, signal: signal ?? null }).catch(notReached);
    return { status: answer.status, text: await answer.text().catch(notReached) };
  }
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(address.method, address.url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => tell(loaded);
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () => reject(new Again("unavailable", "The connection broke."));
    signal?.addEventListener("abort", () => [request.abort(), reject(signal.reason as Error)], { once: true });
    request.send(body);
  });
}

async function receive(url: string, from: number, signal: AbortSignal | undefined, take: (piece: Uint8Array<ArrayBuffer>) => void): Promise<void> {
  const headers: Record<string, string> = from > 0 ? { Range: `bytes=${from}-` } : {};
  const answer = await fetch(url, { headers, signal: signal ?? null }).catch(notReached);
  if (!answer.ok) throw refusal(answer.status, await answer.text());
  if (from > 0 && answer.status !== 206) throw new TouchlineError("unavailable", "The server serves no parts of what broke off.");
  const reader = answer.body?.getReader();
  for (;;) {
    const piece = await reader?.read().catch(notReached);
    if (!piece || piece.done) return;
    take(piece.value as Uint8Array<ArrayBuffer>);
  }
}

/** How many bytes are there already; 0 where nobody says. */
async function arrived(address: Address, size: number): Promise<number> {
  try {
    const answer = await fetch(address.url, { method: "HEAD" });
    const offset = answer.ok ? Number(answer.headers.get("Upload-Offset") ?? 0) : 0;
    return offset < size ? offset : 0;
  } catch {
    return 0;
  }
}

async function hashOf(file: Blob): Promise<string> {
  if (globalThis.crypto?.subtle) {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const hash = sha256();
  for (let start = 0; start < file.size; start += PIECE) hash.update(new Uint8Array(await file.slice(start, start + PIECE).arrayBuffer()));
  return hash.hex();
}

const pause = (failed: number) => new Promise((go) => setTimeout(go, WAIT_MS * 2 ** failed));

function refusal(status: number, text: string): TouchlineError {
  const Kind = status >= 500 ? Again : TouchlineError;
  try {
    const { code, detail } = JSON.parse(text) as { code?: string; detail?: string };
    if (code) return new Kind(code, detail ?? code);
  } catch {
    // Of a store that has words of its own.
  }
  return new Kind(status >= 500 ? "unavailable" : "bad_request", `The store of attachments refused it with status ${status}.`);
}

function notReached(error: unknown): never {
  if ((error as Error | null)?.name === "AbortError") throw error;
  throw new Again("unavailable", "The server cannot be reached.");
}
