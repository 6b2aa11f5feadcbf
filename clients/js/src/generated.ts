// Made by docs/make_reference.py (`make docs`); change the code that it names instead.

// ── kernel/close_codes.py: what ends a connection, and whether a client comes back ──

export const SUBPROTOCOL = "touchline.v1";

export const CLOSE = {
  BAD_TOKEN: 4001,
  FORBIDDEN: 4003,
  ABUSE: 4008,
  TOO_SLOW: 4101,
  RATE_LIMIT: 4102,
  FULL: 4103,
  UNAVAILABLE: 4104,
  DRAINING: 4201,
  MOVED: 4202,
  RENEW_TOKEN: 4203,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

export const CLOSE_SENTENCES = {
  4001: "The token is missing, wrong or expired: get a new one.",
  4003: "This connection is not allowed here.",
  4008: "Too many bad requests in a row.",
  4101: "You do not read fast enough: come back with your cursors.",
  4102: "Too many messages: come back later, and send fewer.",
  4103: "No more connections are taken here: come back later.",
  4104: "What you missed cannot be read right now: come back with your cursors.",
  4201: "This edge is leaving: come back with your cursors.",
  4202: "Your streams are served elsewhere: come back with your cursors.",
  4203: "Your token has run out: come back with a new one.",
} as const;

/** A band of a hundred codes, and what it asks of the client. Codes outside of them are accidents. */
export const BANDS = [
  [4000, "never"],
  [4100, "back_off"],
  [4200, "at_once"],
] as const;

export type Return = "never" | "back_off" | "at_once";

// ── kernel/errors.py: the codes of refusals ──

export type ErrorCode =
  | "bad_request"
  | "unknown_op"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "exists"
  | "too_many"
  | "muted"
  | "ended"
  | "expired"
  | "too_large"
  | "unsupported_media_type"
  | "invalid_event"
  | "rate_limited"
  | "limit_reached"
  | "unavailable"
  | "undecodable"
  | "unknown_schema"
  | "bad_channel"
  | "moderated"
  | "not_processed"
  | "not_indexable"
  | "not_delivered"
  | "queue_full"
  | "closed"
  | "bad_setting"
  | "bad_data_dir"
  | "port_taken"
  | "disk_full"
  | "no_java"
  | "download_failed"
  | "start_failed"
  | "not_installed"
  | "not_running"
  | "not_proven"
  ;

// ── kernel/log/positions.py and consumers/protocol/messages.py: limits ──

export const CHANNEL = /^[A-Za-z0-9._~-]{1,128}$/;
export const MAX_SEQ = 9007199254740991;
export const MAX_LANES = 64;
export const MAX_CHANNEL = 128;
export const MAX_STREAM = 140;
export const MAX_KEY = 128;
export const MAX_SEQS = 512;
export const MAX_USER = 128;
export const MAX_LAST = 1000;
export const MAX_PAGE = 500;

// ── what the pages' fields take: of search_indexer/, control/, gateway/operators/records.py, kernel/times.py ──

/** For the `pattern` of an input, where a hyphen has to be escaped. */
export const CHANNEL_PATTERN = "[A-Za-z0-9._~\\-]{1,128}";
export const ALERT_PATTERN = "[A-Za-z0-9._\\-]{1,100}";
export const FENCE_PATTERN = "[A-Za-z0-9._\\-]{1,100}";
/** In characters, as the roles count: a field counts those beyond the BMP as two, and never takes more. */
export const MAX_QUERY = 1000;
export const MAX_TIME = 100;
export const MAX_ZONE = 64;
export const MAX_REASON = 1000;
export const MAX_QUESTION = 500;
export const MAX_OPTION = 200;
export const MAX_ALERT = 100;
export const MAX_FENCE = 100;
export const MAX_RECORD_KEY = 300;

// ── kernel/process/metrics.py: names as they are scraped, and the labels by which the operators' stream tells one ──

export const METRICS = {
  CONSUMER_LAG: "touchline_consumer_lag",
  TABLE_SKIPPED: "touchline_table_records_skipped_total",
  TASKS: "touchline_tasks",
  LOOP_STALL: "touchline_loop_stall_seconds",
  LOOP_STALL_WORK: "touchline_loop_stall_work_seconds",
  INGESTED: "touchline_ingested_total",
  REFUSED: "touchline_refused_total",
  CANARY_SEEN: "touchline_canary_seen_seconds",
  CANARY_FOUND: "touchline_canary_found_seconds",
  CANARY_MISSED: "touchline_canary_missed_total",
  ACCEPTED: "touchline_accepted_total",
  REJECTED: "touchline_rejected_total",
  FAILED: "touchline_failed_total",
  SKIPPED: "touchline_skipped_total",
  REPEATED: "touchline_repeated_total",
  REPLACED: "touchline_replaced_total",
  REACTIONS: "touchline_reactions_total",
  COMMANDS_REFUSED: "touchline_commands_refused_total",
  STREAM_LATENCY: "touchline_stream_latency_seconds",
  OUTPUTS_UNDER_WAY: "touchline_outputs_under_way",
  AUDIENCE: "touchline_audience",
  EDGES: "touchline_edges",
  HOT_PARTITION: "touchline_hot_partition",
  RESHARDED: "touchline_resharded_total",
  VIEWERS: "touchline_viewers",
  SLOW_VIEWERS: "touchline_slow_viewers",
  DELIVERED: "touchline_delivered_total",
  EDGE_LATENCY: "touchline_edge_latency_seconds",
  CLOSED: "touchline_closed_total",
  RING_BYTES: "touchline_ring_bytes",
  CERTIFICATE_ENDS: "touchline_certificate_ends_timestamp_seconds",
  INDEXED: "touchline_indexed_total",
  INDEX_WATERMARK: "touchline_index_watermark",
  ALERTED: "touchline_alerted_total",
  INDEX_LATENCY: "touchline_index_latency_seconds",
  NOTIFIED: "touchline_notified_total",
  POSTED: "touchline_posted_total",
  POSTS_FAILED: "touchline_posts_failed_total",
  GIVEN_UP: "touchline_given_up_total",
  OUTBOX_WAITING: "touchline_outbox_waiting",
  OUTBOX_LAG: "touchline_outbox_lag_seconds",
  POST_LATENCY: "touchline_post_latency_seconds",
} as const;

export const METRIC_LABELS: Readonly<Record<string, readonly string[]>> = {
  touchline_consumer_lag: ["topic", "partition"],
  touchline_index_watermark: ["topic"],
  touchline_edge_latency_seconds_bucket: ["le"],
  touchline_closed_total: ["code"],
  touchline_outbox_waiting: ["receiver"],
  touchline_outbox_lag_seconds: ["receiver"],
};
