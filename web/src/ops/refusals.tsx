// Refused records: how many for which reason, the newest of them, and posting them again.

import { signal, useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { clockTime, fullTime, plural } from "../shared/words.ts";
import { Confirmed, post, sentence } from "./actions.tsx";
import { type Shown, Value } from "./records.tsx";

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
    <section class="card-table wide" aria-labelledby="refusals">
      <div class="card-head">
        <h2 id="refusals">Refused records</h2>
        <button type="button" class="button plain small" onClick={() => void look()}>Look again</button>
      </div>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
      {!now && !problem.value && <p class="quiet" aria-busy="true">Looking…</p>}
      {now && now.rejections.length === 0 && <p class="quiet">{reason.value ? "None for this reason any more." : "Nothing was refused."}</p>}
      {now && (
        <ul class="reasons" aria-label="Reasons">
          {Object.entries(now.reasons).map(([name, number]) => (
            <li key={name}><button type="button" aria-pressed={reason.value === name} onClick={() => { reason.value = reason.value === name ? "" : name; void look(); }}>{name} <span>{number.toLocaleString("en")}</span></button></li>
          ))}
        </ul>
      )}
      {now && now.rejections.length > 0 && <List refusals={now.rejections} onDone={look} />}
    </section>
  );
}

function List({ refusals, onDone }: { refusals: readonly Refusal[]; onDone: () => Promise<void> }) {
  const again = async (chosen: readonly Refusal[]) => {
    const { posted } = await post<{ posted: number }>("/v1/rejections/retry", { places: chosen.map(({ place }) => place) });
    void onDone();
    return `${plural(posted, "record")} posted again.`;
  };
  const all = refusals.filter(({ retry }) => retry);
  return (
    <>
      <div class="scroller" tabIndex={0} role="region" aria-label="Refused records">
        <table>
          <thead><tr><th scope="col">Posted</th><th scope="col">Channel</th><th scope="col">By</th><th scope="col">Why</th><th scope="col"><span class="sr-only">What to do</span></th></tr></thead>
          <tbody>
            {refusals.map((one) => <Row key={one.place} refusal={one} again={again} />)}
          </tbody>
        </table>
      </div>
      {all.length > 1 && (
        <p class="below">
          <Confirmed label={`Retry these ${all.length}`} question={`Post ${plural(all.length, "record")} again?`} deed={() => again(all)}>
            <p>They go back unchanged to where they came from, and are judged anew: they are refused again unless the cause is gone.</p>
          </Confirmed>
        </p>
      )}
    </>
  );
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
          {retried && <span class="tag" title={fullTime(retried)}>posted again {clockTime(retried)}</span>}
          {!retry && !retried && <span class="quiet-note">Posting it again would not help.</span>}
        </td>
        <td class="deed">
          <button type="button" class="button plain small" aria-expanded={open.value} aria-controls={id} aria-label={`${open.value ? "Hide" : "Show"} ${place}`} onClick={() => void show()}>{open.value ? "Hide" : "Show"}</button>{" "}
          {retry && (
            <Confirmed label="Retry" name={`Retry ${place}`} question="Post this record again?" deed={() => again([refusal])}>
              <p>It goes back unchanged to where it came from, <code>{place}</code>, and is judged anew: it is refused again unless the cause is gone.</p>
            </Confirmed>
          )}
        </td>
      </tr>
      <tr id={id} class="payload" hidden={!open.value}>
        <td colSpan={5}>
          <p class="quiet">{place} · {plural(bytes, "byte")}{payload.value?.schema ? ` · ${payload.value.schema}` : ""}</p>
          {problem.value && <p class="notice" role="alert">{problem.value}</p>}
          {open.value && !payload.value && !problem.value && <p class="quiet" aria-busy="true">Looking…</p>}
          {payload.value && <Value shown={payload.value} />}
        </td>
      </tr>
    </>
  );
}
