// The map that pages draw on: Leaflet over a plain grid, and over tiles where there is a server of them. Loaded only where a map is looked at.

import L from "leaflet";
import "leaflet/dist/leaflet.css";
import "./map.css";

import type { PageConfig } from "./config.ts";
import { TileServer } from "./tiles.ts";

/** From the middle of a dot. */
export const NAME_AWAY = 8;

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

/** A map in this element; `resized` is called when it has got another size. */
export function baseMap(element: HTMLElement, tiles: PageConfig["tiles"], resized: () => void): { readonly map: L.Map; readonly remove: () => void } {
  const map = L.map(element, { worldCopyJump: true, trackResize: false, zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches });
  map.attributionControl.setPrefix("Leaflet");
  map.setView([20, 0], 2);
  new Grid().addTo(map);
  const forgetTiles = tiles ? showTiles(map, tiles) : () => undefined;
  // Leaflet's own watch would also look while the map is hidden and has no size, and lose the dots.
  const watch = new ResizeObserver(() => {
    if (element.clientWidth === 0) return;
    map.invalidateSize({ animate: false });
    resized();
  });
  watch.observe(element);
  const remove = () => {
    watch.disconnect();
    forgetTiles();
    map.remove();
  };
  return { map, remove };
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
export function makeRoom(dots: readonly L.CircleMarker[]): void {
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
