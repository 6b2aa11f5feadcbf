// Made by docs/make_reference.py (`make docs`); change search_indexer/query/operators.py instead.

export const OPERATORS: readonly { readonly name: string; readonly says: string; readonly examples: readonly string[] }[] = [
  {"name": "from", "says": "who said it", "examples": ["ana"]},
  {"name": "in", "says": "the channel, its lanes too; wc26-* is each that begins so", "examples": ["final"]},
  {"name": "kind", "says": "broadcast, chat or location", "examples": ["broadcast", "chat", "location"]},
  {"name": "type", "says": "the event's type", "examples": ["goal"]},
  {"name": "before", "says": "earlier than this", "examples": ["2026-06-11"]},
  {"name": "after", "says": "later than this; 10m is ten minutes ago", "examples": ["10m"]},
  {"name": "on", "says": "in this day, month or minute", "examples": ["yesterday"]},
  {"name": "since", "says": "not earlier than this", "examples": ["19:30"]},
  {"name": "until", "says": "not later than this", "examples": ["19:30"]},
  {"name": "has", "says": "what its text has", "examples": ["link", "attachment", "mention", "emoji"]},
  {"name": "is", "says": "what became of it", "examples": ["edited", "reply"]},
  {"name": "mentions", "says": "whom its text names, as @ana", "examples": ["ana"]},
  {"name": "near", "says": "around a place, and how far", "examples": ["40.8,-74.0~5mi"]},
];
