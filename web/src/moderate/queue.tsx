// The queue: messages that were reported and wait for somebody to look, the latest reports first.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { clockTime, fullTime } from "../shared/times.ts";
import type { Case } from "./cases.ts";
import type { Desk } from "./desk.ts";
import { MessageRow, step } from "./row.tsx";
import { many, t } from "../shared/tongue.ts";

const REASONS = 5;

export function Queue({ desk }: { desk: Desk }) {
  const current = useSignal("");
  const list = useRef<HTMLOListElement>(null);
  const cases = desk.cases.value;
  const ids = cases.map(({ message }) => message.id);
  const go = (id: string) => {
    current.value = id;
    list.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)?.focus();
  };
  /** The next one has the focus when this one is gone. */
  const done = ({ message: { id } }: Case) => {
    const at = ids.indexOf(id);
    const next = ids[at + 1] ?? ids[at - 1];
    const focused = list.current?.contains(document.activeElement);
    desk.settle([id]);
    if (focused) requestAnimationFrame(() => (next ? go(next) : list.current?.focus()));
  };
  return (
    <section class="pane pane-queue" aria-labelledby="queue-title">
      <header class="pane-head"><h2 id="queue-title">{t("Reported")}</h2><span class="quiet">{desk.reports.value === null ? "" : cases.length === 0 ? t("Nothing waits") : many(cases.length, "{n} message waits", "{n} messages wait") + `${desk.moreReports.value ? t(", and more") : ""}`}</span></header>
      <ol class="scroll cases" ref={list} tabIndex={0} aria-label={t("Reported messages")} onKeyDown={(event) => step(event, ids, current.value, go)}>
        {cases.map((one) => (
          <li key={one.message.id}>
            <MessageRow desk={desk} message={one.message} current={current.value === one.message.id} onCurrent={() => (current.value = one.message.id)} onDone={() => done(one)}>
              <ul class="reasons">
                {one.reports.slice(0, REASONS).map(({ report, user, reason, at }) => (
                  <li key={report}><bdi>{user}</bdi>: <span dir="auto">{reason}</span> <time dateTime={at} title={fullTime(at)}>{clockTime(at)}</time></li>
                ))}
                {one.reports.length > REASONS && <li>{many(one.reports.length - REASONS, "and {n} more report", "and {n} more reports")}</li>}
              </ul>
            </MessageRow>
          </li>
        ))}
        {desk.moreReports.value && <li><button type="button" class="button plain more" onClick={() => desk.moreOfQueue()}>{t("Older reports")}</button></li>}
      </ol>
      {desk.reports.value !== null && cases.length === 0 && <p class="empty over"><strong>{t("Nothing is reported")}</strong>{t("What viewers report is here within seconds.")}</p>}
    </section>
  );
}
