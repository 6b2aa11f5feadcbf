// What narrows the search down beside the query: times, their zone, the order, and what was chosen of facets.

import { useSignal, useSignalEffect } from "@preact/signals";

import type { Model } from "./model.ts";
import { OWN_ZONE } from "./model.ts";
import { FILTERS, type Sort, toggled } from "./wanted.ts";
import { MAX_TIME, MAX_ZONE } from "../shared/generated.ts";
import { t } from "../shared/tongue.ts";

const SPANS: readonly (readonly [string, string])[] = [["", "Any time"], ["15m", "15 min"], ["1h", "1 hour"], ["today", "Today"], ["7d", "7 days"]];
const ZONES = [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])];
const WORDS = { kind: "kind", channel: "in", sender: "from", type: "type" } as const;

export function Filters({ model }: { model: Model }) {
  const { wanted } = model;
  const since = useSignal("");
  const until = useSignal("");
  const zone = useSignal("");
  useSignalEffect(() => { [since.value, until.value, zone.value] = [wanted.value.since, wanted.value.until, wanted.value.zone]; });
  const submit = (event: Event) => {
    event.preventDefault();
    model.want({ q: model.typed.value.trim(), since: since.value.trim(), until: until.value.trim(), zone: zone.value.trim() });
  };
  const chosen = FILTERS.flatMap((field) => wanted.value[field].map((value) => [field, value] as const));
  return (
    <>
      <form class="times" onSubmit={submit}>
        <div class="spans" role="group" aria-label={t("Time")}>
          {SPANS.map(([value, words]) => (
            <button key={words} type="button" aria-pressed={wanted.value.since === value && wanted.value.until === ""} onClick={() => model.want({ since: value, until: "" })}>{t(words)}</button>
          ))}
        </div>
        <label>{t("From")} <input class="field" id="since" value={since.value} placeholder={t("10m, yesterday")} maxLength={MAX_TIME} autocomplete="off" onInput={(event) => (since.value = event.currentTarget.value)} /></label>
        <label>{t("to")} <input class="field" id="until" value={until.value} placeholder={t("now")} maxLength={MAX_TIME} autocomplete="off" onInput={(event) => (until.value = event.currentTarget.value)} /></label>
        <label>{t("Zone")} <input class="field" id="zone" value={zone.value} placeholder={OWN_ZONE} list="zones" maxLength={MAX_ZONE} autocomplete="off" onInput={(event) => (zone.value = event.currentTarget.value)} /></label>
        <datalist id="zones">{ZONES.map((name) => <option key={name} value={name} />)}</datalist>
        <label>{t("Order")} <select id="sort" value={wanted.value.sort} onChange={(event) => model.want({ sort: event.currentTarget.value as Sort })}>
          <option value="">{wanted.value.q ? t("best first") : t("newest first")}</option>
          {wanted.value.q && <option value="newest">{t("newest first")}</option>}
          <option value="oldest">{t("oldest first")}</option>
          {wanted.value.q && (model.meaning.value || wanted.value.sort === "meaning") && <option value="meaning">{t("by meaning too")}</option>}
        </select></label>
        <button class="button plain" type="submit">{t("Set")}</button>
      </form>
      {(chosen.length > 0 || wanted.value.since || wanted.value.until) && (
        <ul class="chosen" aria-label={t("Only these; press one to take it away")}>
          {chosen.map(([field, value]) => (
            <li key={`${field} ${value}`}><button type="button" title={t("Take it away")} onClick={() => model.want({ [field]: toggled(wanted.value[field], value) })}>{WORDS[field]}:<bdi>{value}</bdi> <span aria-hidden="true">×</span></button></li>
          ))}
          {(wanted.value.since || wanted.value.until) && (
            <li><button type="button" title={t("Take it away")} onClick={() => model.want({ since: "", until: "" })}>{[wanted.value.since && t("from {when}", { when: wanted.value.since }), wanted.value.until && t("to {when}", { when: wanted.value.until })].filter(Boolean).join(" ")} <span aria-hidden="true">×</span></button></li>
          )}
        </ul>
      )}
    </>
  );
}
