// The studio: who may publish runs an event from here, alone or with others, and sees beside it what viewers see.

import "../shared/plain.css";
import "../shared/theme.css";
import "../viewer/viewer.css";
import "./studio.css";

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { addressOf, type PageConfig } from "../shared/config.ts";
import { CHANNEL } from "../shared/generated.ts";
import { SignIn } from "../shared/signin.tsx";
import { start } from "../shared/start.tsx";
import { rememberChannel } from "../viewer/scoreboard.tsx";
import { Acts } from "./acts.tsx";
import { Head } from "./head.tsx";
import { KeysHelp, useKeys } from "./keys.tsx";
import { Model } from "./model.ts";
import { Seen } from "./seen.tsx";
import { Writing } from "./writing.tsx";
import { speak, t } from "../shared/tongue.ts";
import files from "words:here";

const TICK_MS = 250;

const model = signal<Model | null>(null);

function channelOfAddress(config: PageConfig): string {
  const named = new URLSearchParams(location.search).get("channel") ?? "";
  return CHANNEL.test(named) ? named : config.channel;
}

function open(channel: string, config: PageConfig): void {
  model.value?.close();
  model.value = new Model(channel, config);
  rememberChannel(channel);
  document.title = t("Studio: {channel} · Touchline", { channel });
}

function Page({ config }: { config: PageConfig }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), TICK_MS);
    const back = () => open(channelOfAddress(config), config);
    addEventListener("popstate", back);
    return () => { clearInterval(timer); removeEventListener("popstate", back); };
  }, []);
  const here = model.value;
  if (!here) return null;
  const goTo = (channel: string, user = here.user) => {
    history.pushState(null, "", addressOf(channel, user));
    open(channel, config);
  };
  return <Studio key={`${here.channel} ${here.user}`} model={here} now={now} config={config} goTo={goTo} />;
}

interface Given {
  readonly model: Model;
  readonly now: { readonly value: number };
  readonly config: PageConfig;
  readonly goTo: (channel: string, user?: string) => void;
}

function Studio({ model: here, now, config, goTo }: Given) {
  const keys = useKeys(here);
  return (
    <div class="studio">
      <Head model={here} now={now} onChannel={goTo} onUser={config.names ? (user) => goTo(here.channel, user) : null} onKeys={keys.show} />
      {here.status.value.state === "refused" && <SignIn reason={here.status.value.message} onToken={() => open(here.channel, config)} />}
      <main class="desk">
        <Acts model={here} />
        <Writing model={here} now={now} />
        <Seen model={here} />
      </main>
      <KeysHelp keys={keys} model={here} />
      <p class="sr-only" role="status" aria-live="polite">{here.announcement.value}</p>
    </div>
  );
}

start((config) => {
  open(channelOfAddress(config), config);
  return <Page config={config} />;
}, speak(files));
