// Applause below the chat and flying over it, reactions on messages, and polls.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { clockTime } from "../shared/times.ts";
import { EMOJI, TO_MESSAGES } from "./cheering.ts";
import type { Line } from "../shared/chatlog.ts";
import { MAX_OPTION, MAX_QUESTION } from "../shared/generated.ts";
import type { Room } from "./room.ts";
import { many, t } from "../shared/tongue.ts";

const MOST_OPTIONS = 6;
const TIMES = [["", "until I close it"], ["1m", "for a minute"], ["5m", "for five minutes"], ["1h", "for an hour"]] as const;

/** What one claps with, how often everybody has, and what of it is in the air. */
export function Applause({ room: { cheering } }: { room: Room }) {
  const totals = cheering.applause.value;
  const others = Object.keys(totals).filter((emoji) => !EMOJI.some((one) => one === emoji));
  return (
    <div class="applause" role="group" aria-label={t("Applause")}>
      <div class="flying" aria-hidden="true">
        {cheering.flying.value.map(({ key, emoji, left, sway }) => <span key={key} style={{ left: `${left}%`, "--sway": `${sway}px` }}>{emoji}</span>)}
      </div>
      {[...EMOJI, ...others.slice(0, 4)].map((emoji) => (
        <button key={emoji} type="button" data-applaud={emoji} aria-label={many(totals[emoji] ?? 0, "Applaud with {emoji}: {n} time so far", "Applaud with {emoji}: {n} times so far", { emoji })} onClick={() => void cheering.applaud(emoji)}>
          <span aria-hidden="true">{emoji}</span> <span class="count" aria-hidden="true">{short(totals[emoji] ?? 0)}</span>
        </button>
      ))}
      {cheering.problem.value && <p class="problem" role="alert">{cheering.problem.value}</p>}
    </div>
  );
}

/** What the chat is about, where its channel counts. */
export function About({ room }: { room: Room }) {
  const now = room.cheering.counted.value;
  if (!now) return null;
  const { perMinute, words, senders } = now;
  return (
    <span class="pane-note about-now">
      {many(Math.round(perMinute), "{n} message a minute", "{n} messages a minute")}{words.length > 0 && <> {t("· about")} <bdi>{words.join(", ")}</bdi></>}{senders.length > 0 && <> {t("· mostly by")} <bdi>{senders.join(", ")}</bdi></>}
    </span>
  );
}

/** Reactions to a message. */
export function Reactions({ room, line }: { room: Room; line: Line }) {
  const { cheering } = room;
  const adding = useSignal(false);
  if (line.seq === 0 || line.retracted || line.gap || line.system) return null;
  const totals = cheering.reactions.value.get(line.id) ?? {};
  const mine = cheering.mine.value.get(line.id);
  const there = Object.entries(totals).filter(([, count]) => count > 0);
  const choose = (emoji: string) => {
    adding.value = false;
    void cheering.toggle(line.id, emoji);
  };
  return (
    <div class="reactions">
      {there.map(([emoji, count]) => (
        <button key={emoji} type="button" class="reaction" data-reaction={emoji} aria-pressed={mine?.has(emoji) === true} aria-label={`${emoji}: ${count}`} onClick={() => choose(emoji)}>
          <span aria-hidden="true">{emoji} {short(count)}</span>
        </button>
      ))}
      <button type="button" class="react" aria-expanded={adding.value} aria-label={t("React to this message of {n}", { n: line.name || t("somebody") })}
        onClick={() => { adding.value = !adding.value; cheering.look(line.id); }}>☺</button>
      {adding.value && TO_MESSAGES.map((emoji) => <button key={emoji} type="button" class="reaction" data-react={emoji} aria-label={t("React with {emoji}", { emoji })} onClick={() => choose(emoji)}>{emoji}</button>)}
    </div>
  );
}

/** A poll among the messages. */
export function PollView({ room, line }: { room: Room; line: Line }) {
  const { cheering } = room;
  const { poll } = line;
  useEffect(() => cheering.lookAtPoll(line.id), [line.id]);
  if (!poll) return null;
  const known = cheering.polls.value.get(line.id);
  const counts = known?.counts ?? [];
  const all = Math.max(1, counts.reduce((sum, count) => sum + count, 0));
  const open = known?.open ?? true;
  const mine = cheering.voted.value.get(line.id);
  const leads = room.user === "" || line.sender === room.user || room.people.leads;
  return (
    <fieldset class="poll" data-open={open}>
      <legend dir="auto">{poll.question}</legend>
      {poll.options.map((option, number) => (
        <button key={number} type="button" class="option" disabled={!open} aria-pressed={mine === number} data-option={number} onClick={() => void cheering.vote(line.id, number)}>
          <span class="share" style={{ width: `${(100 * (counts[number] ?? 0)) / all}%` }} aria-hidden="true" />
          <bdi>{option}</bdi> <span class="count">{short(counts[number] ?? 0)}</span>
        </button>
      ))}
      <p class="poll-note">
        {many(known?.voters ?? 0, "{n} vote", "{n} votes")}{open ? (poll.closesAt ? t(" · open until {time}", { time: clockTime(poll.closesAt) }) : "") : t(" · closed")}
        {open && leads && <button type="button" data-do="close-poll" onClick={() => void cheering.closePoll(line.id)}>{t("Close it")}</button>}
      </p>
    </fieldset>
  );
}

/** Where a poll is made: opened by a button of the composer. */
export function PollForm({ room, onDone }: { room: Room; onDone: () => void }) {
  const question = useSignal("");
  const options = useSignal<readonly string[]>(["", ""]);
  const time = useSignal("");
  const problem = useSignal("");
  const given = options.value.map((option) => option.trim()).filter(Boolean);
  const write = (number: number, text: string) => {
    const now = options.value.map((option, at) => (at === number ? text : option));
    options.value = now.every(Boolean) && now.length < MOST_OPTIONS ? [...now, ""] : now;
  };
  const send = (event: Event) => {
    event.preventDefault();
    room.cheering.ask(question.value.trim(), given, time.value || undefined).then(onDone, (error: unknown) => (problem.value = error instanceof Error ? error.message : t("It could not be asked.")));
  };
  return (
    <form class="poll-form" onSubmit={send}>
      <input class="field" id="poll-question" aria-label={t("Question")} placeholder={t("Ask everybody")} maxLength={MAX_QUESTION} value={question.value} onInput={(event) => (question.value = event.currentTarget.value)} />
      {options.value.map((option, number) => (
        <input key={number} class="field poll-option" aria-label={t("Option {n}", { n: number + 1 })} placeholder={t("Option {n}", { n: number + 1 })} maxLength={MAX_OPTION} value={option} onInput={(event) => write(number, event.currentTarget.value)} />
      ))}
      <label>{t("Open")} <select value={time.value} onChange={(event) => (time.value = event.currentTarget.value)}>{TIMES.map(([span, says]) => <option key={span} value={span}>{t(says)}</option>)}</select></label>
      <button type="submit" class="button" disabled={question.value.trim() === "" || given.length < 2}>{t("Ask")}</button>
      <button type="button" onClick={onDone}>{t("Do not")}</button>
      {problem.value && <p class="problem" role="alert">{problem.value}</p>}
    </form>
  );
}

const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 1,234 as 1.2K: what changes twice a second is read at a glance. */
function short(count: number): string {
  return count < 10_000 ? count.toLocaleString("en") : SHORT.format(count);
}
