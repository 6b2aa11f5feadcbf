// The moderator's desk: what was reported, what is said now, users, what is set, and what was done, for one channel.

import "../shared/plain.css";
import "../shared/theme.css";
import "./moderate.css";

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { addressOf, type PageConfig } from "../shared/config.ts";
import { CHANNEL, MAX_CHANNEL, MAX_USER } from "../shared/generated.ts";
import { SignIn } from "../shared/signin.tsx";
import { start } from "../shared/start.tsx";
import { ThemeButton } from "../shared/theme.tsx";
import { sayStatus } from "../shared/words.ts";
import { ChannelPane } from "./channel.tsx";
import { Desk, SPANS } from "./desk.ts";
import { Live } from "./live.tsx";
import { Latest, LogPane } from "./log.tsx";
import { People } from "./people.tsx";
import { Queue } from "./queue.tsx";
import { forSpan } from "./row.tsx";
import { many, speak, t } from "../shared/tongue.ts";
import files from "words:here";

type View = "queue" | "live" | "people" | "channel" | "log";

const VIEWS: readonly (readonly [View, string])[] = [["queue", "Reported"], ["live", "Chat"], ["people", "Users"], ["channel", "Channel"], ["log", "Log"]];
const SIDES: readonly View[] = ["people", "channel", "log"];

const desk = signal<Desk | null>(null);

function channelOfAddress(config: PageConfig): string {
  const named = new URLSearchParams(location.search).get("channel") ?? "";
  return CHANNEL.test(named) ? named : config.channel;
}

function open(config: PageConfig): void {
  desk.value?.close();
  const channel = channelOfAddress(config);
  desk.value = new Desk(channel, config);
  document.title = t("{channel} · Moderator’s desk", { channel });
}

