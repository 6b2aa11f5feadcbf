// What a client finds around it: sockets, clock, chance, and the machine's network. Browsers and Node alike.

/** As much of a WebSocket as is used. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface Environment {
  openSocket(url: string, protocol: string): Socket;
  /** Monotonic milliseconds. */
  now(): number;
  wallMs(): number;
  random(): number;
  /** Calls back once after so many milliseconds; returns what takes it back. */
  after(ms: number, callback: () => void): () => void;
  /** Tells when the network comes or goes, and when the page is shown or about to go; returns what ends the telling. */
  watch(listener: { online(online: boolean): void; shown(): void; leaving(): void }): () => void;
}

type Listenable = Pick<EventTarget, "addEventListener" | "removeEventListener">;
type SocketMaker = new (url: string, protocol: string) => unknown;

/** Longest that a timer is set for: beyond it browsers overflow. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** This browser, or this Node; `WebSocket` is for runtimes without one of their own (the package `ws` fits). */
export function thisEnvironment(WebSocket?: SocketMaker): Environment {
  const maker = WebSocket ?? (globalThis as { WebSocket?: SocketMaker }).WebSocket;
  if (!maker) throw new Error("This runtime has no WebSocket: pass one, like { WebSocket } of the package ws.");
  return {
    openSocket: (url, protocol) => new maker(url, protocol) as Socket,
    now: () => performance.now(),
    wallMs: () => Date.now(),
    random: () => Math.random(),
    after(ms, callback) {
      const timer = setTimeout(callback, Math.min(ms, LONGEST_TIMER_MS));
      return () => clearTimeout(timer);
    },
    watch(listener) {
      const target = globalThis as unknown as Partial<Listenable>;
      const page = (globalThis as { document?: Document }).document;
      if (!page || !target.addEventListener || !target.removeEventListener) return () => undefined;
      const heard: [Listenable, string, () => void][] = [
        [target as Listenable, "online", () => listener.online(true)],
        [target as Listenable, "offline", () => listener.online(false)],
        [target as Listenable, "pagehide", () => listener.leaving()],
        [page, "visibilitychange", () => (page.visibilityState === "visible" ? listener.shown() : listener.leaving())],
      ];
      for (const [where, name, handler] of heard) where.addEventListener(name, handler);
      if (navigator.onLine === false) listener.online(false);
      return () => {
        for (const [where, name, handler] of heard) where.removeEventListener(name, handler);
      };
    },
  };
}
