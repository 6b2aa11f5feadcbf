// What the gateway tells the pages: where the edges are, and where map tiles come from.

import { t } from "./tongue.ts";

export interface PageConfig {
  readonly edges: readonly string[];
  readonly tiles: { readonly url: string; readonly attribution: string } | null;
  readonly demo: boolean;
  /** Whether who gives a name is believed: there are no keys. */
  readonly names: boolean;
  readonly channel: string;
  /** How long somebody stays in view who says nothing, and how roughly strangers are shown. */
  readonly nearby: { readonly inactive_s: number; readonly public_cell_m: number };
}

const TOKEN = "touchline.token";

export async function loadConfig(): Promise<PageConfig> {
  const response = await fetch("/v1/page");
  if (!response.ok) throw new Error(t("The gateway answered {status}.", { status: response.status }));
  return (await response.json()) as PageConfig;
}

/** The token that somebody pasted, for this tab only. */
export function storedToken(): string {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return "";
  }
}

export function storeToken(token: string): void {
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // A browser that keeps nothing: the token has to be pasted again.
  }
}

/** Who the page's address says that its user is. Where there are keys it does not count. */
export function namedUser(): string {
  return new URLSearchParams(location.search).get("user") ?? "";
}

/** The page's address for a channel, and for a user where one is named. */
export function addressOf(channel: string, user: string): string {
  return `?${new URLSearchParams({ channel, ...(user ? { user } : {}) }).toString()}`;
}

/** Where all that is on is listed. */
export function homeOf(user: string): string {
  return user ? `/?${new URLSearchParams({ user }).toString()}` : "/";
}

/** The address of a message where it was said. */
export function linkTo(stream: string, seq: number): string {
  const user = namedUser();
  return `?${new URLSearchParams({ stream, at: String(seq), ...(user ? { user } : {}) }).toString()}`;
}

/** What the page shows of its user to an edge. */
export function identity(): { token?: string; user?: string } {
  const [token, user] = [storedToken(), namedUser()];
  return { ...(token ? { token } : {}), ...(user ? { user } : {}) };
}

/** The gateway has answered, and said no. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }

  /** Whether a token, or another one, would help. */
  get wantsToken(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** The gateway's response to a request; its refusals are thrown as their sentence. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const { token, user } = identity();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  if (user) headers.set("Touchline-User", encodeURIComponent(user));
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Error(t("The gateway cannot be reached right now."), { cause: error });
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => null)) as { detail?: string; title?: string } | null;
  throw new Refused(said?.detail ?? said?.title ?? t("The gateway answered {status}.", { status: response.status }), response.status);
}

/** The same, as JSON. */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await request(path, init);
  const body = (await response.json().catch(() => null)) as T | null;
  if (body === null) throw new Refused(t("The gateway answered {status}.", { status: response.status }), response.status);
  return body;
}
