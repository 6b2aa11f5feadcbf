// The map of the location streams: Leaflet, over a plain grid where no tile server is set up.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { PageConfig } from "../shared/config.ts";
import type { Room } from "./room.ts";
import type { PlacesMap } from "./leaflet.ts";

export function MapPane({ room, tiles }: { room: Room; tiles: PageConfig["tiles"] }) {
  const box = useRef<HTMLDivElement>(null);
  const map = useRef<PlacesMap | null>(null);
  const broken = useSignal(false);
  const ready = useSignal(0);
  const { places, followed, followProblem } = room;

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
    if (ready.value > 0) map.current?.update([...places.value.values()]);
  });

  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const who = String(new FormData(form).get("who") ?? "").trim();
    if (/^[A-Za-z0-9._~-]{1,128}$/.test(who)) room.follow(who);
    form.reset();
  };
  const others = followed.value.filter((who) => who !== room.channel);
  return (
    <section class="pane pane-map" aria-labelledby="map-title">
      <header class="pane-head">
        <h2 id="map-title">Map</h2>
        <form class="follow" onSubmit={add}>
          <label class="sr-only" for="who">Follow somebody's location</label>
          <input class="field" id="who" name="who" placeholder="Follow somebody" maxLength={128} pattern="[A-Za-z0-9._~\-]{1,128}" title="Letters, digits and . _ ~ -" spellcheck={false} autocapitalize="off" autocomplete="off" />
        </form>
      </header>
      {others.length > 0 && (
        <ul class="followed" aria-label="Followed">
          {others.map((who) => <li key={who}><bdi>{who}</bdi> <button type="button" aria-label={`Stop following ${who}`} onClick={() => room.unfollowOne(who)}>×</button></li>)}
        </ul>
      )}
      {followProblem.value && <p class="notice" role="status">{followProblem.value}</p>}
      <div class="map-body">
        <div class="map" ref={box} role="group" aria-label="Map of everybody's place" />
        {broken.value && <p class="empty over">The map could not be loaded. Everything else goes on.</p>}
        {places.value.size === 0 && !broken.value && <Empty room={room} />}
      </div>
      <ul class="sr-only" aria-label="Places">
        {[...places.value.values()].slice(0, 50).map(({ who, lat, lon }) => <li key={who}>{who}: {lat.toFixed(4)}, {lon.toFixed(4)}</li>)}
      </ul>
    </section>
  );
}

function Empty({ room }: { room: Room }) {
  if (room.status.value.state === "refused") return <p class="empty over">Places are for those who are let in.</p>;
  if (!room.placesLoaded.value) return <p class="empty over" aria-busy="true">Getting who is where…</p>;
  return <p class="empty over"><strong>Nobody shares a place here yet</strong>Places appear as they are sent.</p>;
}
