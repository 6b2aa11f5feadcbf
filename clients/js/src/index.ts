// @touchline/client: live events in browsers and Node, each once and in order.

export { type Attachment, Attachments, type AttachmentsOptions, type TransferOptions, type UploadOptions } from "./attachments.ts";
export { Client, connect } from "./client.ts";
export type { ClientOptions, HistoryPage, HistoryRange, InboxRow, IterateOptions, Publish, Published, StreamOptions, SubscribeOptions } from "./client.ts";
export { APPLAUSE, applaud, Crowd, type CrowdListener, onCrowd, type Poll, type PollNews, react, type ReactionNews, type Totals, vote } from "./crowd.ts";
export { storedCursors, type CursorStore } from "./cursors.ts";
export type { Environment, Socket } from "./environment.ts";
export type { Status, Subscribed } from "./host.ts";
export { Moderation, type Pinned, type Report, type Sanction } from "./moderation.ts";
export { type FeedEvent, type FeedListener, Feeds, type FeedsOptions, type Follow, type Notifications, type NotificationType, type WantedNotifications, watchFeed, type Webhook } from "./feeds.ts";
export { around, type Fence, type FenceShape, type Friend, locate, Nearby, type NearbyListener, type NearbyOptions, type Place, type Sharing, watchNearby } from "./nearby.ts";
export { type Gap, type Message, type Rejection, type StreamEvent, TouchlineError } from "./protocol.ts";
export { type Bucket, type Facets, type Found, type Hit, type ListedChannel, Search, type SearchParameters, type Suggestions, type Word } from "./search.ts";
export { Schedule, type Scheduled } from "./schedule.ts";
export { type Room, type RoomRole, type RoomRow, Rooms, type RoomSettings, type RoomsOptions } from "./rooms.ts";
export { notifyChannel, userChannel } from "./users.ts";
