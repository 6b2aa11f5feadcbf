// Asks a gateway for one user.

import { TouchlineError } from "./protocol.ts";

export interface GatewayOptions {
  /** Address of a gateway; in a page by default the page's own. */
  readonly gateway?: string;
  readonly token?: string | (() => string | Promise<string>);
  /** Who you are, where there are no keys. */
  readonly user?: string;
}

/** The JSON of an answer; rejects with what it refuses. */
export async function askGateway(options: GatewayOptions, method: string, where: string, body?: unknown): Promise<unknown> {
  const { gateway = "", token, user } = options;
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
  const answer = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
  if (!response.ok) throw new TouchlineError(answer.code ?? "unavailable", answer.detail ?? "The server does not say what is wrong.");
  return answer;
}
