// Times as the reader writes them.

import { computed } from "@preact/signals";

import { locale } from "./tongue.ts";

function timeIn(options: Intl.DateTimeFormatOptions): (rfc3339: string) => string {
  const format = computed(() => new Intl.DateTimeFormat(locale.value, options));
  return (rfc3339) => {
    const time = new Date(rfc3339);
    return Number.isNaN(time.getTime()) ? "" : format.value.format(time);
  };
}

export const clockTime = timeIn({ hour: "2-digit", minute: "2-digit" });
export const fullTime = timeIn({ dateStyle: "medium", timeStyle: "medium" });
