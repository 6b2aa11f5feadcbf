// The operators' page: whether all is well, and if not, where.

import "../shared/plain.css";
import "../shared/theme.css";
import "./ops.css";

import { computed, useSignal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";

import { storedToken, storeToken } from "../shared/config.ts";
import { METRICS } from "../shared/generated.ts";
import { ThemeButton } from "../shared/theme.tsx";
import { many, speak, t } from "../shared/tongue.ts";
import { Fetched, woven } from "./card.tsx";
import { Chart, LEAST_SECONDS } from "./chart.tsx";
import { type Point, type Role, sayState, type Snapshot, total } from "./figures.ts";
import { Past, RANGES } from "./past.ts";
import { Refusals } from "./refusals.tsx";
import { Figures } from "./source.ts";
import { Channels, Closings, Edges, Index, Lags, Outbox } from "./tables.tsx";
import { verdict } from "./verdict.ts";
import { linkTo, place, type View, VIEWS } from "./views.ts";
import files from "words:here";

const figures = new Figures();
const past = new Past();
const { latest, looks, problem } = figures;
const headline = computed(() => verdict(looks.value));

function Page() {
  useEffect(() => {
    figures.start();
    return () => figures.stop();
  }, []);
  const now = latest.value;
  return (
    <>
      <header class="ops-head">
        <h1>{t("Touchline operations")}</h1>
        <Verdict />
        <Origin />
        <ThemeButton />
      </header>
      {problem.value && <Trouble {...problem.value} />}
      {now && (
        <>
          <Wrong />
          <Views />
          <main>{place.value.view === "" ? <Overview now={now} /> : <Other view={place.value.view} />}</main>
        </>
      )}
      {!now && !problem.value && <p class="empty" aria-busy="true">{t("Asking every role…")}</p>}
    </>
  );
}

/** What is wrong beside what the headline says. */
function Wrong() {
  const more = problem.value ? [] : (headline.value?.more ?? []);
  return more.length > 0 ? <ul class="wrong" aria-label={t("What else is wrong")}>{more.map((text) => <li key={text}>{text}</li>)}</ul> : null;
}

function Views() {
  return (
    <nav class="views" aria-label={t("Parts of the page")}>
      {(Object.entries(VIEWS) as [View, string][]).map(([view, name]) => <a key={view} href={linkTo(view)} aria-current={place.value.view === view ? "page" : undefined}>{t(name)}</a>)}
    </nav>
  );
}

function Other({ view }: { view: View }) {
  return <Fetched>{({ Records, Alerts, Audit }) => (view === "records" ? <Records /> : view === "alerts" ? <Alerts /> : <Audit />)}</Fetched>;
}

function Overview({ now }: { now: Snapshot }) {
  return (
    <>
      <Roles roles={now.roles} />
      <Ranges />
      <Charts now={now} />
      <div class="tables">
        <div class="stack">
          <Edges now={now} />
          <Index now={now} />
          <Outbox now={now} />
          <Closings now={now} />
        </div>
        <Channels now={now} />
        <Lags now={now} />
      </div>
      <Refusals count={total(now, METRICS.REJECTED)} />
    </>
  );
}

function Ranges() {
  return (
    <div class="ranges">
      <div role="group" aria-label={t("How far back the charts go")}>
        {RANGES.map(([minutes, name]) => <button type="button" key={minutes} aria-pressed={past.minutes.value === minutes} onClick={() => past.choose(minutes)}>{t(name)}</button>)}
      </div>
      <p class="quiet" role="status">{past.note.value}</p>
    </div>
  );
}

function Verdict() {
  if (problem.value) return <p class="verdict bad" role="status">{problem.value.wantsToken ? t("You are not let in") : t("The gateway does not answer")}</p>;
  const { value: said } = headline;
  return said && <p class={said.good ? "verdict good" : "verdict bad"} role="status">{said.text}</p>;
}

/** Whether the page lives on the stream; and if not, what is the matter with that. */
function Origin() {
  const { source, why } = figures;
  if (problem.value || source.value === "none") return null;
  if (source.value === "stream") return <p class="origin live" role="status">{t("Live")}</p>;
  return <p class="origin" role="status">{why.value || t("Connecting to an edge")}</p>;
}

function Trouble({ text, wantsToken }: { text: string; wantsToken: boolean }) {
  const token = useSignal(storedToken());
  const submit = (event: Event) => {
    event.preventDefault();
    storeToken(token.value.trim());
    figures.signIn();
  };
  return (
    <form class={latest.value ? "notice trouble" : "notice trouble alone"} onSubmit={submit}>
      <p>
        <span role="alert">{text}</span> {latest.value && `${t("The figures below are the last that came.")} `}
        {wantsToken && woven(t("Paste an operator’s token; {command} makes one."), { command: <code>touchline token NAME --can admin</code> })}
      </p>
      {wantsToken && (
        <>
          <label class="sr-only" for="token">{t("Operator’s token")}</label>
          <input class="field" id="token" type="password" autocomplete="off" spellcheck={false} placeholder={t("Operator’s token")} value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
          <button class="button" type="submit">{t("Go on")}</button>
        </>
      )}
    </form>
  );
}

function Roles({ roles }: { roles: readonly Role[] }) {
  return (
    <ul class="roles" aria-label={t("Roles")}>
      {roles.map(({ name, url, state, problems }) => (
        <li key={name} class={state === "ready" ? "role good" : "role bad"}>
          <p><strong>{name}</strong> <span>{sayState(state)}</span></p>
          <p class="role-detail">{Object.keys(problems).length > 0 ? Object.entries(problems).map(([what, why]) => (what === "answer" ? why : `${what}: ${why}`)).join(" ") : url.replace(/^https?:\/\//, "")}</p>
        </li>
      ))}
    </ul>
  );
}

function Charts({ now: { thresholds } }: { now: Snapshot }) {
  const { minutes } = past;
  const points = minutes.value ? past.points.value : figures.points.value;
  const at = points.map((one) => one.at);
  const all = { at, least: minutes.value * 60 || LEAST_SECONDS };
  const line = (colour: string) => (label: string, name: keyof Point) => ({ label, colour, values: points.map((one) => one[name]) });
  const [first, second] = [line("--flag-now"), line("--good-now")];
  const label = minutes.value ? t("Figures of the last {n} minutes", { n: minutes.value }) : many(Math.round((at.at(-1) ?? 0) - (at[0] ?? 0)), "Figures of the last {n} second", "Figures of the last {n} seconds");
  return (
    <div class="charts" role="group" aria-label={label}>
      <Chart title={t("Events in")} unit="/s" {...all} lines={[first(t("accepted"), "accepted"), second(t("indexed"), "indexed")]} />
      <Chart title={t("Events out, to viewers")} unit="/s" {...all} lines={[first(t("delivered"), "delivered")]} />
      <Chart title={t("From Kafka to the viewer")} unit="ms" {...all} lines={[second("p50", "p50"), first("p99", "p99")]} limit={thresholds?.latency_ms} />
      <Chart title={t("Behind")} unit={t("records")} {...all} lines={[first(t("all consumers"), "lag")]} limit={thresholds?.lag_records} />
    </div>
  );
}

const app = document.getElementById("app");
if (app) {
  void speak(files).then(() => {
    document.title = t("Touchline operations");
    render(<Page />, app);
  });
}
