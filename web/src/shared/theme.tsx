// Light, dark, or what the machine prefers.

import { signal } from "@preact/signals";
import { t } from "./tongue.ts";

type Theme = "auto" | "light" | "dark";
const NEXT = { auto: "dark", dark: "light", light: "auto" } as const;
const KEPT = "touchline.theme";

const theme = signal<Theme>(kept());
apply(theme.value);

export function ThemeButton() {
  const turn = () => {
    theme.value = NEXT[theme.value];
    apply(theme.value);
    try {
      localStorage.setItem(KEPT, theme.value);
    } catch {
      // Asked of the machine again next time.
    }
  };
  return (
    <button type="button" class="theme" onClick={turn} aria-label={t("Colours: {value}. Change", { value: t(theme.value) })} title={t("Colours: {value}", { value: t(theme.value) })}>
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><circle cx="10" cy="10" r="7.500" fill="none" stroke="currentColor" stroke-width="1.600" /><path d={theme.value === "light" ? "M0 0" : theme.value === "dark" ? "M10 2.500a7.500 7.500 0 1 1 0 15a7.500 7.500 0 1 1 0-15" : "M10 2.500a7.500 7.500 0 0 1 0 15z"} fill="currentColor" /></svg>
    </button>
  );
}

function apply(wanted: Theme): void {
  if (wanted === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = wanted;
}

function kept(): Theme {
  try {
    const name = localStorage.getItem(KEPT);
    return name === "light" || name === "dark" ? name : "auto";
  } catch {
    return "auto";
  }
}