function Page({ config }: { config: PageConfig }) {
  const view = useSignal<View>("queue");
  const side = useSignal<View>("people");
  const here = desk.value;
  const show = (wanted: View) => {
    view.value = wanted;
    if (SIDES.includes(wanted)) side.value = wanted;
  };
  useEffect(() => {
    const back = () => open(config);
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  // Who asks for a user wants to see them.
  useEffect(() => {
    let user = "";
    return here?.theirs.subscribe((now) => {
      if (now && now.user !== user) show("people");
      user = now?.user ?? "";
    });
  }, [here]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const writing = event.target instanceof HTMLElement && event.target.matches("input:not([type=checkbox]), textarea, select");
      if (event.key !== "z" || !(event.metaKey || event.ctrlKey) || event.shiftKey || writing) return;
      event.preventDefault();
      void here?.deeds.undo();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [here]);
  if (!here) return null;
  const said = sayStatus(here.status.value, performance.now());
  return (
    <>
      <header class="desk-head">
        <h1>{t("Moderator’s desk")}</h1>
        <Where config={config} key={`${here.channel} ${here.user}`} here={here} />
        <a href={`/${addressOf(here.channel, here.user)}`}>{t("The match")}</a>
        <span class={`state ${said.tone}`} title={said.detail}>{said.text}</span>
        <span class="sr-only" role="status">{[said.said ?? said.text, said.detail].filter(Boolean).join(". ")}</span>
        <ThemeButton />
      </header>
      {here.problem.value && <Trouble here={here} config={config} />}
      <Bar here={here} />
      <main class="desk-main" key={`${here.channel} ${here.user}`} data-view={view.value} data-side={side.value}>
        <Queue desk={here} />
        <Live desk={here} />
        <People desk={here} />
        <ChannelPane desk={here} />
        <LogPane desk={here} />
      </main>
      <nav class="views" aria-label={t("Parts of the desk")}>
        {VIEWS.map(([name, label]) => <button key={name} type="button" class={`view-${name}`} data-name={name} aria-pressed={(SIDES.includes(name) ? side.value : view.value) === name} onClick={() => show(name)}>{t(label)}{name === "queue" && here.cases.value.length > 0 && <span class="count">{here.cases.value.length}<span class="sr-only"> {t("wait")}</span></span>}</button>)}
      </nav>
    </>
  );
}

/** For how long, what is chosen, what is done with it, and the way back. */
function Bar({ here }: { here: Desk }) {
  const chosen = [...here.chosen.value.values()];
  const users = [...new Set(chosen.map(({ sender }) => sender).filter(Boolean))];
  const cases = here.cases.value.filter(({ message }) => here.chosen.value.has(message.id)).map(({ message }) => message.id);
  return (
    <div class="bar" role="group" aria-label={t("What is done")}>
      <label class="span">{t("Mute and ban for")} <select value={here.span.value} onChange={(event) => (here.span.value = event.currentTarget.value)}>{SPANS.map(([value, label]) => <option key={value} value={value}>{value ? t(label) : t("ever")}</option>)}</select></label>
      {chosen.length > 0 && (
        <div class="bulk">
          <strong>{many(chosen.length, "{n} message chosen", "{n} messages chosen")}</strong>
          <button type="button" class="button" data-bulk="retract" onClick={() => here.retract(chosen)}>{t("Take back")}</button>
          {users.length > 0 && <button type="button" class="button plain" data-bulk="mute" title={forSpan(here)} onClick={() => here.sanction("mute", users)}>{many(users.length, "Mute {n} user", "Mute {n} users")}</button>}
          {users.length > 0 && <button type="button" class="button plain" data-bulk="ban" title={forSpan(here)} onClick={() => here.sanction("ban", users)}>{t("Ban")}</button>}
          {cases.length > 0 && <button type="button" class="button plain" data-bulk="done" onClick={() => here.settle(cases)}>{t("Leave them")}</button>}
          <button type="button" class="button plain" data-bulk="clear" onClick={() => here.clear()}>{t("Choose none")}</button>
        </div>
      )}
      <Latest desk={here} />
      <details class="keys">
        <summary>{t("Keys")}</summary>
        <dl>
          {[["↑ ↓ or j k", "the next message"], ["x", "choose it"], ["r", "take it back"], ["m", "mute who wrote it"], ["b", "ban them"], ["d", "leave it: nothing is wrong"], ["p", "who wrote it"], ["i", "pin it, or unpin it"], ["h", "hold the lists still"], ["u or Ctrl Z", "undo"]].map(([key, what]) => <div key={key}><dt>{key}</dt><dd>{t(what ?? "")}</dd></div>)}
        </dl>
        <p class="quiet">{t("Letters count where a message has the focus.")}</p>
      </details>
    </div>
  );
}

/** Which channel, and without keys who one is. */
function Where({ here, config }: { here: Desk; config: PageConfig }) {
  const channel = useSignal(here.channel);
  const user = useSignal(here.user);
  const submit = (event: Event) => {
    event.preventDefault();
    if (!CHANNEL.test(channel.value.trim())) return;
    history.pushState(null, "", addressOf(channel.value.trim(), config.names ? user.value.trim() : ""));
    open(config);
  };
  const changed = channel.value.trim() !== here.channel || user.value.trim() !== here.user;
  const field = (name: "channel" | "user", value: { value: string }, label: string) => (
    <input class="field" id={name} aria-label={label} placeholder={label} maxLength={name === "user" ? MAX_USER : MAX_CHANNEL} autocomplete="off" spellcheck={false} autocapitalize="off" value={value.value} onInput={(event) => (value.value = event.currentTarget.value)} />
  );
  return (
    <form class="where" onSubmit={submit}>
      {field("channel", channel, t("Channel"))}
      {config.names && field("user", user, t("You are"))}
      {changed && <button class="button" type="submit" disabled={!CHANNEL.test(channel.value.trim())}>{t("Go")}</button>}
    </form>
  );
}

function Trouble({ here, config }: { here: Desk; config: PageConfig }) {
  const { text, wantsToken } = here.problem.value ?? { text: "", wantsToken: false };
  if (wantsToken && !config.names) return <SignIn reason={text} onToken={() => open(config)} />;
  return <p class="notice trouble" role="alert">{text}</p>;
}

start((config) => {
  open(config);
  return <Page config={config} />;
}, speak(files));
