// The map of friends and fences, in a file of its own: Leaflet is loaded only where a map is looked at.

import type { Fence, Place } from "@touchline/client";
import L from "leaflet";

import { baseMap, makeRoom, NAME_AWAY } from "../shared/basemap.ts";
import type { PageConfig } from "../shared/config.ts";

const MOST_MARKERS = 500;
const MOST_NAMED = 12;

export interface Shown {
  readonly me: { readonly lat: number; readonly lon: number } | null;
  readonly radiusM: number;
  readonly near: readonly Place[];
  readonly fences: readonly Fence[];
  readonly busy: ReadonlySet<string>;
  /** Corners of a fence that is being drawn. */
  readonly corners: readonly (readonly [number, number])[];
}

export interface FriendsMap {
  show(what: Shown): void;
  /** Bring a place to the middle. */
  goTo(lat: number, lon: number): void;
  goToFence(fence: Fence): void;
  middle(): readonly [number, number];
  remove(): void;
}

const at = ([lat, lon]: readonly [number, number]): L.LatLngTuple => [lat, lon];

export function showFriends(element: HTMLElement, tiles: PageConfig["tiles"]): FriendsMap {
  const { map, remove } = baseMap(element, tiles, () => nameAll());
  const friends = new Map<string, L.CircleMarker>();
  const drawn = new Map<string, { readonly fence: Fence; readonly layer: L.Path }>();
  const around = L.circle([0, 0], { radius: 1, className: "radius", interactive: false });
  const mine = L.circleMarker([0, 0], { radius: 8, className: "me" }).bindTooltip("you", { permanent: true, direction: "right", offset: [NAME_AWAY, 0] });
  const draft = L.polygon([], { className: "draft", interactive: false }).addTo(map);
  let fitted = "";
  const nameAll = () => makeRoom([...friends.values(), mine]);
  map.on("zoomend", nameAll);
  // Whatever is done at the middle can be pointed at, too.
  map.on("click", ({ latlng }: L.LeafletMouseEvent) => map.panTo(latlng));

  function showMe(me: Shown["me"], radiusM: number): void {
    if (me === null) {
      around.remove();
      mine.remove();
      return;
    }
    around.setLatLng([me.lat, me.lon]).setRadius(radiusM).addTo(map);
    mine.setLatLng([me.lat, me.lon]).addTo(map);
    // The whole of what is near is in view at first, and when it becomes more or less.
    const fit = `${radiusM} ${me.lat.toFixed(1)} ${me.lon.toFixed(1)}`;
    if (fit === fitted || element.clientWidth === 0) return;
    fitted = fit;
    map.fitBounds(L.latLng(me.lat, me.lon).toBounds(2 * radiusM), { animate: false });
  }

  function showNear(near: readonly Place[]): void {
    const there = new Set(near.map(({ user }) => user));
    for (const [user, dot] of friends) {
      if (there.has(user)) continue;
      dot.remove();
      friends.delete(user);
    }
    for (const { user, lat, lon } of near) {
      const known = friends.get(user);
      if (known) {
        known.setLatLng([lat, lon]);
        continue;
      }
      const dot = L.circleMarker([lat, lon], { radius: 7, className: "place" }).addTo(map);
      // A text node, so that a name is never read as HTML.
      dot.bindTooltip(document.createTextNode(user) as unknown as HTMLElement, { permanent: near.length <= MOST_NAMED, direction: "right", offset: [NAME_AWAY, 0] });
      friends.set(user, dot);
    }
  }

  function showFences(fences: readonly Fence[], busy: ReadonlySet<string>): void {
    const there = new Map(fences.map((fence) => [fence.id, fence]));
    for (const [id, { fence, layer }] of drawn) {
      if (there.get(id) === fence) continue;
      layer.remove();
      drawn.delete(id);
    }
    for (const fence of fences) {
      const known = drawn.get(fence.id)?.layer ?? shape(fence);
      drawn.set(fence.id, { fence, layer: known });
      known.addTo(map).getElement()?.classList.toggle("busy", busy.has(fence.id));
    }
  }

  function shape(fence: Fence): L.Path {
    const round = fence.polygon === undefined || fence.polygon.length === 0;
    const layer = round ? L.circle([fence.lat ?? 0, fence.lon ?? 0], { radius: fence.radius_m ?? 0, className: "fence" }) : L.polygon(fence.polygon.map(at), { className: "fence" });
    return layer.bindTooltip(document.createTextNode(fence.id) as unknown as HTMLElement);
  }

  // A map stands on whole pixels, which are metres: whoever has named a place means that one, until the map is moved.
  let asked: readonly [number, number] | null = null;
  map.on("move", () => (asked = null));

  return {
    show({ me, radiusM, near, fences, busy, corners }) {
      showMe(me, radiusM);
      showNear(near.slice(0, MOST_MARKERS));
      showFences(fences.slice(0, MOST_MARKERS), busy);
      draft.setLatLngs(corners.map(at));
      nameAll();
    },
    goTo: (lat, lon) => {
      map.setView([lat, lon], Math.max(map.getZoom(), 13), { animate: false });
      asked = [lat, lon];
    },
    goToFence: (fence) => {
      const layer = drawn.get(fence.id)?.layer;
      if (layer instanceof L.Circle || layer instanceof L.Polygon) map.fitBounds(layer.getBounds(), { animate: false, maxZoom: 17 });
    },
    middle: () => {
      if (asked) return asked;
      const { lat, lng } = map.getCenter().wrap();
      return [Math.max(-90, Math.min(90, Number(lat.toFixed(6)))), Number(lng.toFixed(6))];
    },
    remove,
  };
}
