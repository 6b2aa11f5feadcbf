// The analyst's desk: everything that search can do, in a page; the search itself is its address.

import "../shared/plain.css";
import "../shared/theme.css";
import "../shared/head.css";
import "./analyst.css";

import { signal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { namedUser, type PageConfig, storedToken } from "../shared/config.ts";
import { SignIn } from "../shared/signin.tsx";
import { onSlash } from "../shared/slash.ts";
import { start } from "../shared/start.tsx";
import { ThemeButton } from "../shared/theme.tsx";
import { Who } from "../shared/who.tsx";
import { sayStatus } from "../shared/words.ts";
import { Alerts } from "./alerts.tsx";
import { Context } from "./context.tsx";
import { Facets } from "./facets.tsx";
import { Filters } from "./filters.tsx";
import { Link } from "./link.tsx";
import { hitOf, Model } from "./model.ts";
import { Query } from "./query.tsx";
import { Table } from "./table.tsx";
import { TimeChart } from "./timechart.tsx";
import { sayDifference } from "./wanted.ts";
import { Watching } from "./watching.ts";
import { many, speak, t } from "../shared/tongue.ts";
import files from "words:here";

const model = signal<Model | null>(null);
const watching = signal<Watching | null>(null);

/** Somebody is here, or somebody else: what they may see is asked anew. */
function open(config: PageConfig): void {
  watching.value?.close();
  model.value = new Model();
  watching.value = new Watching(config);
}

function Page({ config }: { config: PageConfig }) {
  useEffect(() => {
    const back = () => model.value?.fromAddress();
    const again = () => { if (model.value?.problem.value) void model.value.run(); };
    const shown = () => { if (document.visibilityState === "visible") void watching.value?.look(); };
    addEventListener("popstate", back);
    addEventListener("online", again);
    document.addEventListener("visibilitychange", shown);
    return () => {
      removeEventListener("popstate", back);
      removeEventListener("online", again);
      document.removeEventListener("visibilitychange", shown);
    };
  }, []);
  useEffect(() => onSlash(() => document.getElementById("q")?.focus()), []);
  useSignalEffect(() => { document.title = [model.value?.wanted.value.q, t("Search · Touchline")].filter(Boolean).join(" · "); });
  const [here, alerts] = [model.value, watching.value];
  if (!here || !alerts) return null;
  const said = sayStatus(alerts.status.value, performance.now());
  const { value: found } = here.found;
  return (
    <>
      <header class="page-head">
        <h1>{t("Search")}</h1>
        <a href={namedUser() ? `/?${new URLSearchParams({ user: namedUser() }).toString()}` : "/"}>Touchline</a>
        <Who names={config.names} user={config.names ? namedUser() : storedToken() ? t("signed in") : ""} onChange={() => open(config)} />
        <span class={`state ${said.tone}`} title={said.detail}>{said.text}</span>
        <ThemeButton />
      </header>
      <main class="desk">
        <div class="asking">
          <Query model={here} />
          <Filters model={here} />
        </div>
        {here.wantsToken.value && <SignIn reason={here.problem.value} onToken={() => open(config)} />}
        {here.problem.value && !here.wantsToken.value && <p class="notice" role="alert">{here.problem.value}</p>}
        {found && (
          <div class="summary">
            <p class="found-count" role="status">{found.total === 0 ? t("Nothing was found") : many(found.total, "{n} hit", "{n} hits")} <span class="took">{t("in {n} ms", { n: Math.max(1, Math.round(found.took_ms)).toLocaleString("en") })}</span>{found.facets?.previous && <span class="difference">{sayDifference(found.total, found.facets.previous.total)}</span>}</p>
            {found.did_you_mean !== undefined && <p>{t("Did you mean")} <button type="button" class="button plain small" id="meant" onClick={() => here.want({ q: found.did_you_mean ?? "" })}>{found.did_you_mean}</button>?</p>}
            <Link model={here} />
          </div>
        )}
        {found && <Linked model={here} />}
        <div class="columns-of-page">
          <div class="results" aria-busy={here.busy.value}>
            {found?.facets && found.total > 0 && <TimeChart model={here} counted={found.facets} />}
            {found && found.hits.length > 0 && <Table model={here} found={found} />}
            {found && found.total === 0 && <p class="empty"><strong>{t("No event matches")}</strong>{t("Try fewer words, the beginning of one with a * behind it, or more time.")}</p>}
            {!found && !here.problem.value && <p class="empty" aria-busy="true">{t("Searching…")}</p>}
          </div>
          <div class="side">
            {found?.facets && found.total > 0 && <Facets model={here} counted={found.facets} />}
            <Alerts model={here} watching={alerts} nobody={config.names ? namedUser() === "" : storedToken() === ""} />
          </div>
        </div>
      </main>
      <p class="sr-only" role="status" aria-live="polite">{alerts.announcement.value}</p>
    </>
  );
}

/** The hit that a link leads to, where it is not among those below; who may not read it is told so. */
function Linked({ model: here }: { model: Model }) {
  const hit = here.opened.value;
  const [stream, seq] = hit.split("@");
  if (!stream || !seq || here.found.value?.hits.some((one) => hitOf(one) === hit)) return null;
  return <section class="card linked" aria-label={t("What the link leads to")}><h2><bdi>{stream}</bdi></h2><Context key={hit} model={here} stream={stream} seq={Number(seq)} /></section>;
}

start((config) => {
  open(config);
  return <Page config={config} />;
}, speak(files));
