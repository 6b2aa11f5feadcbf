// What is going to be posted, and when; now after all, or not at all.

import type { Scheduled } from "@touchline/client";
import { useSignal } from "@preact/signals";

import { clockTime, fullTime } from "../shared/times.ts";
import { sayUntil } from "./later.ts";
import type { Model } from "./model.ts";
import { wordsOf } from "./model.ts";
import { t } from "../shared/tongue.ts";

export function ScheduledPosts({ model, now }: { model: Model; now: { readonly value: number } }) {
  const posts = model.later.posts.value;
  const problem = useSignal("");
  if (posts.length === 0 && !problem.value) return null;
  const does = async (what: Promise<void>) => {
    problem.value = "";
    await what.catch((error: unknown) => (problem.value = error instanceof Error ? error.message : t("It could not be done.")));
  };
  const one = ({ id, at, type, data, by }: Scheduled) => {
    const words = wordsOf(type, data);
    return (
      <li key={id}>
        <span class="when"><time dateTime={at} title={fullTime(at)}>{clockTime(at)}</time> <small>{sayUntil(Date.parse(at), now.value)}</small></span>
        <p><bdi>{words}</bdi> {by && <small>{t("by")} <bdi>{by}</bdi></small>}</p>
        <span class="acts-row">
          <button type="button" data-now={id} aria-label={t("Post now: {words}", { words })} onClick={() => void does(model.later.put({ type, data }, Date.now(), id))}>{t("Post now")}</button>
          <button type="button" data-cancel={id} aria-label={t("Cancel: {words}", { words })} onClick={() => void does(model.later.remove(id))}>{t("Cancel")}</button>
        </span>
      </li>
    );
  };
  return (
    <section class="scheduled" aria-labelledby="scheduled-title">
      <h2 id="scheduled-title">{t("Scheduled")}</h2>
      <ol>{posts.map(one)}</ol>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
    </section>
  );
}
