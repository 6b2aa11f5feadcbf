// One user: what is decided of them and what they have said here; and everybody who may not write, or not read.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Sanction } from "@touchline/client";

import { MAX_USER } from "../shared/generated.ts";
import { spelled } from "../shared/names.ts";
import { fullTime } from "../shared/times.ts";
import type { Desk, Theirs } from "./desk.ts";
import { forSpan, MessageRow, step } from "./row.tsx";
import { many, t } from "../shared/tongue.ts";

export function People({ desk }: { desk: Desk }) {
  const typed = useSignal(desk.theirs.value?.user ?? "");
  const theirs = desk.theirs.value;
  useEffect(() => desk.theirs.subscribe((now) => { if (now) typed.value = now.user; }), [desk]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed.value.trim()) void desk.show(typed.value.trim());
  };
  return (
    <section class="pane pane-people" aria-labelledby="people-title">
      <header class="pane-head"><h2 id="people-title">{t("Users")}</h2></header>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Users")}>
        <form class="row" role="search" onSubmit={submit}>
          <label class="sr-only" for="person">{t("A user’s name")}</label>
          <input class="field" id="person" maxLength={MAX_USER} placeholder={t("A user’s name")} autocomplete="off" spellcheck={false} value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
          <button class="button plain" type="submit" disabled={!typed.value.trim()}>{t("Show")}</button>
        </form>
        {theirs && <Person desk={desk} theirs={theirs} />}
        <Sanctioned desk={desk} />
      </div>
    </section>
  );
}

function Person({ desk, theirs }: { desk: Desk; theirs: Theirs }) {
  const current = useSignal("");
  const { user, messages, next, total } = theirs;
  const one = desk.sanctions.value.get(user);
  const ids = messages.map(({ id }) => id);
  const go = (id: string) => {
    current.value = id;
    document.querySelector<HTMLElement>(`.person [data-id="${CSS.escape(id)}"]`)?.focus();
  };
  const left = messages.filter(({ retracted, id }) => !retracted && !desk.going.value.has(id));
  return (
    <section class="card person" aria-label={user}>
      <h3><bdi>{user}</bdi></h3>
      <p class="quiet">{stateOf(one)}</p>
      <p class="row">
        {one?.muted ? <button type="button" class="button plain" data-do="unmute" onClick={() => desk.sanction("unmute", [user])}>{t("Let write again")}</button> : <button type="button" class="button plain" data-do="mute" onClick={() => desk.sanction("mute", [user])}>{t("Mute {span}", { span: forSpan(desk) })}</button>}
        {one?.banned ? <button type="button" class="button plain" data-do="unban" onClick={() => desk.sanction("unban", [user])}>{t("Let read again")}</button> : <button type="button" class="button plain" data-do="ban" onClick={() => desk.sanction("ban", [user])}>{t("Ban {span}", { span: forSpan(desk) })}</button>}
        {left.length > 0 && <button type="button" class="button plain" data-do="all" onClick={() => desk.retract(left)}>{t("Take these {n} back", { n: left.length })}</button>}
      </p>
      {desk.theirsProblem.value && <p class="notice" role="alert">{desk.theirsProblem.value} <button type="button" class="button plain" onClick={() => void desk.show(user)}>{t("Try again")}</button></p>}
      <p class="quiet" role="status">{messages.length > 0 ? many(total, "{n} message found, the newest first", "{n} messages found, the newest first") : t("Nothing of theirs is found here yet.")}</p>
      <div onKeyDown={(event) => step(event, ids, current.value, go)}>
        {messages.map((message) => <MessageRow key={message.id} desk={desk} message={message} current={current.value === message.id} onCurrent={() => (current.value = message.id)} />)}
      </div>
      {next && <button type="button" class="button plain more" onClick={() => void desk.show(user, next)}>{t("Older messages")}</button>}
    </section>
  );
}

function Sanctioned({ desk }: { desk: Desk }) {
  const all = [...desk.sanctions.value.values()];
  return (
    <section class="card" aria-labelledby="sanctioned-title">
      <h3 id="sanctioned-title">{t("Muted and banned")}</h3>
      {all.length === 0 && <p class="quiet">{t("Nobody is.")}</p>}
      <ul class="sanctioned">
        {all.map((one) => (
          <li key={one.user}>
            <button type="button" class="name" onClick={() => void desk.show(one.user)}><bdi>{spelled(one.user).text}</bdi></button>
            <span class="quiet">{stateOf(one)}</span>
            <button type="button" class="button plain" aria-label={`${one.banned ? t("Let read again") : t("Let write again")}: ${one.user}`} onClick={() => desk.sanction(one.banned ? "unban" : "unmute", [one.user])}>{t("End")}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function stateOf(one: Sanction | undefined): string {
  if (!one || !(one.muted || one.banned)) return t("May read and write.");
  const until = one.banned ? one.banned_until : one.muted_until;
  const by = one.by ? t(", by {who}", { who: one.by }) : "";
  const given = { until: until ? t("until {time}", { time: fullTime(until) }) : t("without an end"), by };
  return one.banned ? t("Banned {until}{by}.", given) : t("Muted {until}{by}.", given);
}
