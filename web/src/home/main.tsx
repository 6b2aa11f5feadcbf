// What is on: live now, soon and lately; and a search over all of it.

import "../shared/wide.css";
import "../shared/theme.css";
import "./home.css";

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { addressOf, homeOf, namedUser, type PageConfig } from "../shared/config.ts";
import { DemoButton } from "../shared/demo.tsx";
import { Flag } from "../shared/flag.tsx";
import { LanguageChoice } from "../shared/language.tsx";
import { SignIn } from "../shared/signin.tsx";
import { onSlash } from "../shared/slash.ts";
import { start } from "../shared/start.tsx";
import { ThemeButton } from "../shared/theme.tsx";
import { language, many, speak, t } from "../shared/tongue.ts";
import { UserField } from "../shared/user.tsx";
import { Card, LatelyRow, SoonRow } from "./cards.tsx";
import { Finding } from "./finding.ts";
import type { Order } from "./listing.ts";
import { PLACES } from "./places.ts";
import { Results } from "./results.tsx";
import { Home } from "./source.ts";
import files from "words:here";

const TYPING_MS = 250;

function Page({ config }: { config: PageConfig }) {
  const home = useMemo(() => new Home(config.channel), []);
  const finding = useMemo(() => new Finding(), []);
  const words = useSignal(new URLSearchParams(location.search).get("q") ?? "");
  useEffect(() => home.start(), []);
  useEffect(() => onSlash(() => document.getElementById("q")?.focus()), []);
  useEffect(() => {
    const onOnline = () => void finding.ask(words.value.trim());
    addEventListener("online", onOnline);
    return () => removeEventListener("online", onOnline);
  }, []);
  useSignalEffect(() => {
    const q = words.value.trim();
    const timer = setTimeout(() => {
      const parameters = new URLSearchParams(location.search);
      if (q) parameters.set("q", q);
      else parameters.delete("q");
      history.replaceState(history.state, "", parameters.size ? `?${parameters.toString()}` : location.pathname);
      void finding.ask(q);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  });
  const searching = words.value.trim() !== "";
  return (
    <div class="home" lang={language.value}>
      <a class="skip" href="#main">{t("Go to what is on")}</a>
      <header class="home-head">
        <svg class="chalk" viewBox="0 0 1200 160" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
          <path d="M600 0v160M0 20h70v120H0M1200 20h-70v120h70" /><circle cx="600" cy="80" r="66" />
        </svg>
        <div class="home-bar">
          <a class="brand" href={homeOf(namedUser())}><Flag size={30} /><h1>Touchline</h1></a>
          <nav aria-label={t("Other pages")}>
            {PLACES.map(([path, label]) => <a key={path} href={namedUser() ? `${path}?${new URLSearchParams({ user: namedUser() }).toString()}` : path}>{t(label)}</a>)}
          </nav>
          <LanguageChoice />
          <ThemeButton />
        </div>
        <form class="home-search" role="search" onSubmit={(event) => { event.preventDefault(); void finding.ask(words.value.trim()); }}>
          <label class="sr-only" for="q">{t("Search everything")}</label>
          <input class="field" id="q" type="search" autocomplete="off" placeholder={t("Search channels, and what was said in them")} value={words.value} onInput={(event) => (words.value = event.currentTarget.value)} />
        </form>
        {config.names && <UserField user={namedUser()} onUser={(user) => location.assign(homeOf(user))} />}
      </header>
      {home.refused.value && <SignIn reason={home.refused.value} onToken={() => void home.load()} />}
      <main id="main" tabIndex={-1}>
        {searching ? <Results finding={finding} q={words.value.trim()} onMeant={(meant) => (words.value = meant)} /> : <Lists home={home} config={config} />}
      </main>
    </div>
  );
}

function Lists({ home, config }: { home: Home; config: PageConfig }) {
  const { live, lately } = home.rows.value;
  const soon = home.soon.value;
  const nowMs = home.now.value;
  if (home.refused.value) return null;
  if (!home.loaded.value) return home.problem.value ? <p class="notice" role="alert">{home.problem.value}</p> : <p class="empty" aria-busy="true">{t("Looking what is on…")}</p>;
  const demo = config.demo && (
    <div class="try">
      <p>{t("Ninety seconds of score, chat and map, played for you:")}</p>
      <DemoButton channel={config.channel} onStarted={() => location.assign(`/${addressOf(config.channel, namedUser())}`)} />
    </div>
  );
  return (
    <>
      {home.problem.value && <p class="notice" role="alert">{home.problem.value} {t("What is shown is as of before.")}</p>}
      <section aria-labelledby="live-title" class="live">
        <div class="section-head">
          <h2 id="live-title">{t("Live now")} {live.length > 0 && <span class="count">{live.length}</span>}</h2>
          {live.length > 1 && (
            <label class="order">{t("Order")} <select value={home.order.value} onChange={(event) => (home.order.value = event.currentTarget.value as Order)}>
              <option value="viewers">{t("most viewers")}</option><option value="latest">{t("what happened last")}</option><option value="name">{t("name")}</option>
            </select></label>
          )}
        </div>
        {live.length > 0 ? (
          <ul class="cards">{live.map((row) => <li key={row.channel}><Card row={row} match={home.matches.value.get(row.channel)} nowMs={nowMs} /></li>)}</ul>
        ) : <p class="empty"><strong>{t("Nothing is live")}</strong>{t("What is watched, or has just had something happen, is shown here.")}</p>}
      </section>
      {soon.length > 0 && (
        <section aria-labelledby="soon-title" class="soon">
          <h2 id="soon-title">{t("Soon")}</h2>
          <ul class="rows">{soon.map((one) => <li key={one.channel}><SoonRow soon={one} nowMs={nowMs} /></li>)}</ul>
        </section>
      )}
      {lately.length > 0 && (
        <section aria-labelledby="lately-title" class="lately">
          <h2 id="lately-title">{t("Lately")}</h2>
          <ul class="rows">{lately.map((row) => <li key={row.channel}><LatelyRow row={row} nowMs={nowMs} /></li>)}</ul>
        </section>
      )}
      {demo}
      <p class="sr-only" role="status">{many(live.length, "{n} channel is live", "{n} channels are live")}</p>
    </>
  );
}

start((config) => <Page config={config} />, speak(files));
