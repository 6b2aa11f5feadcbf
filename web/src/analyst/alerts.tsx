// Saved searches: a name makes the present one an alert; each has its newest hits below it, as they happen.

import { useSignal, useSignalEffect } from "@preact/signals";
import type { StreamEvent } from "@touchline/client";

import { textOf, whenOf } from "./columns.ts";
import type { Model } from "./model.ts";
import { NO_NEWS, type Watching } from "./watching.ts";
import { type Alert, FILTERS, nameFor, ofAlert, sayAlert } from "./wanted.ts";
import { ALERT_PATTERN, MAX_ALERT } from "../shared/generated.ts";
import { t } from "../shared/tongue.ts";

const SHOWN = 3;

/** An alert is somebody's: `nobody` has said no name, and shown no token. */
export function Alerts({ model, watching, nobody }: { model: Model; watching: Watching; nobody: boolean }) {
  const { alerts, problem } = watching;
  return (
    <section class="card alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title">{t("Saved searches")}</h2>
      <p class="quiet">{t("A saved search is an alert: what it finds from now on shows here as it happens, and on its own stream.")}</p>
      {nobody ? <p class="quiet" id="nobody">{t("Say above who you are, and save yours.")}</p> : <Save model={model} watching={watching} />}
      {problem.value && !nobody && <p class="notice" role="alert">{problem.value}</p>}
      {!nobody && <ul id="alerts">{alerts.value?.map((alert) => <One key={alert.id} alert={alert} model={model} watching={watching} />)}</ul>}
      {!nobody && alerts.value?.length === 0 && <p class="quiet">{t("None yet.")}</p>}
    </section>
  );
}

function Save({ model, watching }: { model: Model; watching: Watching }) {
  const name = useSignal("");
  const own = useSignal(false);
  const busy = useSignal(false);
  useSignalEffect(() => { if (!own.value) name.value = nameFor(model.wanted.value); });
  const { q } = model.wanted.value;
  const nothing = !q && FILTERS.every((filter) => model.wanted.value[filter].length === 0);
  const timed = Boolean(model.wanted.value.since || model.wanted.value.until);
  const save = async (event: Event) => {
    event.preventDefault();
    busy.value = true;
    if (await watching.save(name.value.trim(), model.wanted.value)) own.value = false;
    busy.value = false;
  };
  return (
    <form class="row" onSubmit={(event) => void save(event)}>
      <label class="sr-only" for="alert">{t("Name of the alert")}</label>
      <input class="field" id="alert" placeholder="its-name" value={name.value} maxLength={MAX_ALERT} pattern={ALERT_PATTERN} required title={t("Letters, digits, dots, hyphens, underscores")} autocomplete="off" spellcheck={false} autocapitalize="off" disabled={nothing}
        onInput={(event) => { name.value = event.currentTarget.value; own.value = name.value !== ""; }} />
      <button class="button" type="submit" id="save-alert" disabled={nothing || busy.value}>{t("Save")}</button>
      {nothing && <p class="quiet">{t("Search for something first.")}</p>}
      {timed && !nothing && <p class="quiet">{t("Without its times: an alert is about what comes.")}</p>}
    </form>
  );
}

function One({ alert, model, watching }: { alert: Alert; model: Model; watching: Watching }) {
  const sure = useSignal(false);
  const { events, fresh } = watching.news.value.get(alert.id) ?? NO_NEWS;
  const look = () => {
    watching.seen(alert.id);
    model.want({ ...ofAlert(alert, model.wanted.value), sort: "newest" });
  };
  return (
    <li data-alert={alert.id}>
      <div class="alert-head">
        <button type="button" class="alert-name" title={t("Search for it")} onClick={look}>{alert.id}</button>
        {fresh > 0 && <span class="fresh">{t("{n} new", { n: fresh.toLocaleString("en") })}</span>}
        {sure.value ? (
          <span class="acts"><button type="button" class="button small" onClick={() => void watching.remove(alert.id)}>{t("Remove it")}</button> <button type="button" class="button plain small" onClick={() => (sure.value = false)}>{t("Keep")}</button></span>
        ) : <button type="button" class="quiet-button remove" aria-label={t("Remove {id}", { id: alert.id })} onClick={() => (sure.value = true)}>{t("Remove")}</button>}
      </div>
      <code class="alert-query">{sayAlert(alert) || "everything"}</code>
      {alert.suspended && <p class="notice">{t("It rests until")} {whenOf(alert.suspended.until, model.zone).short}: {alert.suspended.why}</p>}
      {events.length > 0 && <ol class="news">{events.slice(0, SHOWN).map((event) => <Told key={`${event.stream} ${event.seq}`} event={event} model={model} />)}</ol>}
    </li>
  );
}

/** Of what was said in rooms an alert tells only where it is. */
function Told({ event, model }: { event: StreamEvent; model: Model }) {
  const { short, full } = event.server_ts ? whenOf(event.server_ts, model.zone) : { short: "", full: "" };
  return <li class="arrives"><time dateTime={event.server_ts} title={full}>{short}</time> <bdi class="said-by">{event.sender ?? event.stream}</bdi> <span dir="auto">{event.data ? textOf(event.data) : ""}</span></li>;
}
