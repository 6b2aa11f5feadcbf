// What can be posted: the match's phases, and what happens in it, each with its key.

import { actionsOf } from "./play.ts";
import { TEMPLATES } from "./templates.ts";
import type { Model } from "./model.ts";
import { t } from "../shared/tongue.ts";

/** Pressed once more, the button would begin the phase after this one. */
const away = () => document.getElementById("writing")?.focus();

export function Acts({ model }: { model: Model }) {
  const { template, phase, next, told, match } = model.play.value;
  // Who may not publish looks on.
  const closed = model.later.refused.value !== "";
  const chosen = model.draft.value?.action;
  const at = phase ? template.phases.indexOf(phase) : -1;
  return (
    <section class="acts" aria-labelledby="acts-title">
      <header class="pane-head">
        <h2 id="acts-title">{told ? t(template.name) : t("What is played?")}</h2>
        {!told && (
          <label class="sport"><span class="sr-only">{t("Sport")}</span>
            <select class="field" id="sport" value={template.id} onChange={(event) => (model.sport.value = event.currentTarget.value)}>
              {TEMPLATES.map(({ id, name }) => <option key={id} value={id}>{t(name)}</option>)}
            </select>
          </label>
        )}
      </header>
      <div class="phases">
        {next ? (
          <button type="button" class="button" id="next" disabled={closed} onClick={() => void model.postPhase(next).then(away)}>{t(next.name)} <kbd>s</kbd></button>
        ) : <p class="quiet">{t("The match is over.")}</p>}
        {(match.phase === "playing" || match.phase === "stopped") && (
          <button type="button" class="button plain" id="hold" aria-pressed={match.phase === "stopped"} disabled={closed} onClick={() => void model.hold()}>{match.phase === "stopped" ? t("Let the clock run") : t("Hold the clock")} <kbd>h</kbd></button>
        )}
        <ol class="steps" aria-label={t("Phases")}>
          {template.phases.map((one, number) => <li key={one.name} aria-current={number === at ? "step" : undefined} data-done={number <= at}><span>{t(one.name)}</span></li>)}
        </ol>
      </div>
      <div class="buttons" role="group" aria-labelledby="acts-title">
        {actionsOf(template).map((action) => (
          <button type="button" key={action.type} class={`act ${action.tone ?? ""}`} data-act={action.type} aria-pressed={chosen?.type === action.type} disabled={closed} onClick={() => model.choose(action)}>
            <span>{t(action.name)}</span><kbd>{action.key}</kbd>
          </button>
        ))}
      </div>
    </section>
  );
}
