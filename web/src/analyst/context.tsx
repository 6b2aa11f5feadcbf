// A hit where it was said: what came before it and after it, as far as one wants to read. Who may not read that stream is told so.

import { useSignal } from "@preact/signals";
import type { StreamEvent } from "@touchline/client";
import { useEffect } from "preact/hooks";

import { ask, linkTo } from "../shared/config.ts";
import { textOf, whenOf } from "./columns.ts";
import type { Model } from "./model.ts";
import { t } from "../shared/tongue.ts";

const AROUND = 7;
const STEP = 10;

interface Around {
  readonly events: readonly StreamEvent[];
  readonly more_before?: boolean;
  readonly more_after?: boolean;
  readonly more?: boolean;
}

export function Context({ model, stream, seq }: { model: Model; stream: string; seq: number }) {
  const page = useSignal<Around | null>(null);
  const problem = useSignal("");
  const raw = useSignal(false);
  const path = `/v1/streams/${stream.replace(":", "/")}/events`;
  const trying = async (work: () => Promise<void>) => {
    try {
      await work();
      problem.value = "";
    } catch (error) {
      problem.value = error instanceof Error ? error.message : t("What is around it could not be loaded.");
    }
  };
  useEffect(() => void trying(async () => { page.value = await ask<Around>(`${path}?around=${seq}&limit=${AROUND}`); }), []);
  const before = () => trying(async () => {
    const { value: now } = page;
    const older = await ask<Around>(`${path}?before=${now?.events[0]?.seq ?? seq}&limit=${STEP}`);
    page.value = { ...now, events: [...older.events, ...(now?.events ?? [])], more_before: older.more === true };
  });
  const after = () => trying(async () => {
    const { value: now } = page;
    const newer = await ask<Around>(`${path}?after=${now?.events.at(-1)?.seq ?? seq}&limit=${STEP}`);
    page.value = { ...now, events: [...(now?.events ?? []), ...newer.events], more_after: newer.more === true };
  });
  const { value: now } = page;
  const own = now?.events.find((event) => event.seq === seq);
  return (
    <div class="context" role="group" aria-label={t("What was said around it in {stream}", { stream })} aria-busy={!now && !problem.value}>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
      {!now && !problem.value && <p class="quiet">{t("Looking what is around it…")}</p>}
      {now && (
        <>
          {now.more_before && <button type="button" class="quiet-button" onClick={() => void before()}>{t("Earlier")}</button>}
          <ol>
            {now.events.map((event) => {
              const { short, full } = whenOf(event.server_ts, model.zone);
              return (
                <li key={event.seq} class={event.seq === seq ? "own" : ""} {...(event.seq === seq ? { "aria-current": "true" as const } : {})}>
                  <time dateTime={event.server_ts} title={full}>{short}</time> <bdi class="said-by">{event.sender ?? event.type}</bdi> <span dir="auto">{event.retracted ? <em>{t("It was taken back.")}</em> : textOf(event.data)}</span>
                </li>
              );
            })}
          </ol>
          {now.more_after && <button type="button" class="quiet-button" onClick={() => void after()}>{t("Later")}</button>}
          <p class="context-foot">
            {stream.startsWith("chat:") && <a href={`/${linkTo(stream, seq)}`}>{t("Open it in the chat")}</a>}
            <button type="button" class="quiet-button" aria-expanded={raw.value} onClick={() => (raw.value = !raw.value)}>{t("The event")}</button>
          </p>
          {raw.value && own && <pre class="raw" tabIndex={0} role="region" aria-label={t("The event as JSON")}>{JSON.stringify(own, null, 2)}</pre>}
        </>
      )}
    </div>
  );
}
