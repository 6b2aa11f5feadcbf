// How long to wait: back-off with full jitter, the heartbeat's patience, and when a token wants renewal.

export const FIRST_BACK_OFF_MS = 500;
export const LONGEST_BACK_OFF_MS = 20_000;
/** A connection that lived so long starts the back-off anew. */
export const PROVEN_MS = 10_000;
/** How long an answer to a ping may take. */
export const PONG_MS = 10_000;
/** The same after the network came back or the page was shown: somebody is waiting. */
export const QUICK_PONG_MS = 3_000;
/** From opening a socket to the edge's welcome. */
export const CONNECT_MS = 15_000;

/** Exponential with full jitter, 0.5 s to 20 s: a crowd that lost its edge does not come back as one. */
export function backOff(attempt: number, random: number): number {
  return random * Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** attempt);
}

/** Milliseconds until a JWT should be renewed, at `wallMs`; null where the token does not tell when it ends. */
export function renewIn(token: string, wallMs: number): number | null {
  const payload = token.split(".")[1];
  if (!payload) return null;
  try {
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    if (typeof claims.exp !== "number") return null;
    const left = claims.exp * 1000 - wallMs;
    // A tenth of what is left, and at least half a minute, as room for a slow token service.
    return Math.max(1000, left - Math.max(30_000, left / 10));
  } catch {
    return null;
  }
}
