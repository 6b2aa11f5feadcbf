// The operators' page: whether all is well, and if not, where.

import "../shared/theme.css";
import "./ops.css";

import { computed, signal, useSignal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { ask, storedToken, storeToken } from "../shared/config.ts";
import { ThemeButton } from "../shared/theme.tsx";
import { plural } from "../shared/words.ts";
import { Chart } from "./chart.tsx";
import { by, type Point, point, type Role, type Row, type Snapshot, total } from "./figures.ts";

const EVERY_MS = 1000;
const KEPT = 600;

const latest = signal<Snapshot | null>(null);
const points = signal<readonly Point[]>([]);
const problem = signal("");
const ill = computed(() => latest.value?.roles.filter(({ state }) => state !== "ready") ?? []);

async function look(): Promise<void> {
  try {
    const now = await ask<Snapshot>("/v1/ops");
    const before = latest.value;
    if (before && now.at_ms > before.at_ms) points.value = [...points.value, point(before, now)].slice(-KEPT);
    latest.value = now;
    problem.value = "";
  } catch (error) {
    problem.value = error instanceof Error ? error.message : "The gateway does not answer.";
  }
}

function Page() {
  useEffect(() => {
    let timer = 0;
    const next = () => void look().finally(() => (timer = window.setTimeout(next, EVERY_MS)));
    next();
    return () => clearTimeout(timer);
  }, []);
  const now = latest.value;
  return (
    <>
      <header class="ops-head">
        <h1>Touchline operations</h1>
        <Verdict />
        <ThemeButton />
      </header>
      {problem.value && <Trouble />}
      {now && (
        <main>
          <Roles roles={now.roles} />
          <Charts />
          <div class="tables">
            <Table title="Consumer lag" empty="Nobody is behind." head={["Topic", "Records"]} rows={by(now, "touchline_consumer_lag", "topic")} />
            <Table title="Viewers by edge" empty="No edge answers." head={["Edge", "Viewers"]} rows={edges(now)} />
            <Table title="Refused records" empty="Nothing was refused." head={["Reason", "Records"]} rows={by(now, "touchline_rejected_total", "reason").filter(({ value }) => value > 0)} />
            <Table title="Closed connections" empty="None were closed by an edge." head={["Code", "Connections"]} rows={by(now, "touchline_closed_total", "code").filter(({ value }) => value > 0)} />
            <Table title="Index watermark" empty="No indexer answers." head={["Partition", "Offset"]} rows={watermarks(now)} />
            <Reshard />
          </div>
        </main>
      )}
      {!now && !problem.value && <p class="empty" aria-busy="true">Asking every role…</p>}
    </>
  );
}

function Verdict() {
  if (problem.value) return <p class="verdict bad" role="status">The gateway does not answer</p>;
  const { value: roles } = ill;
  if (roles.length === 0) return <p class="verdict good" role="status">All is well</p>;
  return <p class="verdict bad" role="status">{roles.map(({ name }) => name).join(", ")} {roles.length === 1 ? "needs" : "need"} a look</p>;
}

function Trouble() {
  const token = useSignal(storedToken());
  const submit = (event: Event) => {
    event.preventDefault();
    storeToken(token.value.trim());
    void look();
  };
  return (
    <form class="notice trouble" onSubmit={submit}>
      <p role="alert">{problem.value} {latest.value ? "The figures below are the last that came." : ""}</p>
      <label class="sr-only" for="token">Operator's token</label>
      <input class="field" id="token" type="password" autocomplete="off" placeholder="Operator's token" value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
      <button class="button" type="submit">Use it</button>
    </form>
  );
}

function Roles({ roles }: { roles: readonly Role[] }) {
  return (
    <ul class="roles" aria-label="Roles">
      {roles.map(({ name, url, state, problems }) => (
        <li key={name} class={state === "ready" ? "role good" : "role bad"}>
          <p><strong>{name}</strong> <span>{state}</span></p>
          {name.startsWith("edge") && state === "ready" && <Drain edge={name} />}
          <p class="role-detail">{Object.keys(problems).length > 0 ? Object.entries(problems).map(([what, why]) => (what === "answer" ? why : `${what}: ${why}`)).join(" ") : url.replace(/^https?:\/\//, "")}</p>
        </li>
      ))}
    </ul>
  );
}

/** Moves an edge's viewers elsewhere; under `touchline up` it is started again afterwards. */
function Drain({ edge }: { edge: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const problem = useSignal("");
  const go = async () => {
    dialog.current?.close();
    try {
      await ask(`/v1/ops/edges/${encodeURIComponent(edge)}/drain`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
      problem.value = "";
    } catch (error) {
      problem.value = error instanceof Error ? error.message : "It was refused.";
    }
  };
  return (
    <>
      <button type="button" class="drain" aria-label={`Drain ${edge}`} onClick={() => dialog.current?.showModal()}>Drain…</button>
      {problem.value && <p class="role-detail" role="alert">{problem.value}</p>}
      <dialog ref={dialog} aria-label={`Drain ${edge}`}>
        <p><strong>Drain {edge}?</strong></p>
        <p>It takes no new viewers, moves the present ones to other edges, and then leaves. Nobody misses an event. Where it is supervised, it is started again.</p>
        <p class="dialog-buttons"><button class="button plain" type="button" onClick={() => dialog.current?.close()}>Leave it</button><button class="button" type="button" onClick={() => void go()}>Drain</button></p>
      </dialog>
    </>
  );
}

function Charts() {
  const { value: all } = points;
  const at = all.map((one) => one.at);
  const of = (name: keyof Point) => all.map((one) => one[name]);
  return (
    <div class="charts">
      <Chart title="Events" unit="/s" at={at} lines={[{ label: "accepted", colour: "--flag-now", values: of("accepted") }, { label: "indexed", colour: "--good-now", values: of("indexed") }]} />
      <Chart title="Delivered to viewers" unit="/s" at={at} lines={[{ label: "delivered", colour: "--flag-now", values: of("delivered") }]} />
      <Chart title="From Kafka to the viewer" unit="ms" at={at} lines={[{ label: "p50", colour: "--good-now", values: of("p50") }, { label: "p99", colour: "--flag-now", values: of("p99") }]} />
      <Chart title="Behind" unit="records" at={at} lines={[{ label: "all consumers", colour: "--flag-now", values: of("lag") }]} />
    </div>
  );
}

function edges(now: Snapshot): Row[] {
  const found = now.roles.filter(({ name }) => name.startsWith("edge"));
  return found.map((role) => ({ name: role.name, value: total({ ...now, roles: [role] }, "touchline_viewers") }));
}

function watermarks(now: Snapshot): Row[] {
  const rows = now.roles.flatMap(({ metrics }) => metrics.filter(({ name }) => name === "touchline_index_watermark"));
  return rows.map(({ labels, value }) => ({ name: `${labels["topic"] ?? ""} ${labels["partition"] ?? ""}`, value: value ?? 0 }));
}

interface TableProps {
  readonly title: string;
  readonly empty: string;
  readonly head: readonly [string, string];
  readonly rows: readonly Row[];
}

function Table({ title, empty, head, rows }: TableProps) {
  return (
    <section class="card-table">
      <h2>{title}</h2>
      {rows.length === 0 ? <p class="quiet">{empty}</p> : (
        <table>
          <thead><tr><th scope="col">{head[0]}</th><th scope="col">{head[1]}</th></tr></thead>
          <tbody>{rows.slice(0, 24).map(({ name, value }) => <tr key={name}><td>{name}</td><td>{value.toLocaleString("en")}</td></tr>)}</tbody>
        </table>
      )}
    </section>
  );
}

function Reshard() {
  const dialog = useRef<HTMLDialogElement>(null);
  const channel = useSignal("");
  const shards = useSignal(4);
  const said = useSignal("");
  const fits = /^[A-Za-z0-9._~-]{1,128}$/.test(channel.value.trim()) && Number.isInteger(shards.value) && shards.value > 0;
  const open = (event: Event) => {
    event.preventDefault();
    if (fits) dialog.current?.showModal();
  };
  const go = async () => {
    dialog.current?.close();
    try {
      await ask(`/v1/channels/${encodeURIComponent(channel.value.trim())}/reshard`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ shards: shards.value }) });
      said.value = `${channel.value.trim()} gets ${plural(shards.value, "shard")}. Its viewers move by themselves.`;
    } catch (error) {
      said.value = error instanceof Error ? error.message : "It was refused.";
    }
  };
  return (
    <section class="card-table">
      <h2>Reshard a channel</h2>
      <form class="reshard" onSubmit={open}>
        <label>Channel <input class="field" value={channel.value} maxLength={128} spellcheck={false} autocapitalize="off" onInput={(event) => (channel.value = event.currentTarget.value)} /></label>
        <label>Shards <input class="field" type="number" min="1" max="256" value={shards.value} onInput={(event) => (shards.value = Number(event.currentTarget.value))} /></label>
        <button class="button plain" type="submit" disabled={!fits}>Reshard…</button>
      </form>
      {said.value && <p class="quiet" role="status">{said.value}</p>}
      <dialog ref={dialog} aria-labelledby="sure">
        <p id="sure"><strong>Give {channel.value} {plural(shards.value, "shard")}?</strong></p>
        <p>A new version of the channel is opened beside the old one. Nobody misses an event.</p>
        <p class="dialog-buttons"><button class="button plain" type="button" onClick={() => dialog.current?.close()}>Leave it</button><button class="button" type="button" onClick={() => void go()}>Reshard</button></p>
      </dialog>
    </section>
  );
}

const app = document.getElementById("app");
if (app) render(<Page />, app);
