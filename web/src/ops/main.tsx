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
import { Chart } from "./chart.tsx";
import { Alerts, Audit } from "./audit.tsx";
import { type Point, type Role, type Snapshot, total } from "./figures.ts";
import { Past, RANGES } from "./past.ts";
import { Records } from "./records.tsx";
import { Refusals } from "./refusals.tsx";
import { Figures } from "./source.ts";
import { Channels, Closings, Edges, Index, Lags, Outbox } from "./tables.tsx";
import { verdict } from "./verdict.ts";
import { linkTo, place, type View, VIEWS } from "./views.ts";

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
        <h1>Touchline operations</h1>
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
      {!now && !problem.value && <p class="empty" aria-busy="true">Asking every role…</p>}
    </>
  );
}

/** What is wrong beside what the headline says. */
function Wrong() {
  const more = problem.value ? [] : (headline.value?.more ?? []);
  return more.length > 0 ? <ul class="wrong" aria-label="What else is wrong">{more.map((text) => <li key={text}>{text}</li>)}</ul> : null;
}

function Views() {
  return (
    <nav class="views" aria-label="Parts of this page">
      {(Object.entries(VIEWS) as [View, string][]).map(([view, name]) => <a key={view} href={linkTo(view)} aria-current={place.value.view === view ? "page" : undefined}>{name}</a>)}
    </nav>
  );
}

function Other({ view }: { view: View }) {
  if (view === "records") return <Records />;
  return view === "alerts" ? <Alerts /> : <Audit />;
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
      <div role="group" aria-label="How far back the charts go">
        {RANGES.map(([minutes, name]) => <button type="button" key={minutes} aria-pressed={past.minutes.value === minutes} onClick={() => past.choose(minutes)}>{name}</button>)}
      </div>
      <p class="quiet" role="status">{past.note.value}</p>
    </div>
  );
}

function Verdict() {
  if (problem.value) return <p class="verdict bad" role="status">{problem.value.wantsToken ? "You are not let in" : "The gateway does not answer"}</p>;
  const { value: said } = headline;
  return said && <p class={said.good ? "verdict good" : "verdict bad"} role="status">{said.text}</p>;
}

/** Whether the page lives on the stream; and if not, what is the matter with that. */
function Origin() {
  const { source, why } = figures;
  if (problem.value || source.value === "none") return null;
  if (source.value === "stream") return <p class="origin live" role="status">Live</p>;
  return <p class="origin" role="status">{why.value ? `Live figures by HTTP: ${why.value}.` : "Connecting to an edge"}</p>;
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
        <span role="alert">{text}</span> {latest.value && "The figures below are the last that came. "}
        {wantsToken && <>Paste an operator’s token; <code>touchline token NAME --can admin</code> makes one.</>}
      </p>
      {wantsToken && (
        <>
          <label class="sr-only" for="token">Operator’s token</label>
          <input class="field" id="token" type="password" autocomplete="off" spellcheck={false} placeholder="Operator’s token" value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
          <button class="button" type="submit">Go on</button>
        </>
      )}
    </form>
  );
}

function Roles({ roles }: { roles: readonly Role[] }) {
  return (
    <ul class="roles" aria-label="Roles">
      {roles.map(({ name, url, state, problems }) => (
        <li key={name} class={state === "ready" ? "role good" : "role bad"}>
          <p><strong>{name}</strong> <span>{state}</span></p>
          <p class="role-detail">{Object.keys(problems).length > 0 ? Object.entries(problems).map(([what, why]) => (what === "answer" ? why : `${what}: ${why}`)).join(" ") : url.replace(/^https?:\/\//, "")}</p>
        </li>
      ))}
    </ul>
  );
}

function Charts({ now: { thresholds } }: { now: Snapshot }) {
  const { minutes } = past;
  const all = minutes.value ? past.points.value : figures.points.value;
  const at = all.map((one) => one.at);
  const of = (name: keyof Point) => all.map((one) => one[name]);
  const least = minutes.value ? { least: minutes.value * 60 } : {};
  const label = minutes.value ? `Figures of the last ${minutes.value} minutes` : `Figures of the last ${Math.round((at.at(-1) ?? 0) - (at[0] ?? 0))} seconds`;
  return (
    <div class="charts" role="group" aria-label={label}>
      <Chart title="Events in" unit="/s" at={at} {...least} lines={[{ label: "accepted", colour: "--flag-now", values: of("accepted") }, { label: "indexed", colour: "--good-now", values: of("indexed") }]} />
      <Chart title="Events out, to viewers" unit="/s" at={at} {...least} lines={[{ label: "delivered", colour: "--flag-now", values: of("delivered") }]} />
      <Chart title="From Kafka to the viewer" unit="ms" at={at} {...least} lines={[{ label: "p50", colour: "--good-now", values: of("p50") }, { label: "p99", colour: "--flag-now", values: of("p99") }]} {...(thresholds ? { limit: thresholds.latency_ms } : {})} />
      <Chart title="Behind" unit="records" at={at} {...least} lines={[{ label: "all consumers", colour: "--flag-now", values: of("lag") }]} {...(thresholds ? { limit: thresholds.lag_records } : {})} />
    </div>
  );
}

const app = document.getElementById("app");
if (app) render(<Page />, app);
