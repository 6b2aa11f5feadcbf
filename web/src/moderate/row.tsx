// A message as moderators see it: who, when, what, what is known of its author; and what its keys do.

import type { ComponentChildren } from "preact";

import { Kit } from "../shared/kit.tsx";
import { spelled } from "../shared/names.ts";
import { clockTime, fullTime } from "../shared/times.ts";
import type { Message } from "./cases.ts";
import { type Desk, spanWords } from "./desk.ts";
import { t } from "../shared/tongue.ts";

interface RowProps {
  readonly desk: Desk;
  readonly message: Message;
  readonly current: boolean;
  readonly onCurrent: () => void;
  /** What stands below the text. */
  readonly children?: ComponentChildren;
  /** Closes the case; where there is one. */
  readonly onDone?: (() => void) | undefined;
}

export function MessageRow({ desk, message, current, onCurrent, children, onDone }: RowProps) {
  const chosen = desk.chosen.value.has(message.id);
  const going = desk.going.value.has(message.id);
  const { sender, name, retracted } = message;
  const pinned = desk.pinned.shown.value?.id === message.id;
  return (
    <article class={`message${chosen ? " chosen" : ""}${current ? " current" : ""}${going ? " going" : ""}`} data-id={message.id} tabIndex={current ? 0 : -1}
      aria-label={`${name}: ${retracted ? t("taken back") : message.text.slice(0, 200)}`} onFocus={onCurrent} onKeyDown={(event) => keys(event, desk, message, onDone)} onClick={onCurrent}>
      <input type="checkbox" aria-label={t("Choose the message of {name}", { name })} checked={chosen} disabled={retracted} onChange={(event) => desk.choose(message, event.currentTarget.checked)} />
      <div class="message-main">
        <p class="message-head">
          <Kit name={name} />
          {sender ? <button type="button" class="name" data-do="person" onClick={() => void desk.show(sender)}><bdi>{spelled(name).text}</bdi></button> : <bdi class="name">{spelled(name).text}</bdi>}
          <Marks desk={desk} user={sender} />
          {pinned && <span class="mark">{t("pinned")}</span>}
          <time dateTime={message.at} title={fullTime(message.at)}>{clockTime(message.at)}</time>
        </p>
        <p class={retracted ? "message-text gone" : "message-text"} dir="auto">{retracted ? t("Taken back") : message.text}{going && <small> {t("(is being taken back)")}</small>}</p>
        {children}
        <p class="acts">
          {!retracted && !going && <button type="button" data-do="retract" onClick={() => desk.retract([message])}>{t("Take back")}</button>}
          {!retracted && !going && <button type="button" data-do="pin" aria-pressed={pinned} onClick={() => desk.pin(message.id, !pinned)}>{pinned ? t("Unpin") : t("Pin")}</button>}
          {sender && <button type="button" data-do="mute" onClick={() => desk.sanction("mute", [sender])}>{t("Mute")}</button>}
          {sender && <button type="button" data-do="ban" onClick={() => desk.sanction("ban", [sender])}>{t("Ban")}</button>}
          {onDone && <button type="button" data-do="done" onClick={onDone}>{t("Leave it")}</button>}
        </p>
      </div>
    </article>
  );
}

/** Whether somebody may not write, or not read. */
export function Marks({ desk, user }: { desk: Desk; user: string }) {
  const one = desk.sanctions.value.get(user);
  if (!one) return null;
  return (
    <>
      {one.banned && <span class="mark bad" title={one.banned_until && t("until {time}", { time: fullTime(one.banned_until) })}>{t("banned")}</span>}
      {one.muted && !one.banned && <span class="mark" title={one.muted_until && t("until {time}", { time: fullTime(one.muted_until) })}>{t("muted")}</span>}
    </>
  );
}

/** One letter each, where a message has the focus, and nowhere else. */
function keys(event: KeyboardEvent, desk: Desk, message: Message, onDone?: () => void): void {
  const plain = !event.metaKey && !event.ctrlKey && !event.altKey;
  if (!plain || event.target !== event.currentTarget) return;
  const does: Readonly<Record<string, () => void>> = {
    x: () => desk.choose(message),
    r: () => desk.retract([message]),
    m: () => desk.sanction("mute", [message.sender]),
    b: () => desk.sanction("ban", [message.sender]),
    p: () => message.sender && void desk.show(message.sender),
    u: () => void desk.deeds.undo(),
    h: () => desk.hold(),
    ...(message.retracted ? {} : { i: () => desk.pin(message.id, desk.pinned.shown.value?.id !== message.id) }),
    ...(onDone ? { d: onDone } : {}),
  };
  const act = does[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

/** Up and down through the messages of a list. */
export function step(event: KeyboardEvent, ids: readonly string[], current: string, go: (id: string) => void): void {
  const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  const from = event.target instanceof HTMLElement ? event.target : null;
  if (by === undefined || event.metaKey || event.ctrlKey || event.altKey || from?.matches("input, textarea, select, button")) return;
  const at = ids.indexOf(current);
  const next = ids[at < 0 ? ids.length - 1 : Math.min(ids.length - 1, Math.max(0, at + by))];
  if (next === undefined) return;
  event.preventDefault();
  go(next);
}

/** For how long is muted and banned, wherever one does. */
export function forSpan(desk: Desk): string {
  return desk.span.value ? t("for {span}", { span: spanWords(desk.span.value) }) : t("without an end");
}
