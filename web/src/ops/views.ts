// Which part of the page is shown: the address says so, and keeps what is looked for.

import { signal } from "@preact/signals";

export const VIEWS = { "": "Overview", records: "Records", alerts: "Alerts", audit: "Audit" } as const;
export type View = keyof typeof VIEWS;

interface Place {
  readonly view: View;
  readonly about: URLSearchParams;
}

function read(): Place {
  const [name = "", about = ""] = location.hash.slice(1).split("?");
  return { view: name in VIEWS ? (name as View) : "", about: new URLSearchParams(about) };
}

export const place = signal<Place>(read());
addEventListener("hashchange", () => (place.value = read()));

export function linkTo(view: View, about: Readonly<Record<string, string>> = {}): string {
  const text = new URLSearchParams(Object.entries(about).filter(([, value]) => value)).toString();
  return `#${view}${text ? `?${text}` : ""}`;
}
