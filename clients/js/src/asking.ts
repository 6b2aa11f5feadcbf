// How the classes that speak HTTP ask a gateway: a request, its JSON, and refusals as TouchlineError.

import { TouchlineError } from "./protocol.ts";

export interface GatewayOptions {
  /** Address of a gateway; in a page by default the page's own. */
  readonly gateway?: string;
  readonly token?: string | (() => string | Promise<string>);
  /** Who you are, where there are no keys. */
  readonly user?: string;
}

/** The response of a request that was not refused. */
export async function request({ gateway = "", token, user }: GatewayOptions, method: string, where: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers["Authorization"] = `Bearer ${typeof token === "string" ? token : await token()}`;
  if (user !== undefined) headers["Touchline-User"] = encodeURIComponent(user);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`${gateway}${where}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch {
    throw new TouchlineError("unavailable", "The gateway does not answer.");
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
  throw new TouchlineError(said.code ?? "unavailable", said.detail ?? "The server does not say what is wrong.");
}

/** The same, as JSON. */
export async function ask(options: GatewayOptions, method: string, where: string, body?: unknown): Promise<unknown> {
  return await (await request(options, method, where, body)).json().catch(() => ({}));
}
