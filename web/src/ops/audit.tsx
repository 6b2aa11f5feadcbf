// Who has changed what: the commands as they lie on the log. And the alerts that people have saved.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { fullTime } from "../shared/words.ts";
import { Confirmed, sentence } from "./actions.tsx";
import { type KafkaRecord, type Page, readPage, topicNames, topics } from "./records.tsx";
import { linkTo } from "./views.ts";

/** Topics of commands, by the end of their names. */
const COMMANDS = [".changes", ".control"];
const LIMIT = "50";
/** What moderators do stands on a stream of its own for each channel (kernel/access/users.py). */
const MODERATION = "touchline-audit-*";

interface Command {
  readonly command?: string;
  readonly actor?: string | null;
  readonly arguments?: string;
}

interface Source {
  readonly topic: string;
  readonly page: Page;
}

export function Audit() {
  const sources = useSignal<readonly Source[] | null>(null);
  const problem = useSignal("");
  const look = async () => {
    try {
      const before = sources.value;
      const names = (await topicNames()).map(({ topic }) => topic).filter((name) => COMMANDS.some((end) => name.endsWith(end)));
      // One after the other: the gateway reads for one at a time.
      const found: Source[] = [];
      for (const topic of names) {
        const had = before?.find((one) => one.topic === topic)?.page;
        if (had && had.next === null) found.push({ topic, page: had });
        else {
          const page = await readPage({ topic, limit: LIMIT, before: had?.next ?? "" });
          found.push({ topic, page: { records: [...(had?.records ?? []), ...page.records], next: page.next } });
        }
      }
      sources.value = found;
      problem.value = "";
    } catch (error) {
      problem.value = sentence(error);
    }
  };
  useEffect(() => void look(), []);
  const rows = (sources.value ?? []).flatMap(({ page }) => page.records).sort((a, b) => b.at.localeCompare(a.at));
  const broadcasts = topics.value.find(({ topic }) => topic.endsWith(".events.broadcast"))?.topic ?? "";
  const more = sources.value?.some(({ page }) => page.next !== null);
  return (
    <section class="card-table audit" aria-labelledby="audit">
      <div class="card-head">
        <h2 id="audit">Commands</h2>
        <button type="button" class="button plain small" onClick={() => { sources.value = null; void look(); }}>Look again</button>
      </div>
      <p class="quiet">What was asked of the workers: settings, sanctions, rooms, alerts’ readers, revocations. They lie on the log for 30 days. <a href={linkTo("records", { topic: broadcasts, key: MODERATION })}>What moderators did</a> stands beside them, by channel.</p>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
      {!sources.value && !problem.value && <p class="quiet" aria-busy="true">Looking…</p>}
      {sources.value && rows.length === 0 && <p class="quiet">Nobody has asked for anything.</p>}
      {rows.length > 0 && (
        <div class="scroller tall" tabIndex={0} role="region" aria-label="Commands">
          <table>
            <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">About</th><th scope="col">With</th></tr></thead>
            <tbody>{rows.map((one) => <CommandRow key={`${one.at} ${one.partition} ${one.offset}`} record={one} />)}</tbody>
          </table>
        </div>
      )}
      {more && <p class="below"><button type="button" class="button plain small" onClick={() => void look()}>Look at earlier ones</button></p>}
    </section>
  );
}

function CommandRow({ record }: { record: KafkaRecord }) {
  const { command, actor, arguments: given } = (record.value ?? {}) as Command;
  return (
    <tr>
      <td><time dateTime={record.at}>{fullTime(record.at)}</time></td>
      <td><bdi>{actor ?? "–"}</bdi></td>
      <td>{command ?? (record.bytes === 0 ? "taken away" : (record.text ?? "not to be read"))}</td>
      <td><bdi>{record.key}</bdi></td>
      <td class="with"><code>{given ?? ""}</code></td>
    </tr>
  );
}

interface Alert {
  readonly id: string;
  readonly stream: string;
  readonly suspended?: { readonly until?: string; readonly why?: string };
  readonly [name: string]: unknown;
}

export function Alerts() {
  const alerts = useSignal<readonly Alert[] | null>(null);
  const problem = useSignal("");
  const look = async () => {
    try {
      alerts.value = (await ask<{ alerts: Alert[] }>("/v1/alerts")).alerts;
      problem.value = "";
    } catch (error) {
      problem.value = sentence(error);
    }
  };
  useEffect(() => void look(), []);
  return (
    <section class="card-table audit" aria-labelledby="alerts">
      <div class="card-head">
        <h2 id="alerts">Alerts</h2>
        <button type="button" class="button plain small" onClick={() => void look()}>Look again</button>
      </div>
      <p class="quiet">Searches that people have saved: each new event that matches comes on the alert’s stream. One that takes too much of the indexer rests for a while.</p>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
      {!alerts.value && !problem.value && <p class="quiet" aria-busy="true">Looking…</p>}
      {alerts.value?.length === 0 && <p class="quiet">There are none.</p>}
      {alerts.value && alerts.value.length > 0 && (
        <div class="scroller tall" tabIndex={0} role="region" aria-label="Alerts">
          <table>
            <thead><tr><th scope="col">Alert</th><th scope="col">Looks for</th><th scope="col">State</th><th scope="col"><span class="sr-only">What to do</span></th></tr></thead>
            <tbody>{alerts.value.map((one) => <AlertRow key={one.id} alert={one} onDone={look} />)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function AlertRow({ alert: { id, stream, suspended, ...search }, onDone }: { alert: Alert; onDone: () => Promise<void> }) {
  const forget = async () => {
    await ask(`/v1/alerts/${encodeURIComponent(id)}`, { method: "DELETE" });
    void onDone();
    return "It is forgotten.";
  };
  return (
    <tr>
      <td><bdi>{id}</bdi></td>
      <td>{Object.entries(search).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : String(value)}`).join(" · ")}</td>
      <td class={suspended ? "bad" : undefined}>{suspended ? `rests until ${fullTime(suspended.until ?? "")}` : "asked"}</td>
      <td>
        <Confirmed label="Forget" name={`Forget ${id}`} question={`Forget the alert ${id}?`} deed={forget}>
          <p>Nothing comes on <code>{stream}</code> any more. What came stays there.</p>
        </Confirmed>
      </td>
    </tr>
  );
}
