// Records of a topic as they lie on the log, decoded, the newest first.

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { MAX_RECORD_KEY } from "../shared/generated.ts";
import { fullTime } from "../shared/times.ts";
import { many, number, t } from "../shared/tongue.ts";
import { sentence } from "./actions.tsx";
import { Asked, Card, type Shown, Value } from "./card.tsx";
import { linkTo, place } from "./views.ts";

interface Topic {
  readonly topic: string;
  readonly key: string;
  readonly schema: string;
}

export interface KafkaRecord extends Shown {
  readonly partition: number;
  readonly offset: number;
  readonly at: string;
  readonly key: string | null;
  readonly bytes: number;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

export interface Page {
  readonly records: readonly KafkaRecord[];
  readonly next: string | null;
}

const PREVIEW = 140;
export const topics = signal<readonly Topic[]>([]);

export async function topicNames(): Promise<readonly Topic[]> {
  if (topics.value.length === 0) topics.value = (await ask<{ topics: Topic[] }>("/v1/ops/topics")).topics;
  return topics.value;
}

export function readPage(about: Readonly<Record<string, string>>): Promise<Page> {
  const given = new URLSearchParams(Object.entries(about).filter(([, value]) => value));
  return ask<Page>(`/v1/ops/records?${given.toString()}`);
}

export function Records() {
  const { about } = place.value;
  const [topic, key, partition] = [about.get("topic") ?? "", about.get("key") ?? "", about.get("partition") ?? ""];
  const found = useSignal<Page | null>(null);
  const problem = useSignal("");
  const busy = useSignal(false);
  const asked = useRef(0);
  const look = async (before = "") => {
    const mine = ++asked.current;
    busy.value = true;
    problem.value = "";
    if (!before) found.value = null;
    try {
      const page = await readPage({ topic, key, partition, before });
      if (mine === asked.current) found.value = before && found.value ? { records: [...found.value.records, ...page.records], next: page.next } : page;
    } catch (error) {
      if (mine === asked.current) problem.value = sentence(error);
    } finally {
      if (mine === asked.current) busy.value = false;
    }
  };
  useEffect(() => {
    topicNames().catch((error: unknown) => (problem.value = sentence(error)));
    found.value = null;
    if (topic) void look();
  }, [topic, key, partition]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const of = (name: string) => String(given.get(name) ?? "").trim();
    const wanted = linkTo("records", { topic: of("topic"), key: of("key"), partition: of("partition") });
    if (wanted === location.hash) void look();
    else location.hash = wanted;
  };
  const chosen = topics.value.find((one) => one.topic === topic);
  const { value: page } = found;
  return (
    <Card title={t("Records")}>
      {/* Its fields are what the address says, whenever that changes. */}
      <form class="ask" key={`${topic} ${key} ${partition} ${topics.value.length}`} onSubmit={submit}>
        <label>{t("Topic")}
          <select class="field" name="topic" required>
            <option value="" selected={!topic}>{t("Choose one")}</option>
            {topics.value.map((one) => <option key={one.topic} value={one.topic} selected={one.topic === topic}>{one.topic}</option>)}
          </select>
        </label>
        <label>{t("Key")} <input class="field" name="key" defaultValue={key} maxLength={MAX_RECORD_KEY} placeholder={chosen ? chosen.key : t("any")} spellcheck={false} autocapitalize="off" /></label>
        <label class="few">{t("Partition")} <input class="field" name="partition" type="number" min="0" defaultValue={partition} placeholder={t("all")} /></label>
        <button class="button" type="submit">{t("Look")}</button>
      </form>
      <p class="quiet">{t("With * at its end a key is a beginning. Values are decoded, and cut at 16 kB. Each look is written to the gateway’s log.")}</p>
      <Asked problem={problem.value} waits={false} />
      <p class="quiet" role="status">{busy.value ? t("Looking…") : page ? said(page) : ""}</p>
      {page && (
        <ul class="records">
          {page.records.map((one) => <Row key={`${one.partition} ${one.offset}`} record={one} />)}
        </ul>
      )}
      {page?.next && <p class="below"><button type="button" class="button plain small" disabled={busy.value} onClick={() => void look(page.next!)}>{t("Look at earlier ones")}</button></p>}
    </Card>
  );
}

function said({ records, next }: Page): string {
  if (records.length > 0) return many(records.length, "{n} record, the newest first.", "{n} records, the newest first.");
  return next ? t("None of the newest {n} has this key.", { n: number(50_000) }) : t("There are none.");
}

function Row({ record }: { record: KafkaRecord }) {
  const { at, key, partition, offset, schema, bytes, headers } = record;
  return (
    <li>
      <details>
        <summary>
          <time dateTime={at}>{fullTime(at)}</time> <bdi class="key">{key ?? t("no key")}</bdi> <span class="where">{partition}/{offset}</span>
          <code class="preview">{preview(record)}</code>
        </summary>
        <p class="quiet">{[schema ?? t("of no schema"), many(bytes, "{n} byte", "{n} bytes"), ...headers.map(({ name, value }) => `${name}: ${value}`)].join(" · ")}</p>
        <Value shown={record} />
      </details>
    </li>
  );
}

function preview({ value, text, bytes }: KafkaRecord): string {
  const whole = text ?? (bytes === 0 ? t("no value") : JSON.stringify(value));
  return whole.length > PREVIEW ? `${whole.slice(0, PREVIEW)}…` : whole;
}
