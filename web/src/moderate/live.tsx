// The chat as it is said; held still while one looks.

import { useComputed, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import type { Line } from "../shared/chatlog.ts";
import { VirtualList } from "../shared/list.tsx";
import { messageOfLine } from "./cases.ts";
import type { Desk } from "./desk.ts";
import { MessageRow, step } from "./row.tsx";
import { many, t } from "../shared/tongue.ts";

export function Live({ desk }: { desk: Desk }) {
  const current = useSignal("");
  const target = useSignal<string | null>(null);
  const toEnd = useSignal(0);
  const following = useSignal(true);
  const pane = useRef<HTMLElement>(null);
  const said = useComputed(() => desk.shown.value.filter((line) => !line.system && !line.gap && line.seq > 0));
  const lines = said.value;
  const focus = (id: string) => {
    const row = pane.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`);
    row?.focus();
    return row !== null && row !== undefined;
  };
  const go = (id: string) => {
    current.value = id;
    if (focus(id)) return;
    target.value = lines.find((line) => line.id === id)?.key ?? null;
    requestAnimationFrame(() => requestAnimationFrame(() => focus(id)));
  };
  const on = () => {
    desk.hold(false);
    target.value = null;
    toEnd.value += 1;
  };
  const held = desk.held.value !== null;
  const row = (line: Line) => (
    <MessageRow desk={desk} message={messageOfLine(line, desk.stream)} current={current.value === line.id} onCurrent={() => (current.value = line.id)}>
      {line.edited && <p class="quiet">{t("edited")}</p>}
    </MessageRow>
  );
  return (
    <section class="pane pane-live" aria-labelledby="live-title" ref={pane} onKeyDown={(event) => step(event, lines.map(({ id }) => id), current.value, go)}>
      <header class="pane-head">
        <h2 id="live-title">{t("Live chat")}</h2>
        <button type="button" class="button plain hold" aria-pressed={held} onClick={() => (held ? on() : desk.hold(true))}>{held ? t("Go on") : t("Hold still")}</button>
        {held && <span class="quiet" role="status">{desk.waiting.value > 0 ? many(desk.waiting.value, "{n} new message waits", "{n} new messages wait") : t("Held still")}</span>}
      </header>
      <div class="live-body">
        {lines.length === 0 ? (
          <p class="empty" aria-busy={!desk.loaded.value}>{desk.loaded.value ? <><strong>{t("Nobody has said anything yet")}</strong>{t("What is said is here at once.")}</> : t("Getting the last messages…")}</p>
        ) : (
          <VirtualList items={lines} label={t("Live chat")} live target={target.value} toEnd={toEnd.value} onStart={() => undefined} onEnd={() => undefined} onFollowing={(now) => (following.value = now)} row={row} />
        )}
        {(!following.value || held) && lines.length > 0 && <button type="button" class="button jump" onClick={on}>{held && desk.waiting.value > 0 ? `${many(desk.waiting.value, "{n} new message", "{n} new messages")} ↓` : t("Jump to newest ↓")}</button>}
      </div>
    </section>
  );
}
