// What is being written: its fields, what viewers will see of it, and what others have posted meanwhile.

import { useLayoutEffect, useRef } from "preact/hooks";

import { entryOf, withScore } from "../viewer/match.ts";
import { Item } from "../viewer/timeline.tsx";
import type { Model } from "./model.ts";
import { wordsOf } from "./model.ts";
import { sayUntil, timeOf } from "./later.ts";
import { canWait, type Draft, type Play, postOf } from "./play.ts";
import { ScheduledPosts } from "./scheduled.tsx";
import { type Field, type Side, TEMPLATES } from "./templates.ts";
import { t } from "../shared/tongue.ts";

const MAX_TEXT = 500;
const MAX_NAME = 80;
const MAX_WHEN = 12;

export function Writing({ model, now }: { model: Model; now: { readonly value: number } }) {
  const draft = model.draft.value;
  const said = model.said.value;
  return (
    <section class="writing" id="writing" tabIndex={-1} aria-labelledby="writing-title">
      <header class="pane-head"><h2 id="writing-title">{draft ? draft.edits ? t("Correct: {words}", { words: t(draft.action.name) }) : t(draft.action.name) : t("Write an event")}</h2></header>
      {(model.problem.value || model.later.refused.value) && <p class="notice" role="alert">{model.later.refused.value || model.problem.value}</p>}
      {draft ? <Form key={`${draft.action.type} ${draft.edits?.id ?? ""}`} model={model} draft={draft} now={now} /> : (
        <p class="empty"><strong>{t("Choose what has happened")}</strong>{t("By its button or its key.")} <kbd>1</kbd> {t("and")} <kbd>2</kbd> {t("say which team,")} <kbd>Enter</kbd> {t("posts,")} <kbd>u</kbd> {t("takes the last one back.")}</p>
      )}
      <p class={`outcome ${said?.tone ?? ""}`} id="outcome" role="status">{said?.text}</p>
      <ScheduledPosts model={model} now={now} />
    </section>
  );
}

function Form({ model, draft, now }: { model: Model; draft: Draft; now: { readonly value: number } }) {
  const { action } = draft;
  const form = useRef<HTMLFormElement>(null);
  const { match } = model.play.value;
  // Where the keys are: at the team, or at the first field.
  useLayoutEffect(() => form.current?.querySelector<HTMLElement>("input, textarea")?.focus(), []);
  const submit = async (event?: Event) => {
    event?.preventDefault();
    if (await model.post()) document.getElementById("writing")?.focus();
    else form.current?.querySelector<HTMLElement>(":invalid, textarea, input")?.focus();
  };
  const side = (value: Side) => { model.write({ side: value }); form.current?.querySelector<HTMLElement>(".field")?.focus(); };
  return (
    <form class="draft" ref={form} noValidate onSubmit={(event) => void submit(event)}>
      {action.side && !draft.edits && (
        <fieldset class="sides">
          <legend>{t("Team")}</legend>
          {(["home", "away"] as const).map((one, number) => (
            <label key={one} class="side" data-side={one}>
              <input type="radio" name="side" value={one} checked={draft.side === one} onClick={() => side(one)} onChange={() => model.write({ side: one })} />
              <bdi>{match[one].name || (one === "home" ? t("Home") : t("Away"))}</bdi> <kbd>{number + 1}</kbd>
            </label>
          ))}
        </fieldset>
      )}
      {action.fields.map((field) => <OneField key={field} field={field} model={model} draft={draft} onEnter={() => void submit()} />)}
      {canWait(draft) && <When draft={draft} model={model} nowMs={now.value} />}
      <Meanwhile model={model} />
      <Preview draft={draft} play={model.play.value} nowMs={now.value} channel={model.channel} />
      <div class="row">
        <button type="submit" class="button" id="post" disabled={model.busy.value}>{canWait(draft) && draft.when.trim() ? t("Schedule") : t("Post")} <kbd>Enter</kbd></button>
        <button type="button" class="button plain" id="discard" onClick={() => { model.discard(); document.getElementById("writing")?.focus(); }}>{t("Discard")} <kbd>Esc</kbd></button>
      </div>
    </form>
  );
}

