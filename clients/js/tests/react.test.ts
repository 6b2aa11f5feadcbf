// The hooks in a real React: what they show, and that nothing is left behind when a component goes.

import { act, createElement, StrictMode, type ReactElement } from "react";
import { create, type ReactTestRenderer } from "react-test-renderer";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { type Client, connect } from "../src/index.ts";
import { type Shown, type ShowOptions, useStatus, useStream, useTouchline } from "../src/react.ts";
import { FakeEnvironment } from "./fakes.ts";

const CHAT = "chat:wc26-final";
const event = (seq: number) => ({
  op: "event", stream: CHAT, seq, prev: seq - 1, id: String(seq), type: "message",
  server_ts: "2026-07-19T19:00:00.000Z", data: { text: `n${seq}` },
});

let environment: FakeEnvironment;
let mounted: ReactTestRenderer[];

beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  vi.useFakeTimers();
  vi.spyOn(console, "error").mockImplementation((text: unknown) => {
    if (!String(text).includes("react-test-renderer is deprecated")) throw new Error(String(text));
  });
  environment = new FakeEnvironment();
  mounted = [];
});

afterEach(() => {
  for (const tree of mounted) act(() => tree.unmount());
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function mount(element: ReactElement): ReactTestRenderer {
  let tree: ReactTestRenderer | undefined;
  act(() => {
    tree = create(element);
  });
  mounted.push(tree as ReactTestRenderer);
  return tree as ReactTestRenderer;
}

/** Let what is drawn once for all be drawn. */
const drawn = () => act(() => vi.advanceTimersByTime(20));
const welcome = () => act(() => environment.socket.say({ op: "welcome", auth: "anonymous" }));
const subscribed = (seq = 0) => act(() => environment.socket.answer("subscribe", { op: "subscribed", stream: CHAT, seq, recovered: true }));
const say = (...messages: unknown[]) => act(() => environment.socket.say(...messages));
const seqs = (shown: Shown | undefined) => shown?.events.map(({ seq }) => seq);

function made(): Client {
  const client = connect({ url: "ws://edge/v1/ws", environment });
  welcome();
  return client;
}

/** A component that shows a stream, and what it was shown. */
function viewer(shown: Shown[]) {
  return function Viewer({ client, stream = CHAT, ...options }: { client: Client | null; stream?: string | null } & ShowOptions) {
    shown.push(useStream(client, stream, options));
    return null;
  };
}

describe("useStream", () => {
  test("shows events as they come, those of one moment at once", () => {
    const shown: Shown[] = [];
    mount(createElement(viewer(shown), { client: made(), last: 2 }));
    expect(shown.at(-1)).toMatchObject({ events: [], ready: false, error: null });
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "subscribe", stream: CHAT, last: 2 });
    subscribed();
    drawn();
    expect(shown.at(-1)?.ready).toBe(true);
    const times = shown.length;
    say(event(1), event(2), event(3));
    drawn();
    expect(seqs(shown.at(-1))).toEqual([1, 2, 3]);
    expect(shown.length).toBe(times + 1);
    drawn();
    expect(shown.length).toBe(times + 1);
  });

  test("keeps as many as it is told to", () => {
    const shown: Shown[] = [];
    mount(createElement(viewer(shown), { client: made(), keep: 3 }));
    subscribed();
    say(...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(event));
    drawn();
    say(event(10));
    drawn();
    expect(seqs(shown.at(-1))).toEqual([8, 9, 10]);
  });

  test("ends the subscription when the component goes", () => {
    const tree = mount(createElement(viewer([]), { client: made() }));
    subscribed();
    act(() => tree.unmount());
    drawn();
    expect(environment.socket.ops()).toEqual(["subscribe", "unsubscribe"]);
  });

  test("takes up another stream, and puts the first one down", () => {
    const shown: Shown[] = [];
    const Viewer = viewer(shown);
    const client = made();
    const tree = mount(createElement(Viewer, { client }));
    subscribed();
    say(event(1));
    drawn();
    act(() => tree.update(createElement(Viewer, { client, stream: "chat:other" })));
    drawn();
    expect(environment.socket.sent.map(({ op, stream }) => [op, stream])).toEqual([
      ["subscribe", CHAT], ["subscribe", "chat:other"], ["unsubscribe", CHAT],
    ]);
    expect(shown.at(-1)?.events).toEqual([]);
    act(() => tree.update(createElement(Viewer, { client, stream: null })));
    drawn();
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "unsubscribe", stream: "chat:other" });
  });

  test("two components share a subscription, which ends with the second one", () => {
    const [one, other]: [Shown[], Shown[]] = [[], []];
    const client = made();
    const first = mount(createElement(viewer(one), { client }));
    subscribed();
    say(event(1));
    drawn();
    const second = mount(createElement(viewer(other), { client }));
    say(event(2));
    drawn();
    expect([seqs(one.at(-1)), seqs(other.at(-1))]).toEqual([[1, 2], [1, 2]]);
    act(() => first.unmount());
    drawn();
    say(event(3));
    drawn();
    expect(seqs(other.at(-1))).toEqual([1, 2, 3]);
    act(() => second.unmount());
    drawn();
    expect(environment.socket.ops()).toEqual(["subscribe", "unsubscribe"]);
  });

  test("in strict mode the edge is asked once", () => {
    const client = made();
    mount(createElement(StrictMode, null, createElement(viewer([]), { client })));
    drawn();
    expect(environment.socket.ops()).toEqual(["subscribe"]);
  });

  test("says that a stream is refused, and how many watch", () => {
    const shown: Shown[] = [];
    mount(createElement(viewer(shown), { client: made() }));
    act(() => environment.socket.answer("subscribe", { op: "error", code: "forbidden", message: "No.", retry: false, stream: CHAT }));
    drawn();
    expect(shown.at(-1)?.error).toMatchObject({ code: "forbidden" });
  });
});

describe("useTouchline", () => {
  test("connects with the component, closes with it, and connects anew for another address", () => {
    const states: string[] = [];
    function Page({ url }: { url: string }) {
      const client = useTouchline({ url, environment });
      states.push(useStatus(client).state);
      useStream(client, CHAT);
      return null;
    }
    const tree = mount(createElement(Page, { url: "ws://one/v1/ws" }));
    welcome();
    expect(environment.socket.url).toContain("ws://one/");
    expect(states.at(-1)).toBe("live");
    const first = environment.socket;
    act(() => tree.update(createElement(Page, { url: "ws://two/v1/ws" })));
    expect(first.closedWith).toBe(1000);
    expect(environment.socket.url).toContain("ws://two/");
    act(() => tree.unmount());
    expect(environment.socket.closedWith).toBe(1000);
  });

  test("takes a token from the newest drawing", async () => {
    const tokens: string[] = [];
    const Page = ({ name }: { name: string }) => {
      useTouchline({ url: "ws://edge/v1/ws", environment, token: () => (tokens.push(name), name) });
      return null;
    };
    const tree = mount(createElement(Page, { name: "first" }));
    act(() => environment.socket.say({ op: "welcome", auth: "required" }));
    await act(async () => undefined);
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "auth", token: "first" });
    act(() => tree.update(createElement(Page, { name: "second" })));
    act(() => environment.socket.answer("auth", { op: "ok" }));
    act(() => environment.socket.onclose?.({ code: 4203 }));
    act(() => environment.advance(5_000));
    act(() => environment.socket.say({ op: "welcome", auth: "required" }));
    await act(async () => undefined);
    expect(environment.socket.sent.at(-1)).toMatchObject({ op: "auth", token: "second" });
    expect(tokens).toEqual(["first", "second"]);
  });
});
