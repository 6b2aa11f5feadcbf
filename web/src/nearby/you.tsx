// What others see of me, the switch for it, and where I say that I am.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { sayAge } from "../shared/words.ts";
import type { Model } from "./model.ts";
import type { Drawing } from "./pane.tsx";
import { sayPlace, saySeen } from "./words.ts";
import { t } from "../shared/tongue.ts";

/** A device that moves says so no oftener. */
const SAY_EVERY_MS = 5000;

export function You({ model, drawing, nowMs }: { model: Model; drawing: Drawing; nowMs: number }) {
  const { sharing, me, friends, stoppedMs } = model;
  const { inactive_s, public_cell_m } = model.config.nearby;
  const set = sharing.value;
  const count = friends.value.filter(({ state }) => state === "friends").length;
  const seen = saySeen({ sharing: set, friends: count, at: me.value?.at ?? null, stoppedMs: stoppedMs.value, nowMs, inactiveS: inactive_s, cellM: public_cell_m });
  return (
    <section class="card" aria-labelledby="you-title">
      <h2 id="you-title">{t("What others see of you")}</h2>
      <div class="switches">
        <button type="button" role="switch" class="switch" id="share" aria-checked={set?.on ?? false} disabled={set === null} onClick={() => void model.share(!set?.on, set?.public ?? false)}><span class="knob" aria-hidden="true" />{t("Friends see where I am")}</button>
        <label class="check"><input type="checkbox" id="public" checked={set?.public ?? false} disabled={!set?.on} onChange={(event) => void model.share(true, event.currentTarget.checked)} /> {t("Strangers too, roughly")}</label>
      </div>
      <ul class="seen" aria-live="polite">{seen.map((sentence) => <li key={sentence}>{sentence}</li>)}</ul>
      <h3>{t("Where you are")}</h3>
      <p class="quiet" id="me">{me.value ? <>{sayPlace(me.value.lat, me.value.lon)}{t(", said {ago}", { ago: sayAge(me.value.at, nowMs) })}</> : t("You have not said it yet.")}</p>
      <Saying model={model} drawing={drawing} />
    </section>
  );
}

function Saying({ model, drawing }: { model: Model; drawing: Drawing }) {
  const following = useSignal(false);
  const said = useSignal("");
  const sayHere = () => {
    const place = drawing.map.value?.middle();
    if (place) void model.locate(...place);
  };
  const failed = () => {
    following.value = false;
    said.value = t("This device does not tell where it is: bring the place to the map’s middle, and say so.");
  };
  const once = () => {
    said.value = "";
    navigator.geolocation?.getCurrentPosition(({ coords }) => void model.locate(coords.latitude, coords.longitude, coords.accuracy), failed, { timeout: 10_000 });
    if (!navigator.geolocation) failed();
  };
  useEffect(() => {
    if (!following.value || !navigator.geolocation) return;
    let last = -SAY_EVERY_MS;
    const watch = navigator.geolocation.watchPosition(({ coords }) => {
      if (performance.now() - last < SAY_EVERY_MS) return;
      last = performance.now();
      void model.locate(coords.latitude, coords.longitude, coords.accuracy);
    }, failed);
    return () => navigator.geolocation.clearWatch(watch);
  }, [following.value]);
  return (
    <>
      <div class="row">
        <button type="button" class="button" id="say-middle" onClick={sayHere}>{t("I am at the map’s middle")}</button>
        <button type="button" class="button plain" onClick={once}>{t("Use this device’s place")}</button>
      </div>
      <label class="check"><input type="checkbox" checked={following.value} onChange={(event) => (following.value = event.currentTarget.checked)} /> {t("Keep saying it as this device moves")}</label>
      {said.value && <p class="quiet" role="status">{said.value}</p>}
    </>
  );
}
