// The map itself, in a file of its own: Leaflet is loaded only where a map is looked at.

import L from "leaflet";
import "leaflet/dist/leaflet.css";

import type { PageConfig } from "../shared/config.ts";
import type { Place } from "./room.ts";
import { TileServer } from "./tiles.ts";

const MOST_MARKERS = 500;
const STREET = 17;
/** From the middle of a dot. */
const NAME_AWAY = 8;
/** Names stand to the right of their dots. */
const ROOM_FOR_NAMES: L.PointTuple = [110, 40];

export interface PlacesMap {
  update(places: readonly Place[]): void;
  remove(): void;
}

/** Squares with their coordinates, drawn here: nothing to fetch, nothing to break. */
const Grid = L.GridLayer.extend({
  createTile(this: L.GridLayer, at: L.Coords): HTMLElement {
    const tile = document.createElement("div");
    tile.className = "grid-tile";
    const size = this.getTileSize();
    const corner = L.CRS.EPSG3857.pointToLatLng(L.point(at.x * size.x, at.y * size.y), at.z);
    const digits = Math.max(0, Math.min(5, Math.ceil(at.z / 3) - 1));
    tile.textContent = `${corner.lat.toFixed(digits)}\n${L.Util.wrapNum(corner.lng, [-180, 180], true).toFixed(digits)}`;
    return tile;
  },
}) as unknown as new (options?: L.GridLayerOptions) => L.GridLayer;

export function showPlaces(element: HTMLElement, tiles: PageConfig["tiles"]): PlacesMap {
  const map = L.map(element, { worldCopyJump: true, trackResize: false, zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches });
  map.attributionControl.setPrefix("Leaflet");
  map.setView([20, 0], 2);
  new Grid().addTo(map);
  const forgetTiles = tiles ? showTiles(map, tiles) : () => undefined;
  const markers = new Map<string, { dot: L.CircleMarker; around: L.Circle | null }>();
  let [moved, fitting, fitted] = [false, false, 0];
  map.on("dragstart zoomstart", () => (moved = moved || !fitting));
  // Leaflet's own watch would also look while the map is hidden and has no size, and lose the dots.
  const resized = new ResizeObserver(() => {
    if (element.clientWidth === 0) return;
    map.invalidateSize({ animate: false });
    arrange();
  });
  resized.observe(element);
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
    remove() {
      resized.disconnect();
      forgetTiles();
      map.remove();
    },
  };
}

/** Tiles over the grid. Leaflet hides one that does not come, and the grid is seen; a server that sends none is left alone for a while. */
function showTiles(map: L.Map, { url, attribution }: NonNullable<PageConfig["tiles"]>): () => void {
  const layer = L.tileLayer(url, { attribution: escape(attribution), maxZoom: 19 });
  const server = new TileServer();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = () => {
    clearTimeout(timer);
    layer.addTo(map);
  };
  layer.on("tileload", () => server.loaded());
  layer.on("tileerror", () => {
    const pause = server.failed();
    if (pause === null) return;
    layer.remove();
    timer = setTimeout(ask, pause);
  });
  ask();
  addEventListener("online", ask);
  return () => {
    clearTimeout(timer);
    removeEventListener("online", ask);
  };
}

/** A name that would cover another, or a dot, stands to the left; and where that does not help, it is shown when its dot is pointed at. */
function makeRoom(dots: readonly L.CircleMarker[]): void {
  const named = dots.filter((dot) => dot.getTooltip()?.options.permanent);
  const taken = named.map((dot) => ({ dot, box: dot.getElement()?.getBoundingClientRect() }));
  for (const dot of named) {
    const tooltip = dot.getTooltip();
    const label = tooltip?.getElement();
    if (!tooltip || !label) continue;
    let free = false;
    for (const direction of ["right", "left"] as const) {
      tooltip.options.direction = direction;
      tooltip.options.offset = [direction === "left" ? -NAME_AWAY : NAME_AWAY, 0];
      tooltip.update();
      const box = label.getBoundingClientRect();
      free = taken.every((other) => other.dot === dot || !other.box || apart(box, other.box));
      if (!free) continue;
      taken.push({ dot, box });
      break;
    }
    label.classList.toggle("covered", !free);
  }
}

function apart(one: DOMRect, other: DOMRect): boolean {
  return one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
}

function escape(text: string): string {
  const element = document.createElement("span");
  element.textContent = text;
  return element.innerHTML;
}
