// The map itself, in a file of its own: Leaflet is loaded only where a map is looked at.

import L from "leaflet";

import { baseMap, makeRoom, NAME_AWAY } from "../shared/basemap.ts";
import type { PageConfig } from "../shared/config.ts";
import { spelled } from "../shared/names.ts";
import { fromNow } from "../shared/tongue.ts";
import { type Place, type Seen, seenAt } from "./whereabouts.ts";

const MOST_MARKERS = 500;
/** Names that are written out of those in view; the others are shown when their dot is pointed at. */
const MOST_NAMED = 60;
/** Finding room for names asks the browser where each of them is. */
const NAMING_MS = 250;
const STREET = 17;
/** Names stand to the right of their dots. */
const ROOM_FOR_NAMES: L.PointTuple = [110, 40];

export interface PlacesMap {
  /** `goneMs`: after so long somebody counts as gone. */
  update(places: readonly Place[], nowMs: number, goneMs: number): void;
  /** Bring all into view, and keep them there. */
  fitAll(): void;
  goTo(who: string): void;
  remove(): void;
}

interface Marker {
  readonly dot: L.CircleMarker;
  readonly around: L.Circle | null;
  seen: Seen;
  said: string;
}

export function showPlaces(element: HTMLElement, tiles: PageConfig["tiles"]): PlacesMap {
  const { map, remove } = baseMap(element, tiles, arrange);
  const markers = new Map<string, Marker>();
  let [moved, fitting, fitted] = [false, false, 0];
  map.on("dragstart zoomstart", () => (moved = moved || !fitting));
  let latest: readonly Place[] = [];
  let naming: ReturnType<typeof setTimeout> | undefined;
  map.on("zoomend moveend", nameSoon);

  function nameSoon(): void {
    naming ??= setTimeout(nameAll, NAMING_MS);
  }

  /** As many names as can be read: of those in view, who is here before who is gone. */
  function nameAll(): void {
    naming = undefined;
    if (element.clientWidth === 0) return;
    const view = map.getBounds();
    const inView = [...markers.values()].filter(({ dot }) => view.contains(dot.getLatLng()));
    const named = new Set([...inView.filter(({ seen }) => seen !== "gone"), ...inView.filter(({ seen }) => seen === "gone")].slice(0, MOST_NAMED));
    for (const marker of markers.values()) {
      const tooltip = marker.dot.getTooltip();
      if (tooltip && tooltip.options.permanent !== named.has(marker)) name(marker.dot, marker.said, named.has(marker));
    }
    makeRoom([...named].map(({ dot }) => dot));
  }

  /** A text node, so that a name is never read as HTML. */
  function name(dot: L.CircleMarker, said: string, permanent: boolean): void {
    dot.unbindTooltip();
    dot.bindTooltip(document.createTextNode(said) as unknown as HTMLElement, { permanent, direction: "right", offset: [NAME_AWAY, 0] });
  }

  /** Until somebody moves the map, it keeps everybody in view who is not gone. A map that is hidden has no size to reckon with. */
  function arrange(): void {
    if (element.clientWidth === 0 || latest.length === 0) return;
    const here = latest.filter(({ who }) => markers.get(who)?.seen !== "gone");
    const shown = here.length > 0 ? here : latest;
    const all = L.latLngBounds(shown.map(({ lat, lon }) => [lat, lon]));
    if (!moved && !(fitted === shown.length && map.getBounds().contains(all))) {
      [fitting, fitted] = [true, shown.length];
      map.fitBounds(all, { animate: false, maxZoom: STREET, paddingTopLeft: [40, 40], paddingBottomRight: ROOM_FOR_NAMES });
      fitting = false;
    }
    nameSoon();
  }

  return {
    update(places, nowMs, goneMs) {
      latest = places.slice(-MOST_MARKERS);
      const present = new Set(latest.map(({ who }) => who));
      for (const [who, { dot, around }] of markers) {
        if (present.has(who)) continue;
        dot.remove();
        around?.remove();
        markers.delete(who);
      }
      for (const { who, lat, lon, accuracy, at } of latest) {
        const seen = seenAt(at, nowMs, goneMs);
        const said = seen === "here" ? spelled(who).text : `${spelled(who).text}, ${fromNow(at, nowMs)}`;
        const known = markers.get(who);
        if (known) {
          known.dot.setLatLng([lat, lon]);
          known.around?.setLatLng([lat, lon]).setRadius(accuracy ?? 0);
          if (known.said !== said) known.dot.setTooltipContent(document.createTextNode(said) as unknown as HTMLElement);
          [known.seen, known.said] = [seen, said];
        } else {
          const dot = L.circleMarker([lat, lon], { radius: 7, className: "place" }).addTo(map);
          name(dot, said, false);
          dot.on("mouseover mouseout", ({ type }) => dot.getTooltip()?.getElement()?.classList.toggle("pointed", type === "mouseover"));
          const around = accuracy !== null && accuracy > 0 ? L.circle([lat, lon], { radius: accuracy, className: "accuracy", interactive: false }).addTo(map) : null;
          markers.set(who, { dot, around, seen, said });
        }
        const drawn = markers.get(who)?.dot.getElement();
        drawn?.classList.toggle("quiet", seen === "quiet");
        drawn?.classList.toggle("gone", seen === "gone");
      }
      arrange();
    },
    fitAll() {
      [moved, fitted] = [false, 0];
      arrange();
    },
    goTo(who) {
      const marker = markers.get(who);
      if (!marker) return;
      map.setView(marker.dot.getLatLng(), Math.max(map.getZoom(), STREET - 1), { animate: false });
      marker.dot.openTooltip();
    },
    remove() {
      clearTimeout(naming);
      remove();
    },
  };
}
