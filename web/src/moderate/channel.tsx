// What is set for the chat: slow mode, and words that are not let in, which can be tried out before.

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";

import type { ChatSettings, Desk } from "./desk.ts";
import { sentence } from "./deeds.ts";
import { many, t } from "../shared/tongue.ts";

const SLOW: readonly (readonly [number, string])[] = [[0, "off"], [3, "3 s"], [5, "5 s"], [10, "10 s"], [30, "30 s"], [60, "a minute"], [300, "5 minutes"]];
const TRY_MS = 300;
/** Texts of the live chat that a draft is tried on. */
const SAMPLE = 150;
const SHOWN = 5;

export function ChannelPane({ desk }: { desk: Desk }) {
  const settings = desk.settings.value;
  return (
    <section class="pane pane-channel" aria-labelledby="channel-title">
      <header class="pane-head"><h2 id="channel-title">{t("Channel")}</h2></header>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("What is set for the chat")}>
        {settings ? <><SlowMode desk={desk} settings={settings} /><Words desk={desk} settings={settings} /></> : <p class="empty"><strong>{t("Set by who administers the channel")}</strong>{t("You moderate it: messages and users are yours.")}</p>}
      </div>
    </section>
  );
}

function SlowMode({ desk, settings }: { desk: Desk; settings: ChatSettings }) {
  const slow = settings.slow_s ?? 0;
  const known = SLOW.some(([seconds]) => seconds === slow);
  const set = (seconds: number) => desk.set(seconds ? t("Slow mode: a message every {seconds} s", { seconds }) : t("Slow mode is off"), { slow_s: seconds || null });
  return (
    <section class="card" aria-labelledby="slow-title">
      <h3 id="slow-title">{t("Slow mode")}</h3>
      <p class="quiet">{t("How long somebody waits before they write again.")}</p>
      <div class="choices" role="group" aria-labelledby="slow-title">
        {SLOW.map(([seconds, label]) => <button key={seconds} type="button" data-slow={seconds} aria-pressed={slow === seconds} onClick={() => set(seconds)}>{t(label)}</button>)}
        {!known && <button type="button" aria-pressed={true}>{slow} s</button>}
      </div>
    </section>
  );
}

function Words({ desk, settings }: { desk: Desk; settings: ChatSettings }) {
  const draft = useSignal(settings.blocked.join("\n"));
  const text = useSignal("");
  const tried = useSignal<{ readonly own: readonly string[] | null; readonly hits: readonly string[]; readonly of: number } | null>(null);
  const problem = useSignal("");
  const words = useComputed(() => [...new Set(draft.value.split("\n").map((word) => word.trim()).filter(Boolean))]);
  const changed = words.value.join("\n") !== settings.blocked.join("\n");
  useSignalEffect(() => {
    const [wanted, own] = [words.value, text.value.trim()];
    const timer = setTimeout(() => {
      const sample = desk.lines.peek().filter((line) => line.text !== "" && !line.system).slice(-SAMPLE).map((line) => line.text.slice(0, 1000));
      desk.tryWords([own, ...sample], wanted).then(
        ([first, ...rest]) => {
          tried.value = { own: own ? (first ?? []) : null, hits: sample.filter((_, n) => (rest[n] ?? []).length > 0), of: sample.length };
          problem.value = "";
        },
        (error: unknown) => (problem.value = sentence(error)),
      );
    }, TRY_MS);
    return () => clearTimeout(timer);
  });
  const save = (event: Event) => {
    event.preventDefault();
    desk.set(many(words.value.length, "{n} word is blocked", "{n} words are blocked"), { blocked: words.value });
  };
  const { own, hits, of } = tried.value ?? { own: null, hits: [], of: 0 };
  return (
    <form class="card" aria-labelledby="words-title" onSubmit={save}>
      <h3 id="words-title">{t("Blocked words")}</h3>
      <p class="quiet">{t("One a line, whole words or phrases, in whatever case. A message with one of them is refused.")}</p>
      <label class="sr-only" for="words">{t("Blocked words, one a line")}</label>
      <textarea class="field" id="words" rows={6} spellcheck={false} value={draft.value} onInput={(event) => (draft.value = event.currentTarget.value)} />
      <label for="try">{t("Try it out")}</label>
      <input class="field" id="try" placeholder={t("What somebody might write")} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
      <div role="status" class="tried">
        {own !== null && <p class={own.length > 0 ? "verdict bad" : "verdict good"}>{own.length > 0 ? t("Refused, for “{words}”", { words: own.join("”, “") }) : t("Let in")}</p>}
        {of > 0 && <p class="quiet">{hits.length === 0 ? t("None of the last {of} messages would have been refused.", { of }) : t("{n} of the last {of} messages would have been refused:", { n: hits.length, of })}</p>}
        {hits.length > 0 && <ul class="hits">{hits.slice(-SHOWN).map((hit, n) => <li key={n} dir="auto">{hit.slice(0, 200)}</li>)}</ul>}
      </div>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
      <p class="row"><button class="button" type="submit" disabled={!changed}>{t("Block these words")}</button>{changed && <button type="button" class="button plain" onClick={() => (draft.value = settings.blocked.join("\n"))}>{t("As it was")}</button>}</p>
    </form>
  );
}
