// Refused records: how many for which reason, the newest of them, and posting them again.

import { signal, useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { clockTime, fullTime } from "../shared/times.ts";
import { many, number, t } from "../shared/tongue.ts";
import { Confirmed, post, sentence } from "./actions.tsx";
import { Asked, Card, type Shown, Table, Value } from "./card.tsx";

interface Refusal {
  readonly place: string;
  readonly reason: string;
  readonly message: string;
  readonly channel: string;
  readonly sender: string | null;
  readonly posted_at: string;
  readonly retried_at: string | null;
  readonly payload?: Shown;
  readonly bytes: number;
  readonly retry: boolean;
}

interface Answer {
  readonly reasons: Readonly<Record<string, number>>;
  readonly rejections: readonly Refusal[];
}

const SHOWN = 50;
/** A flood of refusals is looked at no more often. */
const EVERY_MS = 5000;
const latest = signal<Answer | null>(null);
const problem = signal("");

/** `count` is the workers' own: the list is fetched anew when it has grown, and not every second. */
export function Refusals({ count }: { count: number }) {
  const reason = useSignal("");
  const look = async () => {
    try {
      const only = reason.value ? `&reason=${encodeURIComponent(reason.value)}` : "";
      latest.value = await ask<Answer>(`/v1/rejections?limit=${SHOWN}${only}`);
      problem.value = "";
    } catch (error) {
      problem.value = sentence(error);
    }
  };
  const lookedAt = useRef(-EVERY_MS);
  useEffect(() => {
    const wait = Math.max(0, lookedAt.current + EVERY_MS - performance.now());
    const timer = setTimeout(() => {
      lookedAt.current = performance.now();
      void look();
    }, wait);
    return () => clearTimeout(timer);
  }, [count]);
  const now = latest.value;
  return (
    <Card title={t("Refused records")} class="wide" onLook={() => void look()}>
      <Asked problem={problem.value} waits={!now} />
      {now && now.rejections.length === 0 && <p class="quiet">{reason.value ? t("None for this reason any more.") : t("Nothing was refused.")}</p>}
      {now && (
        <ul class="reasons" aria-label={t("Reasons")}>
          {Object.entries(now.reasons).map(([name, count]) => (
            <li key={name}><button type="button" aria-pressed={reason.value === name} onClick={() => { reason.value = reason.value === name ? "" : name; void look(); }}>{name} <span>{number(count)}</span></button></li>
          ))}
        </ul>
      )}
      {now && now.rejections.length > 0 && <List refusals={now.rejections} onDone={look} />}
    </Card>
  );
}

function List({ refusals, onDone }: { refusals: readonly Refusal[]; onDone: () => Promise<void> }) {
  const again = async (chosen: readonly Refusal[]) => {
    const { posted } = await post<{ posted: number }>("/v1/rejections/retry", { places: chosen.map(({ place }) => place) });
    void onDone();
    return many(posted, "{n} record posted again.", "{n} records posted again.");
  };
  const all = refusals.filter(({ retry }) => retry);
  return (
    <>
      <Table label={t("Refused records")} head={[t("Posted"), t("Channel"), t("By"), t("Why"), ""]}>
        {refusals.map((one) => <Row key={one.place} refusal={one} again={again} />)}
      </Table>
      {all.length > 1 && (
        <p class="below">
          <Confirmed label={t("Retry these {n}", { n: all.length })} question={t("Post {n} records again?", { n: all.length })} deed={() => again(all)}>
            <Anew />
          </Confirmed>
        </p>
      )}
    </>
  );
}

function Anew() {
  return <p>{t("What is posted again goes back unchanged to where it came from, and is judged anew: it is refused again unless the cause is gone.")}</p>;
}

function Row({ refusal, again }: { refusal: Refusal; again: (chosen: readonly Refusal[]) => Promise<string> }) {
  const { place, reason, message, channel, sender, posted_at: posted, retried_at: retried, retry, bytes } = refusal;
  const open = useSignal(false);
  const payload = useSignal<Shown | null>(null);
  const problem = useSignal("");
  const id = useId();
  const show = async () => {
    open.value = !open.value;
    if (!open.value || payload.value) return;
    try {
      const { rejections } = await ask<Answer>(`/v1/rejections?place=${encodeURIComponent(place)}`);
      payload.value = rejections[0]?.payload ?? null;
      problem.value = "";
    } catch (error) {
      problem.value = sentence(error);
    }
  };
  return (
    <>
      <tr>
        <td><time dateTime={posted} title={fullTime(posted)}>{clockTime(posted)}</time></td>
        <td><bdi>{channel}</bdi></td>
        <td><bdi>{sender ?? "–"}</bdi></td>
        <td>
          <strong>{reason}</strong> {message}
          {retried && <span class="tag" title={fullTime(retried)}>{t("posted again {time}", { time: clockTime(retried) })}</span>}
          {!retry && !retried && <span class="quiet-note">{t("Posting it again would not help.")}</span>}
        </td>
        <td class="deed">
          <button type="button" class="button plain small" aria-expanded={open.value} aria-controls={id} aria-label={open.value ? t("Hide {place}", { place }) : t("Show {place}", { place })} onClick={() => void show()}>{open.value ? t("Hide") : t("Show")}</button>{" "}
          {retry && (
            <Confirmed label={t("Retry")} name={t("Retry {what}", { what: place })} question={t("Post this record again?")} deed={() => again([refusal])}>
              <p><code>{place}</code></p>
              <Anew />
            </Confirmed>
          )}
        </td>
      </tr>
      <tr id={id} class="payload" hidden={!open.value}>
        <td colSpan={5}>
          <p class="quiet">{place} · {many(bytes, "{n} byte", "{n} bytes")}{payload.value?.schema ? ` · ${payload.value.schema}` : ""}</p>
          <Asked problem={problem.value} waits={open.value && !payload.value} />
          {payload.value && <Value shown={payload.value} />}
        </td>
      </tr>
    </>
  );
}
