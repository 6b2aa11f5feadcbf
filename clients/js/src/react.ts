// @touchline/client/react: hooks. What a component asks for ends when the component goes.

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";

import { type Client, type ClientOptions, connect } from "./client.ts";
import type { Status } from "./host.ts";
import { NOTHING, sharedStream, type Shown, type ShowOptions, shownOf } from "./shared.ts";

export type { Shown, ShowOptions } from "./shared.ts";

const CLOSED: Status = { state: "closed" };
const KEEP = 200;
const nothing = () => undefined;

/**
 * A client that lives as long as the component: null in the first drawing, and on a server. It connects anew where the address
 * changes; a token that is a function may be another one each time. For several components make one client with `connect`.
 */
export function useTouchline(options: string | ClientOptions): Client | null {
  const given = typeof options === "string" ? { url: options } : options;
  const latest = useRef(given);
  useEffect(() => {
    latest.current = given;
  });
  const [client, setClient] = useState<Client | null>(null);
  const address = JSON.stringify(given.url);
  useEffect(() => {
    const { token } = latest.current;
    const asked = () => {
      const now = latest.current.token;
      return typeof now === "function" ? now() : (now ?? "");
    };
    const made = connect({ ...latest.current, ...(token === undefined ? {} : { token: asked }) });
    setClient(made);
    return () => {
      setClient(null);
      made.close();
    };
  }, [address]);
  return client;
}

/**
 * The latest events of a stream, drawn anew as they come. Components that show the same stream of the same client share one
 * subscription, and who comes first says where it begins. Without a client or stream nothing is shown.
 */
export function useStream(client: Client | null, stream: string | null, options: ShowOptions = {}): Shown {
  const { last, after } = options;
  const keep = options.keep ?? Math.max(KEEP, last ?? 0);
  const subscribe = useCallback(
    (changed: () => void) => {
      if (!client || stream === null) return nothing;
      const from = { ...(last === undefined ? {} : { last }), ...(after === undefined ? {} : { after }) };
      return sharedStream(client, stream, from).look(changed, keep);
    },
    [client, stream, last, after, keep],
  );
  const now = () => (client && stream !== null ? shownOf(client, stream) : NOTHING);
  return useSyncExternalStore(subscribe, now, () => NOTHING);
}

/** How the connection stands. */
export function useStatus(client: Client | null): Status {
  const subscribe = useCallback((changed: () => void) => client?.onStatus(changed) ?? nothing, [client]);
  return useSyncExternalStore(subscribe, () => client?.status ?? CLOSED, () => CLOSED);
}
