// The operators' page: whether all is well, and if not, where.

import "../shared/theme.css";
import "./ops.css";

import { computed, useSignal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";

import { storedToken, storeToken } from "../shared/config.ts";
import { METRICS } from "../shared/generated.ts";
import { ThemeButton } from "../shared/theme.tsx";
import { Chart } from "./chart.tsx";
import { type Point, type Role, total, verdict } from "./figures.ts";
import { Refusals } from "./refusals.tsx";
import { Figures } from "./source.ts";
import { Channels, Closings, Edges, Index, Lags, Outbox } from "./tables.tsx";

const figures = new Figures();
const { latest, looks, points, problem } = figures;
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
        <main>
          <Roles roles={now.roles} />
          <Charts />
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
        </main>
      )}
      {!now && !problem.value && <p class="empty" aria-busy="true">Asking every role…</p>}
    </>
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

function Charts() {
  const { value: all } = points;
  const at = all.map((one) => one.at);
  const of = (name: keyof Point) => all.map((one) => one[name]);
  return (
    <div class="charts" role="group" aria-label={`Figures of the last ${Math.round((at.at(-1) ?? 0) - (at[0] ?? 0))} seconds`}>
      <Chart title="Events in" unit="/s" at={at} lines={[{ label: "accepted", colour: "--flag-now", values: of("accepted") }, { label: "indexed", colour: "--good-now", values: of("indexed") }]} />
      <Chart title="Events out, to viewers" unit="/s" at={at} lines={[{ label: "delivered", colour: "--flag-now", values: of("delivered") }]} />
      <Chart title="From Kafka to the viewer" unit="ms" at={at} lines={[{ label: "p50", colour: "--good-now", values: of("p50") }, { label: "p99", colour: "--flag-now", values: of("p99") }]} />
      <Chart title="Behind" unit="records" at={at} lines={[{ label: "all consumers", colour: "--flag-now", values: of("lag") }]} />
    </div>
  );
}

const app = document.getElementById("app");
if (app) render(<Page />, app);
