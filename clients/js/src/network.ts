// Routes and their connections: opening, losing, handing over, and finding out that one is dead.

import type { Wire } from "./host.ts";
import { comesBack } from "./protocol.ts";
import { Connection, Route } from "./route.ts";
import { backOff, CONNECT_MS, PONG_MS, PROVEN_MS, QUICK_PONG_MS } from "./timing.ts";

const GOING_AWAY = 1000;
const LOST = 1006;
/** A connection heard of so recently needs no proof that it lives. */
const FRESH_MS = 5_000;

/** What becomes of the streams when connections come and go. */
export interface NetworkEvents {
  lost(connection: Connection, code: number): void;
  refused(code: number): void;
  /** A route other than the home one has failed. */
  stranded(route: Route, now: number): void;
}

export class Network {
  online = true;
  private offlineAt = 0;
  /** Nothing is opened before the client starts, after it stops, and once it was refused. */
  halted = true;
  readonly home = new Route("", true);
  readonly routes = new Set<Route>([this.home]);
  readonly connections = new Map<number, Connection>();
  private next = 1;
  private url = 0;

  constructor(
    private readonly urls: readonly string[],
    private readonly wire: Wire,
    private readonly events: NetworkEvents,
  ) {}

  /** The way to this address, made if need be, with a connection on its way. */
  routeTo(url: string, now: number): Route {
    let route = [...this.routes].find((known) => known.url === url);
    if (!route) {
      route = new Route(url, false);
      this.routes.add(route);
    }
    this.wake(route, now);
    return route;
  }

  /** Open a connection as soon as may be, where there is none. */
  wake(route: Route, now: number): void {
    if (!this.halted && route.connections.length === 0) route.dueAt = Math.min(route.dueAt ?? Infinity, now);
  }

  closed(number: number, code: number, now: number): void {
    const connection = this.connections.get(number);
    if (!connection) return;
    this.connections.delete(number);
    const { route } = connection;
    const wasSuccessor = route.successor === connection;
    if (wasSuccessor) route.successor = null;
    else [route.current, route.successor, route.draining] = [route.successor, null, false];
    this.events.lost(connection, code);
    if (comesBack(code) === "never") return this.events.refused(code);
    // A successor is tried for again only while the old connection still has to be replaced.
    if (wasSuccessor ? !route.draining : route.current !== null) return;
    if (route.home || wasSuccessor) return this.retry(connection, code, now);
    this.routes.delete(route);
    this.events.stranded(route, now);
  }

  /** Close it from here: nothing that it still says counts. */
  drop(connection: Connection, now: number): void {
    this.wire.close(connection.number, GOING_AWAY);
    this.closed(connection.number, LOST, now);
  }

  private retry(connection: Connection, code: number, now: number): void {
    const { route, liveSince } = connection;
    if (liveSince !== null && now - liveSince >= PROVEN_MS) route.attempt = 0;
    const atOnce = comesBack(code) === "at_once" && liveSince !== null;
    if (liveSince === null) this.url += 1;
    const random = this.wire.random();
    const wait = atOnce ? random * connection.jitterMs : backOff(route.attempt++, random);
    route.dueAt = Math.min(route.dueAt ?? Infinity, now + wait);
  }

  /** The edge asks to leave: a second connection at the appointed time, while this one goes on. */
  drain(connection: Connection, inMs: number, now: number): void {
    connection.route.draining = true;
    this.url += 1; // this address is leaving: the next one, where there is one
    if (!connection.route.successor) connection.route.dueAt = now + inMs;
  }

  /** The successor takes over once it serves all that was asked of it. Returns the connection that it replaced. */
  handOver(route: Route): Connection | null {
    const { current, successor } = route;
    if (!current || successor?.phase !== "live" || successor.awaited.size > 0) return null;
    [route.current, route.successor, route.draining] = [successor, null, false];
    this.connections.delete(current.number);
    this.wire.close(current.number, GOING_AWAY);
    return current;
  }

  /** Close a route that nothing needs. */
  leave(route: Route): void {
    this.routes.delete(route);
    for (const connection of route.connections) {
      this.connections.delete(connection.number);
      this.wire.close(connection.number, GOING_AWAY);
    }
    [route.current, route.successor, route.dueAt] = [null, null, null];
  }

  tick(now: number): void {
    for (const route of this.routes) {
      if (this.online && route.dueAt !== null && route.dueAt <= now) this.open(route, now);
    }
    for (const connection of this.connections.values()) {
      if (connection.deadline(CONNECT_MS) > now) continue;
      if (connection.phase !== "live" || connection.pongBy !== null) this.drop(connection, now);
      else this.ping(connection, now + PONG_MS);
    }
  }

  /** The machine says that its network came or went. Either way what looks alive may be dead. */
  setOnline(online: boolean, now: number): void {
    this.online = online;
    if (online) return this.doubt(now, 0);
    this.offlineAt = now;
    this.suspect(now, 0);
  }

  /** Without a network only what was heard of since counts as alive: an edge on this machine, say. */
  believes(connection: Connection): boolean {
    return this.online || connection.heardAt > this.offlineAt;
  }

  /** The network came back, or somebody looks again: try now what was waiting, and doubt what looks alive. */
  doubt(now: number, freshMs = FRESH_MS): void {
    for (const route of this.routes) {
      if (route.dueAt !== null) route.dueAt = now;
    }
    this.suspect(now, freshMs);
  }

  /** Ask connections of which nothing was heard for so long whether they live; they have little time to answer. */
  private suspect(now: number, freshMs: number): void {
    for (const connection of this.connections.values()) {
      if (connection.phase !== "live" || now - connection.heardAt < freshMs) continue;
      this.ping(connection, Math.min(connection.pongBy ?? Infinity, now + QUICK_PONG_MS));
    }
  }

  deadline(): number {
    let least = Infinity;
    for (const route of this.routes) {
      if (this.online) least = Math.min(least, route.dueAt ?? Infinity);
    }
    for (const connection of this.connections.values()) {
      least = Math.min(least, connection.deadline(CONNECT_MS));
    }
    return least;
  }

  private ping(connection: Connection, pongBy: number): void {
    connection.pongBy = pongBy;
    this.wire.send(connection.number, { op: "ping" });
  }

  private open(route: Route, now: number): void {
    route.dueAt = null;
    const connection = new Connection(this.next++, route, now);
    if (route.current) route.successor = connection;
    else route.current = connection;
    this.connections.set(connection.number, connection);
    const url = route.home ? this.urls[this.url % this.urls.length] : route.url;
    this.wire.open(connection.number, url ?? "");
  }
}
