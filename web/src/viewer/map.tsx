// The map of the location streams: Leaflet, over a plain grid where no tile server is set up.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { PageConfig } from "../shared/config.ts";
import { CHANNEL, CHANNEL_PATTERN, MAX_CHANNEL } from "../shared/generated.ts";
import { spelled } from "../shared/names.ts";
import { fromNow, many, t } from "../shared/tongue.ts";
import type { PlacesMap } from "./leaflet.ts";
import type { Room } from "./room.ts";
import { seenAt } from "./whereabouts.ts";

const AGE_MS = 15_000;
const MOST_LISTED = 100;

export function MapPane({ room, config: { tiles, nearby } }: { room: Room; config: PageConfig }) {
  const box = useRef<HTMLDivElement>(null);
  const map = useRef<PlacesMap | null>(null);
  const broken = useSignal(false);
  const ready = useSignal(0);
  const now = useSignal(Date.now());
  const { places, followed, followProblem } = room;
  const goneMs = nearby.inactive_s * 1000;

  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), AGE_MS);
    return () => clearInterval(timer);
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let gone = false;
    // Leaflet is fetched when the map is first seen, not before.
    const watcher = new IntersectionObserver(([entry]) => {
      if (!entry?.isIntersecting) return;
      watcher.disconnect();
      import("./leaflet.ts")
        .then(({ showPlaces }) => {
          if (gone) return;
          map.current = showPlaces(element, tiles);
          ready.value += 1;
        })
        .catch(() => (broken.value = true));
    });
    watcher.observe(element);
    return () => {
      gone = true;
      watcher.disconnect();
      map.current?.remove();
      map.current = null;
    };
  }, [room]);

  useSignalEffect(() => {
    if (ready.value > 0 && now.value) map.current?.update([...places.value.values()], Date.now(), goneMs);
  });

  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const who = String(new FormData(form).get("who") ?? "").trim();
    if (CHANNEL.test(who)) room.follow(who);
    form.reset();
  };
  const others = followed.value.filter((who) => who !== room.channel);
  return (
    <section class="pane pane-map" aria-labelledby="map-title">
      <header class="pane-head">
        <h2 id="map-title">{t("Map")}</h2>
        {places.value.size > 0 && <button type="button" class="tool" id="fit-all" onClick={() => map.current?.fitAll()}>{t("Show all")}</button>}
        <form class="follow-somebody" onSubmit={add}>
          <label class="sr-only" for="who">{t("Follow somebody's location")}</label>
          <input class="field" id="who" name="who" placeholder={t("Follow somebody")} maxLength={MAX_CHANNEL} pattern={CHANNEL_PATTERN} title={t("Letters, digits and . _ ~ -")} spellcheck={false} autocapitalize="off" autocomplete="off" />
        </form>
      </header>
      {others.length > 0 && (
        <ul class="followed" aria-label={t("Followed")}>
          {others.map((who) => <li key={who}><bdi>{who}</bdi> <button type="button" aria-label={t("Stop following {name}", { name: who })} onClick={() => room.unfollowOne(who)}>×</button></li>)}
        </ul>
      )}
      {followProblem.value && <p class="notice" role="status">{followProblem.value}</p>}
      <div class="map-body">
        <div class="map" ref={box} role="group" aria-label={t("Map of everybody's place")} />
        {broken.value && <p class="empty over">{t("The map could not be loaded. Everything else goes on.")}</p>}
        {places.value.size === 0 && !broken.value && <Empty room={room} />}
      </div>
      {places.value.size > 0 && (
        <details class="whereabouts">
          <summary>{many(places.value.size, "{n} person", "{n} people")}</summary>
          <ul aria-label={t("Places")}>
            {[...places.value.values()].slice(-MOST_LISTED).map(({ who, lat, lon, at }) => (
              <li key={who} data-seen={seenAt(at, now.value, goneMs)}>
                <button type="button" onClick={() => map.current?.goTo(who)}><bdi>{spelled(who).text}</bdi></button>
                <span class="sr-only">{lat.toFixed(4)}, {lon.toFixed(4)}</span>
                <time dateTime={at}>{fromNow(at, now.value)}</time>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Empty({ room }: { room: Room }) {
  if (room.status.value.state === "refused") return <p class="empty over">{t("Places are for those who are let in.")}</p>;
  if (!room.placesLoaded.value) return <p class="empty over" aria-busy="true">{t("Getting who is where…")}</p>;
  return <p class="empty over"><strong>{t("Nobody shares a place here yet")}</strong>{t("Places appear as they are sent.")}</p>;
}
