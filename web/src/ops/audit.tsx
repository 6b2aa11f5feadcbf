// Who has changed what: the commands as they lie on the log. And the alerts that people have saved.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { fullTime } from "../shared/times.ts";
import { t } from "../shared/tongue.ts";
import { Confirmed, sentence } from "./actions.tsx";
import { Asked, Card, Table, woven } from "./card.tsx";
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
    <Card title={t("Commands")} class="audit" onLook={() => { sources.value = null; void look(); }}>
      <p class="quiet">{woven(t("What was asked of the workers: settings, sanctions, rooms, alerts’ readers, revocations. They lie on the log for 30 days. {link} stands beside them, by channel."), { link: <a href={linkTo("records", { topic: broadcasts, key: MODERATION })}>{t("What moderators did")}</a> })}</p>
      <Asked problem={problem.value} waits={!sources.value} />
      {sources.value && rows.length === 0 && <p class="quiet">{t("Nobody has asked for anything.")}</p>}
      {rows.length > 0 && (
        <Table label={t("Commands")} tall head={[t("When"), t("Who"), t("What"), t("About"), t("With")]}>
          {rows.map((one) => <CommandRow key={`${one.at} ${one.partition} ${one.offset}`} record={one} />)}
        </Table>
      )}
      {more && <p class="below"><button type="button" class="button plain small" onClick={() => void look()}>{t("Look at earlier ones")}</button></p>}
    </Card>
  );
}

function CommandRow({ record }: { record: KafkaRecord }) {
  const { command, actor, arguments: given } = (record.value ?? {}) as Command;
  return (
    <tr>
      <td><time dateTime={record.at}>{fullTime(record.at)}</time></td>
      <td><bdi>{actor ?? "–"}</bdi></td>
      <td>{command ?? (record.bytes === 0 ? t("taken away") : (record.text ?? t("not to be read")))}</td>
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
    <Card title={t("Alerts")} class="audit" onLook={() => void look()}>
      <p class="quiet">{t("Searches that people have saved: each new event that matches comes on the alert’s stream. One that takes too much of the indexer rests for a while.")}</p>
      <Asked problem={problem.value} waits={!alerts.value} />
      {alerts.value?.length === 0 && <p class="quiet">{t("There are none.")}</p>}
      {alerts.value && alerts.value.length > 0 && (
        <Table label={t("Alerts")} tall head={[t("Alert"), t("Looks for"), t("State"), ""]}>
          {alerts.value.map((one) => <AlertRow key={one.id} alert={one} onDone={look} />)}
        </Table>
      )}
    </Card>
  );
}

function AlertRow({ alert: { id, stream, suspended, ...search }, onDone }: { alert: Alert; onDone: () => Promise<void> }) {
  const forget = async () => {
    await ask(`/v1/alerts/${encodeURIComponent(id)}`, { method: "DELETE" });
    void onDone();
    return t("It is forgotten.");
  };
  return (
    <tr>
      <td><bdi>{id}</bdi></td>
      <td>{Object.entries(search).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : String(value)}`).join(" · ")}</td>
      <td class={suspended ? "bad" : undefined}>{suspended ? t("rests until {time}", { time: fullTime(suspended.until ?? "") }) : t("asked")}</td>
      <td>
        <Confirmed label={t("Forget")} name={t("Forget {id}", { id })} question={t("Forget the alert {id}?", { id })} deed={forget}>
          <p>{woven(t("Nothing comes on {stream} any more. What came stays there."), { stream: <code>{stream}</code> })}</p>
        </Confirmed>
      </td>
    </tr>
  );
}
