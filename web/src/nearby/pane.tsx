// The map with its friends and fences; what is done at a place is done at its middle, by mouse, finger and keys alike.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { FriendsMap } from "./map.ts";
import type { Model } from "./model.ts";
import { metresOf, readPlace } from "./words.ts";
import { t } from "../shared/tongue.ts";

export interface Drawing {
  readonly map: { value: FriendsMap | null };
  readonly corners: { value: readonly (readonly [number, number])[] };
}

export function MapPane({ model, drawing }: { model: Model; drawing: Drawing }) {
  const box = useRef<HTMLDivElement>(null);
  const broken = useSignal(false);
  const wanted = useSignal("");

  useEffect(() => {
    let gone = false;
    import("./map.ts")
      .then(({ showFriends }) => {
        if (!gone && box.current) drawing.map.value = showFriends(box.current, model.config.tiles);
      })
      .catch(() => (broken.value = true));
    return () => {
      gone = true;
      drawing.map.value?.remove();
      drawing.map.value = null;
    };
  }, [model]);

  useSignalEffect(() => {
    const busy = new Set([...model.news.value].filter(([, { inside }]) => inside.size > 0).map(([id]) => id));
    const near = [...model.near.value.values()];
    drawing.map.value?.show({ me: model.me.value, radiusM: metresOf(model.radius.value), near, fences: model.fences.value, busy, corners: drawing.corners.value });
  });

  const go = (event: Event) => {
    event.preventDefault();
    const place = readPlace(wanted.value);
    if (place) drawing.map.value?.goTo(...place);
    model.problem.value = place ? "" : t("That is no place: write latitude, longitude, such as 40.758, -73.985.");
  };
  return (
    <section class="near-map" aria-labelledby="map-title">
      <h2 id="map-title" class="sr-only">{t("Map")}</h2>
      <div class="map" ref={box} role="group" aria-label={t("Map of friends who are near, and of your fences")} />
      <svg class="middle" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true"><path d="M12 1v8M12 15v8M1 12h8M15 12h8" /></svg>
      {broken.value && <p class="empty over">{t("The map could not be loaded. Everything else goes on.")}</p>}
      <form class="go-to" onSubmit={go}>
        <label class="sr-only" for="go">{t("Bring a place to the map’s middle: latitude, longitude")}</label>
        <input class="field" id="go" placeholder={t("Latitude, longitude")} value={wanted.value} autocomplete="off" spellcheck={false} onInput={(event) => (wanted.value = event.currentTarget.value)} />
        <button class="button plain" type="submit">{t("Show")}</button>
      </form>
    </section>
  );
}
