// An environment that tests hold in their hands: sockets that do nothing by themselves, and a clock that is moved.

import type { Environment, Socket } from "../src/environment.ts";

export class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  closedWith: number | null = null;

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(code = 1000): void {
    this.closedWith = code;
  }

  say(...messages: unknown[]): void {
    this.onmessage?.({ data: messages.map((message) => JSON.stringify(message)).join("\n") });
  }

  /** The last request with this op, answered. */
  answer(op: string, message: Record<string, unknown>): void {
    const request = this.sent.findLast((sent) => sent["op"] === op);
    this.say({ id: request?.["id"], ...message });
  }

  ops(): unknown[] {
    return this.sent.map((sent) => sent["op"]);
  }
}

export class FakeEnvironment implements Environment {
  readonly sockets: FakeSocket[] = [];
  listener: { online(online: boolean): void; shown(): void; leaving(): void } | null = null;
  private time = 0;
  private timers: { at: number; callback: () => void }[] = [];

  openSocket(url: string): FakeSocket {
    if (url === "nonsense") throw new SyntaxError("not an address");
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  }

  now(): number {
    return this.time;
  }

  wallMs(): number {
    return 1_784_487_600_000 + this.time;
  }

  random(): number {
    return 0.5;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  }

  watch(listener: { online(online: boolean): void; shown(): void; leaving(): void }): () => void {
    this.listener = listener;
    return () => (this.listener = null);
  }

  get timersSet(): number {
    return this.timers.length;
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const [next] = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
    this.time = end;
  }
}
