// Everybody wears a shirt: pattern and colours follow from the name, so that one is known again at a glance.

const COLOURS = ["#c8102e", "#f4c430", "#0b6e4f", "#1d4ed8", "#111827", "#e8e6df", "#7c2d92", "#f97316", "#38bdf8", "#84cc16"] as const;
const SHIRT = "M8 2 2 5l2 6 3-1v12h10V10l3 1 2-6-6-3a4 3 0 0 1-8 0Z";
const PATTERNS = [
  "",
  "M9.500 2h1.700v20H9.500zM13 2h1.700v20H13zM6 2h1.700v20H6zM16.500 2h1.700v20h-1.700z",
  "M2 7h20v3H2zM2 13h20v3H2zM2 19h20v3H2z",
  "M12 0h12v24H12z",
  "M4 2 20 20h-6L2 7z",
] as const;

export function hash(text: string): number {
  let value = 2166136261;
  for (let n = 0; n < text.length; n += 1) value = Math.imul(value ^ text.charCodeAt(n), 16777619);
  return value >>> 0;
}

export function Kit({ name }: { name: string }) {
  const number = hash(name);
  const first = number % COLOURS.length;
  const second = (first + 1 + ((number >>> 8) % (COLOURS.length - 1))) % COLOURS.length;
  const clip = `kit-${number.toString(36)}`;
  return (
    <svg class="kit" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <clipPath id={clip}><path d={SHIRT} /></clipPath>
      <path d={SHIRT} fill={COLOURS[first]} />
      <path d={PATTERNS[(number >>> 16) % PATTERNS.length]} fill={COLOURS[second]} clip-path={`url(#${clip})`} />
      <path d={SHIRT} fill="none" stroke="currentColor" stroke-opacity=".35" stroke-width=".8" />
    </svg>
  );
}
