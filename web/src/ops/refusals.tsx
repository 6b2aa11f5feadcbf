// Refused records: how many for which reason, the newest of them, and posting them again.

import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { clockTime, fullTime, plural } from "../shared/words.ts";
import { Confirmed, post, sentence } from "./actions.tsx";

interface Refusal {
  readonly place: string;
  readonly reason: string;
  readonly message: string;
  readonly channel: string;
  readonly sender: string | null;
  readonly posted_at: string;
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
            {refusals.map((one) => (
              <tr key={one.place}>
                <td><time dateTime={one.posted_at} title={fullTime(one.posted_at)}>{clockTime(one.posted_at)}</time></td>
                <td><bdi>{one.channel}</bdi></td>
                <td><bdi>{one.sender ?? "–"}</bdi></td>
                <td><strong>{one.reason}</strong> {one.message}</td>
                <td class="deed">
                  {one.retry && (
                    <Confirmed label="Retry" name={`Retry ${one.place}`} question="Post this record again?" deed={() => again([one])}>
                      <p>It goes back unchanged to where it came from, <code>{one.place}</code>, and is judged anew: it is refused again unless the cause is gone.</p>
                    </Confirmed>
                  )}
                </td>
              </tr>
            ))}
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