function OneField({ field, model, draft, onEnter }: { field: Field; model: Model; draft: Draft; onEnter: () => void }) {
  const isChange = draft.action.fields.includes("off");
  switch (field) {
    case "player":
      return <Text id="player" label={isChange ? t("Coming on") : t("Player")} value={draft.player} onText={(player) => model.write({ player })} />;
    case "off":
      return <Text id="off" label={t("Going off")} value={draft.off} onText={(off) => model.write({ off })} />;
    case "clock":
      return <Text id="set-clock" label={t("Minutes and seconds, as 63:12 or 45+2")} value={draft.clock} onText={(clock) => model.write({ clock })} />;
    case "score":
      return (
        <div class="row two">
          <Text id="score-home" label={model.play.value.match.home.name || t("Home")} value={draft.score[0]} onText={(home) => model.write({ score: [home, draft.score[1]] })} numeric />
          <Text id="score-away" label={model.play.value.match.away.name || t("Away")} value={draft.score[1]} onText={(away) => model.write({ score: [draft.score[0], away] })} numeric />
        </div>
      );
    case "details":
      return (
        <>
          <div class="row two">
            <Text id="home" label={t("First team")} value={draft.home} onText={(home) => model.write({ home })} />
            <Text id="away" label={t("Second team")} value={draft.away} onText={(away) => model.write({ away })} />
          </div>
          <Text id="title" label={t("Title")} value={draft.title} onText={(title) => model.write({ title })} />
          <label class="labelled">{t("Sport")}
            <select class="field" id="draft-sport" value={draft.sport} onChange={(event) => model.write({ sport: event.currentTarget.value })}>
              {TEMPLATES.map(({ id, name }) => <option key={id} value={id}>{t(name)}</option>)}
            </select>
          </label>
        </>
      );
    case "text":
      return (
        <label class="labelled">{t("Words")}
          <textarea class="field" id="text" rows={2} maxLength={MAX_TEXT} value={draft.text} dir="auto"
            onInput={(event) => model.write({ text: event.currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
              event.preventDefault();
              onEnter();
            }} />
        </label>
      );
  }
}

function Text({ id, label, value, onText, numeric = false }: { id: string; label: string; value: string; onText: (text: string) => void; numeric?: boolean }) {
  return (
    <label class="labelled">{label}
      <input class="field" id={id} value={value} maxLength={MAX_NAME} autocomplete="off" spellcheck={false} inputMode={numeric ? "numeric" : "text"} onInput={(event) => onText(event.currentTarget.value)} />
    </label>
  );
}

function When({ draft, model, nowMs }: { draft: Draft; model: Model; nowMs: number }) {
  const at = timeOf(draft.when, nowMs);
  return (
    <label class="labelled when">{t("Later")}
      <input class="field" id="when" value={draft.when} placeholder={t("Now; or 20:45, +10m")} maxLength={MAX_WHEN} autocomplete="off" spellcheck={false} onInput={(event) => model.write({ when: event.currentTarget.value })} />
      <small>{draft.when.trim() === "" ? "" : at === null ? t("20:45, or +10m") : sayUntil(at, nowMs)}</small>
    </label>
  );
}

/** Somebody else was at it too. */
function Meanwhile({ model }: { model: Model }) {
  const theirs = model.meanwhile.value;
  return (
    <div aria-live="polite">
      {theirs.length > 0 && (
        <ul class="notice meanwhile" aria-label={t("Posted meanwhile")}>
          {theirs.slice(-3).map((event) => <li key={event.id}><strong><bdi>{event.sender || t("Somebody")}</bdi></strong> {t("has posted:")} {wordsOf(event.type, event.data)}</li>)}
        </ul>
      )}
    </div>
  );
}

function Preview({ draft, play, nowMs, channel }: { draft: Draft; play: Play; nowMs: number; channel: string }) {
  const { type, data } = postOf(draft, play, nowMs, channel);
  const score = Array.isArray(data["score"]) ? ([Number(data["score"][0]), Number(data["score"][1])] as const) : null;
  const written = { stream: "", seq: 0, id: "", server_ts: new Date(nowMs).toISOString(), type, data };
  const { edits } = draft;
  const entry = entryOf(edits ? { ...edits, data: { ...edits.data, ...data } } : written, score ? withScore(play.match, score) : play.match, edits !== null);
  return (
    <div class="preview">
      <h3>{t("Viewers will see")}</h3>
      {type === "clock" ? <p class="quiet">{t("The clock at {clock}, and no line of its own.", { clock: draft.clock.trim() || "…" })}</p> : <ol class="timeline"><Item entry={entry} /></ol>}
      {score && <p class="becomes">{play.match.home.name || t("Home")} <b>{score[0]}–{score[1]}</b> {play.match.away.name || t("Away")}</p>}
    </div>
  );
}
