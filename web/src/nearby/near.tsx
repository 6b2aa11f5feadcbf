// The friends who are near, nearest first: how far, and how old that is.

import { User } from "../shared/name.tsx";
import { sayAge } from "../shared/words.ts";
import type { Model } from "./model.ts";
import type { Drawing } from "./pane.tsx";
import { RADII, sayDistance } from "./words.ts";
import { t } from "../shared/tongue.ts";

export function Near({ model, drawing, nowMs }: { model: Model; drawing: Drawing; nowMs: number }) {
  const { near, more, me, radius, listed, placed } = model;
  const rows = [...near.value.values()].sort((one, other) => one.distance_m - other.distance_m);
  return (
    <section class="card" aria-labelledby="near-title">
      <div class="card-head">
        <h2 id="near-title">{t("Friends near you")}</h2>
        <label>{t("within")} <select id="radius" value={radius.value} onChange={(event) => model.within(event.currentTarget.value)}>{RADII.map(([value, words]) => <option key={value} value={value}>{t(words)}</option>)}</select></label>
      </div>
      {rows.length > 0 && (
        <ul class="rows" id="near">
          {rows.map(({ user, distance_m, lat, lon, at }) => (
            <li key={user}>
              <button type="button" class="row-name" onClick={() => drawing.map.value?.goTo(lat, lon)}><User name={user} /></button>
              <span class="far">{sayDistance(distance_m)}</span>
              <time dateTime={at}>{sayAge(at, nowMs)}</time>
            </li>
          ))}
        </ul>
      )}
      {more.value && <button type="button" class="button plain more" id="more-near" onClick={() => more.value?.()}>{t("Show more friends")}</button>}
      {rows.length === 0 && <p class="quiet" id="nobody">{me.value === null ? (placed.value ? t("Say where you are, and see who is near.") : t("Looking where you were last…")) : listed.value ? t("No friend who can be seen is near.") : t("Looking who is near…")}</p>}
    </section>
  );
}
