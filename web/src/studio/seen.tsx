// What viewers see, newest first, with who posted it; and taking one back.

import type { StreamEvent } from "@touchline/client";
import { useLayoutEffect, useRef } from "preact/hooks";

import { addressOf } from "../shared/config.ts";
import { clockTime } from "../shared/times.ts";
import { Item } from "../viewer/timeline.tsx";
import type { Model } from "./model.ts";
import { wordsOf } from "./model.ts";
import { editOf, retraction } from "./play.ts";
import { t } from "../shared/tongue.ts";

/** Older ones are corrected by those that follow. */
const MOST_SHOWN = 100;

export function Seen({ model }: { model: Model }) {
  const { entries, shown } = model.play.value;
  const events = new Map(shown.map((event) => [event.seq, event]));
  return (
    <section class="seen" aria-labelledby="seen-title">
      <header class="pane-head"><h2 id="seen-title">{t("What viewers see")}</h2><a href={`/${addressOf(model.channel, model.user)}`} target="_blank" rel="noreferrer">{t("Their page")}</a></header>
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="seen-title">
        {entries.length === 0 ? <p class="empty">{model.loaded.value ? <><strong>{t("Nothing yet")}</strong>{t("Your first event starts the ticker of")} <code>broadcast:{model.channel}</code>.</> : t("Getting what has happened so far…")}</p> : (
          <ol class="timeline">
            {entries.slice(0, MOST_SHOWN).map((entry) => <Item key={entry.seq} entry={entry}><Tools model={model} event={events.get(entry.seq)} /></Item>)}
          </ol>
        )}
      </div>
    </section>
  );
}

/** Who posted it, and what one may do about it; of what is gone there is nothing. */
function Tools({ model, event }: { model: Model; event: StreamEvent | undefined }) {
  if (!event) return null;
  const words = wordsOf(event.type, event.data);
  if (model.undoing.value?.id === event.id) return <Undo model={model} event={event} />;
  return (
    <p class="by">
      <span>{event.sender && <>{t("by")} <bdi>{event.sender}</bdi> · </>}<time dateTime={event.server_ts}>{clockTime(event.server_ts)}</time></span>
      {editOf(event, model.play.value) && <button type="button" data-edit={event.id} aria-label={t("Correct: {words}", { words })} onClick={() => model.edit(event)}>{t("Correct")}</button>}
      <button type="button" data-undo={event.id} aria-label={t("Take back: {words}", { words })} onClick={() => (model.undoing.value = event)}>{t("Take back")}</button>
    </p>
  );
}

function Undo({ model, event }: { model: Model; event: StreamEvent }) {
  const sure = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => sure.current?.focus(), []);
  const score = retraction(event, model.play.value, model.channel).data["score"];
  const away = () => document.getElementById("writing")?.focus();
  return (
    <div class="notice undo" role="group" aria-label={t("Take it back?")}>
      <p>{t("Viewers will not see it any more.")}{Array.isArray(score) && t(" The score becomes {score}.", { score: score.join("–") })}</p>
      <div class="row">
        <button type="button" class="button" id="undo" ref={sure} disabled={model.busy.value} onClick={() => void model.undo(event).then(away)}>{t("Take it back")}</button>
        <button type="button" class="button plain" onClick={() => { model.undoing.value = null; away(); }}>{t("Keep it")}</button>
      </div>
    </div>
  );
}
