// The map itself, in a file of its own: Leaflet is loaded only where a map is looked at.

import L from "leaflet";

import { baseMap, makeRoom, NAME_AWAY } from "../shared/basemap.ts";
import type { PageConfig } from "../shared/config.ts";
import type { Place } from "./room.ts";

const MOST_MARKERS = 500;
const STREET = 17;
/** Names stand to the right of their dots. */
const ROOM_FOR_NAMES: L.PointTuple = [110, 40];

export interface PlacesMap {
  update(places: readonly Place[]): void;
  remove(): void;
}

export function showPlaces(element: HTMLElement, tiles: PageConfig["tiles"]): PlacesMap {
  const { map, remove } = baseMap(element, tiles, arrange);
  const markers = new Map<string, { dot: L.CircleMarker; around: L.Circle | null }>();
  let [moved, fitting, fitted] = [false, false, 0];
  map.on("dragstart zoomstart", () => (moved = moved || !fitting));
  let latest: readonly Place[] = [];
  const nameAll = () => makeRoom([...markers.values()].map(({ dot }) => dot));
  map.on("zoomend", nameAll);

  /** Until somebody moves the map, it keeps everybody in view. A map that is hidden has no size to reckon with. */
  function arrange(): void {
    if (element.clientWidth === 0 || latest.length === 0) return;
    const view = map.getBounds();
    const all = L.latLngBounds(latest.map(({ lat, lon }) => [lat, lon]));
    if (!moved && !(fitted === latest.length && view.contains(all))) {
      [fitting, fitted] = [true, latest.length];
      map.fitBounds(all, { animate: false, maxZoom: STREET, paddingTopLeft: [40, 40], paddingBottomRight: ROOM_FOR_NAMES });
      fitting = false;
    }
    nameAll();
  }

  return {
    update(places) {
      latest = places.slice(-MOST_MARKERS);
      const present = new Set(latest.map(({ who }) => who));
      for (const [who, { dot, around }] of markers) {
        if (present.has(who)) continue;
        dot.remove();
        around?.remove();
        markers.delete(who);
      }
      for (const { who, lat, lon, accuracy } of latest) {
        const known = markers.get(who);
        if (known) {
          known.dot.setLatLng([lat, lon]);
          known.around?.setLatLng([lat, lon]).setRadius(accuracy ?? 0);
          continue;
        }
        const dot = L.circleMarker([lat, lon], { radius: 7, className: "place" }).addTo(map);
        // A text node, so that a name is never read as HTML.
        dot.bindTooltip(document.createTextNode(who) as unknown as HTMLElement, { permanent: latest.length <= 12, direction: "right", offset: [NAME_AWAY, 0] });
        dot.on("mouseover mouseout", ({ type }) => dot.getTooltip()?.getElement()?.classList.toggle("pointed", type === "mouseover"));
        const around = accuracy !== null && accuracy > 0 ? L.circle([lat, lon], { radius: accuracy, className: "accuracy", interactive: false }).addTo(map) : null;
        markers.set(who, { dot, around });
      }
      arrange();
    },
    remove,
  };
}
