// Places that watch: mine, who is in them, and drawing another one.

import { useSignal } from "@preact/signals";

import { FENCE_PATTERN, MAX_FENCE } from "../shared/generated.ts";
import { sayAge } from "../shared/words.ts";
import type { Model } from "./model.ts";
import type { Drawing } from "./pane.tsx";
import { sayFence } from "./words.ts";
import { t } from "../shared/tongue.ts";

const LEAST_CORNERS = 3;
const SIZES: readonly (readonly [string, string])[] = [["50", "50 m"], ["200", "200 m"], ["1000", "1 km"], ["5000", "5 km"]];

export function Fences({ model, drawing, nowMs }: { model: Model; drawing: Drawing; nowMs: number }) {
  const { fences, news } = model;
  return (
    <section class="card" aria-labelledby="fences-title">
      <h2 id="fences-title">{t("Places that watch for you")}</h2>
      {fences.value.length === 0 && <p class="quiet">{t("A fence tells you when a friend comes to a place, and when they leave it.")}</p>}
      <ul class="rows" id="fences">
        {fences.value.map((fence) => {
          const { inside, last } = news.value.get(fence.id) ?? { inside: new Set<string>(), last: null };
          return (
            <li key={fence.id} class="fence-row">
              <button type="button" class="row-name" onClick={() => drawing.map.value?.goToFence(fence)}><bdi>{fence.id}</bdi></button>
              <span class="acts"><button type="button" class="button plain" data-remove={fence.id} aria-label={t("Remove {id}", { id: fence.id })} onClick={() => void model.removeFence(fence.id)}>{t("Remove")}</button></span>
              <p class="quiet">{sayFence(fence)}. {inside.size > 0 ? <>{t("Inside:")} <bdi>{[...inside].slice(0, 10).join(", ")}</bdi>{inside.size > 10 && t(" and {n} more", { n: inside.size - 10 })}.</> : t("Nobody is inside.")} {last && <span class="last">{last.text}, {sayAge(last.at, nowMs)}.</span>}</p>
            </li>
          );
        })}
      </ul>
      <NewFence model={model} drawing={drawing} />
    </section>
  );
}

function NewFence({ model, drawing }: { model: Model; drawing: Drawing }) {
  const name = useSignal("");
  const size = useSignal("200");
  const { corners, map } = drawing;
  const set = async (shape: Parameters<Model["setFence"]>[1]) => {
    if (!(await model.setFence(name.value.trim(), shape))) return;
    name.value = "";
    corners.value = [];
  };
  const round = (event: Event) => {
    event.preventDefault();
    const place = map.value?.middle();
    if (place) void set({ lat: place[0], lon: place[1], radius_m: Number(size.value) });
  };
  const corner = () => {
    const place = map.value?.middle();
    if (place) corners.value = [...corners.value, place];
  };
  return (
    <form class="new-fence" onSubmit={round}>
      <h3>{t("Another one")}</h3>
      <div class="row">
        <label class="sr-only" for="fence">{t("Its name")}</label>
        <input class="field" id="fence" placeholder={t("Its name")} required maxLength={MAX_FENCE} pattern={FENCE_PATTERN} title={t("Letters, digits and . _ -")} value={name.value} autocomplete="off" spellcheck={false} autocapitalize="off" onInput={(event) => (name.value = event.currentTarget.value)} />
        <label>{t("within")} <select value={size.value} onChange={(event) => (size.value = event.currentTarget.value)}>{SIZES.map(([value, words]) => <option key={value} value={value}>{words}</option>)}</select></label>
      </div>
      <div class="row">
        <button type="submit" class="button" id="fence-round">{t("Around the map’s middle")}</button>
        <button type="button" class="button plain" id="corner" onClick={corner}>{t("Corner at the map’s middle")}</button>
      </div>
      {corners.value.length > 0 && (
        <div class="row">
          <span class="quiet" role="status">{corners.value.length === 1 ? t("1 corner") : t("{n} corners", { n: corners.value.length })}</span>
          <button type="button" class="button" id="fence-corners" disabled={corners.value.length < LEAST_CORNERS || !name.value.trim()} onClick={() => void set({ polygon: corners.value })}>{t("Inside these corners")}</button>
          <button type="button" class="button plain" onClick={() => (corners.value = [])}>{t("Begin anew")}</button>
        </div>
      )}
    </form>
  );
}
