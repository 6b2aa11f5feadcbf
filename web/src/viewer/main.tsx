// The viewers' page: takes the gateway's word on where the edges are, and opens the channel that the address names.

import "../shared/theme.css";
import "./viewer.css";

import { signal, useSignal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";

import { addressOf, ask, loadConfig, type PageConfig } from "../shared/config.ts";
import { CHANNEL } from "../shared/generated.ts";
import { SignIn } from "../shared/sign_in.tsx";
import { ThemeButton } from "../shared/theme.tsx";
import { Chat } from "./chat.tsx";
import { MapPane } from "./map.tsx";
import { Room } from "./room.ts";
import { rememberChannel, Scoreboard } from "./scoreboard.tsx";
import { Search } from "./search.tsx";
import { Timeline } from "./timeline.tsx";

type View = "match" | "chat" | "map" | "search";

const VIEWS: readonly (readonly [View, string])[] = [["match", "Ticker"], ["chat", "Chat"], ["map", "Map"], ["search", "Search"]];

const room = signal<Room | null>(null);
/** Counts rooms that were opened: each has panes of its own, also the same channel once more. */
let opened = 0;

function channelOfAddress(config: PageConfig): string {
  const given = new URLSearchParams(location.search);
  const named = given.get("channel") ?? given.get("stream")?.replace(/^\w+:/, "") ?? "";
  return CHANNEL.test(named) ? named : config.channel;
}

/** The place in the chat that a link leads to; null: none. */
function placeOfAddress(): number | null {
  const at = new URLSearchParams(location.search).get("at") ?? "";
  return /^\d{1,16}$/.test(at) ? Number(at) : null;
}

function open(channel: string, config: PageConfig): void {
  room.value?.close();
  opened += 1;
  room.value = new Room(channel, config);
  rememberChannel(channel);
  document.title = `${channel} · Touchline`;
}

function Page({ config }: { config: PageConfig }) {
  const view = useSignal<View>("match");
  const side = useSignal<View>("map");
  const left = useSignal<View>("match");
  const show = (wanted: View) => {
    view.value = wanted;
    if (wanted === "map" || wanted === "search") side.value = wanted;
    if (wanted !== "chat") left.value = wanted;
  };

  useEffect(() => {
    const toPlace = () => {
      const at = placeOfAddress();
      if (at === null) return;
      // Where it cannot be shown, the chat itself says why.
      void room.value?.showContext(at).catch(() => undefined);
      show("chat");
    };
    toPlace();
    const onBack = () => { open(channelOfAddress(config), config); toPlace(); };
    const onKey = (event: KeyboardEvent) => {
      const writing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      if (event.key !== "/" || writing || event.metaKey || event.ctrlKey || event.altKey) return;
      event.preventDefault();
      show("search");
      requestAnimationFrame(() => document.getElementById("q")?.focus());
    };
    addEventListener("popstate", onBack);
    addEventListener("keydown", onKey);
    return () => { removeEventListener("popstate", onBack); removeEventListener("keydown", onKey); };
  }, []);

  const here = room.value;
  if (!here) return null;
  const goTo = (channel: string, user = here.user) => {
    history.pushState(null, "", addressOf(channel, user));
    open(channel, config);
  };
  const goToMessage = (channel: string, seq: number) => {
    goTo(channel);
    // Where it cannot be shown, the chat itself says why.
    void room.value?.showContext(seq).catch(() => undefined);
    show("chat");
  };
  return (
    <>
      <a class="skip" href="#message" onClick={(event) => { event.preventDefault(); show("chat"); requestAnimationFrame(() => document.getElementById("message")?.focus()); }}>Go to the chat</a>
      <Scoreboard key={`board ${here.channel} ${here.user}`} room={here} onChannel={goTo} onUser={config.names ? (user) => goTo(here.channel, user) : null} />
      {here.status.value.state === "refused" && <SignIn reason={here.status.value.message} onToken={() => open(here.channel, config)} />}
      <main class="panes" key={opened} data-view={view.value} data-side={side.value} data-left={left.value}>
        <Timeline room={here} demo={config.demo ? <DemoButton channel={here.channel} /> : null} />
        <Chat room={here} onChannel={goTo} />
        <MapPane room={here} tiles={config.tiles} />
        <Search room={here} onContext={() => show("chat")} onElsewhere={goToMessage} />
      </main>
      <nav class="views" aria-label="Parts of the page">
        {VIEWS.map(([name, label]) => <button key={name} type="button" class={`view-${name}`} data-name={name} aria-pressed={view.value === name} onClick={() => show(name)}>{label}</button>)}
        <a href={here.user ? `/nearby?${new URLSearchParams({ user: here.user }).toString()}` : "/nearby"}>Nearby</a>
        <ThemeButton />
      </nav>
      <p class="sr-only" role="status" aria-live="polite">{here.announcement.value}</p>
    </>
  );
}

function DemoButton({ channel }: { channel: string }) {
  const state = useSignal<"idle" | "starting" | "started">("idle");
  const problem = useSignal("");
  const start = async () => {
    state.value = "starting";
    try {
      await ask("/v1/demo", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ channel }) });
      state.value = "started";
      problem.value = "";
    } catch (error) {
      state.value = "idle";
      problem.value = error instanceof Error ? error.message : "It did not start.";
    }
  };
  return (
    <>
      <p><button type="button" class="button" disabled={state.value !== "idle"} onClick={() => void start()}>{state.value === "idle" ? "Start the demo match" : "Kicking off…"}</button></p>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
    </>
  );
}

function Failed({ reason }: { reason: string }) {
  return <p class="empty failed" role="alert"><strong>The page cannot start</strong>{reason} Load it again in a moment.</p>;
}

const app = document.getElementById("app");
if (app) {
  loadConfig().then(
    (config) => {
      open(channelOfAddress(config), config);
      render(<Page config={config} />, app);
      performance.mark("interactive");
    },
    (error: unknown) => render(<Failed reason={error instanceof Error ? error.message : "The gateway does not answer."} />, app),
  );
}
