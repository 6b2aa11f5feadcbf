// The map of friends: who is near, how far and since when; places that watch; and what others see of me.

import "../shared/plain.css";
import "../shared/theme.css";
import "./nearby.css";

import { signal, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { homeOf, type PageConfig } from "../shared/config.ts";
import { start } from "../shared/start.tsx";
import { ThemeButton } from "../shared/theme.tsx";
import { Who } from "../shared/who.tsx";
import { sayStatus } from "../shared/words.ts";
import { Fences } from "./fences.tsx";
import type { FriendsMap } from "./map.ts";
import { Model } from "./model.ts";
import { Near } from "./near.tsx";
import { type Drawing, MapPane } from "./pane.tsx";
import { People } from "./people.tsx";
import { You } from "./you.tsx";
import { speak, t } from "../shared/tongue.ts";
import files from "words:here";

const AGE_MS = 1000;

const model = signal<Model | null>(null);

function open(config: PageConfig): void {
  model.value?.close();
  model.value = new Model(config);
}

function Page({ config }: { config: PageConfig }) {
  const now = useSignal(Date.now());
  const drawing = useMemo<Drawing>(() => ({ map: signal<FriendsMap | null>(null), corners: signal([]) }), []);
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), AGE_MS);
    const back = () => open(config);
    addEventListener("popstate", back);
    return () => { clearInterval(timer); removeEventListener("popstate", back); };
  }, []);
  const here = model.value;
  if (!here) return null;
  const said = sayStatus(here.status.value, performance.now());
  return (
    <>
      <header class="page-head">
        <h1>{t("Nearby")}</h1>
        <a href={homeOf(config.names ? here.user : "")}>{t("What is on")}</a>
        <Who names={config.names} user={here.user} onChange={() => open(config)} />
        <span class={`state ${said.tone}`} title={said.detail}>{said.text}</span>
        <span class="sr-only" role="status">{[said.said ?? said.text, said.detail].filter(Boolean).join(". ")}</span>
        <ThemeButton />
      </header>
      <main class="near-main" key={here.number}>
        <MapPane model={here} drawing={drawing} />
        <div class="side">
          {here.problem.value && <p class="notice" role="alert">{here.problem.value}</p>}
          {here.user ? (
            <>
              {config.demo && config.names && here.near.value.size === 0 && <Demo model={here} />}
              <Near model={here} drawing={drawing} nowMs={now.value} />
              <You model={here} drawing={drawing} nowMs={now.value} />
              <Fences model={here} drawing={drawing} nowMs={now.value} />
              <People model={here} />
            </>
          ) : (
            <p class="empty"><strong>{t("Who are you?")}</strong>{config.names ? t("Say your name above, and see which of your friends are near.") : t("Paste a token above, and see which of your friends are near.")}</p>
          )}
        </div>
      </main>
      <p class="sr-only" role="status" aria-live="polite">{here.announcement.value}</p>
    </>
  );
}

function Demo({ model: here }: { model: Model }) {
  const busy = useSignal(false);
  const start = async () => {
    busy.value = true;
    await here.startDemo();
    busy.value = false;
  };
  return (
    <section class="card" aria-labelledby="demo-title">
      <h2 id="demo-title">{t("See it live")}</h2>
      <p class="quiet">{t("Twelve people walk about a city for three minutes. They become your friends, and you are put in their middle.")}</p>
      <p><button type="button" class="button" id="demo" disabled={busy.value} onClick={() => void start()}>{busy.value ? t("They put their shoes on…") : t("Start the demo walk")}</button></p>
    </section>
  );
}

start((config) => {
  open(config);
  return <Page config={config} />;
}, speak(files));
