// Made by docs/make_reference.py (`make docs`); change control/channels/bounds.py instead.

export interface Setting {
  readonly kind: "flag" | "number" | "texts" | "name";
  readonly says: string;
  /** Of a number. */
  readonly low?: number;
  readonly high?: number;
  readonly whole?: boolean;
  /** Of a list, and of each text in it. */
  readonly most?: number;
  readonly longest?: number;
  /** Of a name. */
  readonly pattern?: string;
}

export const CHANNEL_SETTINGS: Readonly<Record<string, Setting>> = {
  members_only: {"kind": "flag", "says": "Whether only members may post chat."},
  members: {"kind": "texts", "most": 5000, "longest": 128, "says": "The members, where only they may post."},
  rate_per_s: {"kind": "number", "low": 0.001, "high": 1000000, "whole": false, "says": "Events a second that one sender may post."},
  rate_binds_producers: {"kind": "flag", "says": "Whether the rate binds those who write to Kafka directly, too."},
  max_text: {"kind": "number", "low": 1, "high": 1000000, "whole": true, "says": "Longest chat text, in characters."},
  blocked: {"kind": "texts", "most": 1000, "longest": 100, "says": "Words that chat may not contain."},
  min_shards: {"kind": "number", "low": 1, "high": 256, "whole": true, "says": "Fewest shards that the channel is given by itself."},
  max_shards: {"kind": "number", "low": 1, "high": 256, "whole": true, "says": "Most shards that the channel is given by itself."},
  publishers: {"kind": "texts", "most": 5000, "longest": 128, "says": "Who may publish; empty: everybody."},
  readers: {"kind": "texts", "most": 5000, "longest": 128, "says": "Who may read; empty: everybody. The edges and the gateway keep to it."},
  slow_s: {"kind": "number", "low": 0.001, "high": 86400, "whole": false, "says": "Slow mode: seconds that a sender waits between two chat messages."},
  retention: {"kind": "name", "pattern": "^[A-Za-z0-9_-]{1,40}$", "says": "Retention class, for search and history: a name of the setting `[indexer] retention_classes`; null: as long as everything."},
  numbered: {"kind": "flag", "says": "Whether each event of the channel's streams has a number, 1, 2, 3, … without a hole. It has no lanes then."},
  feed: {"kind": "texts", "most": 20, "longest": 64, "says": "Types of broadcasts that are shown in the feeds of who follows the channel."},
  reactions: {"kind": "texts", "most": 100, "longest": 32, "says": "What may be reacted with: emoji, and names like `:goal:`; `none`: nothing; empty: any emoji and any such name."},
  counters: {"kind": "flag", "says": "Whether the channel's counters (viewers, messages a minute, what is said most) are told as a stream, `broadcast:<channel>`."},
  language: {"kind": "name", "pattern": "^[a-z]{1,40}$", "says": "The language of what is said there, as search indexes it: one of those of the setting `[elasticsearch] language`; null: told by each message."},
};
