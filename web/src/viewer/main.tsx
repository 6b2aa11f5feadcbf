// The viewers' page: takes the gateway's word on where the edges are, and opens the channel that the address names.

import "../shared/wide.css";
import "../shared/theme.css";
import "./viewer.css";

import { effect, signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { addressOf, homeOf, namedUser, type PageConfig } from "../shared/config.ts";
import { DemoButton } from "../shared/demo.tsx";
import { CHANNEL } from "../shared/generated.ts";
import { spelled } from "../shared/names.ts";
import { SignIn } from "../shared/signin.tsx";
import { onSlash } from "../shared/slash.ts";
import { start } from "../shared/start.tsx";
import { ThemeButton } from "../shared/theme.tsx";
import { speak, t } from "../shared/tongue.ts";
import { Chat } from "./chat.tsx";
import { GoalBanner } from "./goal.tsx";
import { MapPane } from "./map.tsx";
import { sayMatch } from "./match.ts";
import { Room } from "./room.ts";
import { rememberChannel, Scoreboard } from "./scoreboard.tsx";
import { Search } from "./search.tsx";
import { Timeline } from "./timeline.tsx";
import { Unseen, useUnseen } from "./unseen.tsx";
import files from "words:here";

type View = "match" | "chat" | "map" | "search";

const VIEWS: readonly (readonly [View, string])[] = [["match", "Ticker"], ["chat", "Chat"], ["map", "Map"], ["search", "Search"]];

const LONGEST_TITLE = 120;
/** Counts rooms that were opened: each has panes of its own, also the same channel once more. */
let opened = 0;

const room = signal<Room | null>(null);
let nameTab = (): void => undefined;

/** What the address calls a channel. The gateway shows the page of all that is on where it names none. */
function nameInAddress(): string {
  const given = new URLSearchParams(location.search);
  return given.get("channel") ?? given.get("stream")?.replace(/^\w+:/, "") ?? "";
}

/** The place in the chat that a link leads to; null: none. */
function placeOfAddress(): number | null {
  const at = new URLSearchParams(location.search).get("at") ?? "";
  return /^\d{1,16}$/.test(at) ? Number(at) : null;
}

function open(channel: string, config: PageConfig): void {
  room.value?.close();
  nameTab();
  opened += 1;
  room.value = CHANNEL.test(channel) ? new Room(channel, config) : null;
  const here = room.value;
  if (here === null) {
    document.title = t("No such channel · Touchline");
    return;
  }
  rememberChannel(channel);
  nameTab = effect(() => { document.title = `${sayMatch(here.playing.match.value).slice(0, LONGEST_TITLE) || channel} · Touchline`; });
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
    const onBack = () => { open(nameInAddress(), config); toPlace(); };
    addEventListener("popstate", onBack);
    return () => removeEventListener("popstate", onBack);
  }, []);
  useEffect(() => onSlash(() => {
    show("search");
    requestAnimationFrame(() => document.getElementById("q")?.focus());
  }), []);

  const here = room.value;
  const unseen = useUnseen(here, view);
  if (!here) return <NoChannel name={nameInAddress()} />;
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
      <a class="skip" href="#message" onClick={(event) => { event.preventDefault(); show("chat"); requestAnimationFrame(() => document.getElementById("message")?.focus()); }}>{t("Go to the chat")}</a>
      <Scoreboard key={`board ${here.channel} ${here.user}`} room={here} onChannel={goTo} onUser={config.names ? (user) => goTo(here.channel, user) : null} />
      {here.status.value.state === "refused" && <SignIn reason={here.status.value.message} onToken={() => open(here.channel, config)} />}
      <main class="panes" key={opened} data-view={view.value} data-side={side.value} data-left={left.value}>
        <Timeline room={here} demo={config.demo ? <DemoButton channel={here.channel} /> : null} />
        <Chat room={here} onChannel={goTo} />
        <MapPane room={here} config={config} />
        <Search room={here} onContext={() => show("chat")} onElsewhere={goToMessage} />
      </main>
      <nav class="views" aria-label={t("Parts of the page")}>
        {VIEWS.map(([name, label]) => <button key={name} type="button" class={`view-${name}`} data-name={name} aria-pressed={view.value === name} onClick={() => show(name)}>{t(label)}{(name === "chat" || name === "match") && <Unseen of={unseen[name]} what={name === "chat" ? t("new messages") : t("new moments")} />}</button>)}
        <a class="home" href={here.home}>{t("What is on")}</a>
        <a href={here.user ? `/nearby?${new URLSearchParams({ user: here.user }).toString()}` : "/nearby"}>{t("Nearby")}</a>
        <ThemeButton />
      </nav>
      <GoalBanner playing={here.playing} />
      <p class="sr-only" role="status" aria-live="polite">{here.playing.announcement.value}</p>
    </>
  );
}

/** A name that no channel can have: nothing is put in its place. */
function NoChannel({ name }: { name: string }) {
  return (
    <main class="empty failed">
      <h1>{t("There is no channel of this name")}</h1>
      <p>“<bdi>{spelled(name).text.slice(0, LONGEST_TITLE)}</bdi>” {t("is no channel's name: these are 1 to 128 letters, digits and . _ ~ -")}</p>
      <p><a class="button" href={homeOf(namedUser())}>{t("See what is on")}</a></p>
    </main>
  );
}

start((config) => {
  open(nameInAddress(), config);
  return <Page config={config} />;
}, speak(files));
