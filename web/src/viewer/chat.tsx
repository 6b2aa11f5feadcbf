// The chat: its lines, with ticks for one's own, and the place to write.

import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Name } from "../shared/name.tsx";
import { clockTime, fullTime } from "../shared/times.ts";
import "./chat.css";
import { Actions, Thread } from "./actions.tsx";
import { About, Applause, PollForm, PollView, Reactions } from "./applause.tsx";
import { AttachButton, Attached, filesOf, PendingFiles } from "./attachments.tsx";
import type { Line } from "../shared/chatlog.ts";
import { Kit } from "../shared/kit.tsx";
import { VirtualList } from "../shared/list.tsx";
import { PinnedLine } from "./pinned.tsx";
import type { Room } from "./room.ts";
import { RoomHead } from "./rooms.tsx";
import { calls, dayBegins, dayWords, goesOn, Said } from "./said.tsx";
import { receiptWords, typingWords } from "./together.ts";
import { EmojiButton, useNames, useSlow } from "./writing.tsx";
import { many, t } from "../shared/tongue.ts";

const LONGEST = 2000;
const LONGEST_NAME = 40;
const LONG = 600;
const LONG_LINES = 8;
const NAME = "touchline.name";
const DENSE = "touchline.dense";

const TICKS = {
  sending: { mark: "○", says: "Sending" },
  accepted: { mark: "✓", says: "Accepted" },
  delivered: { mark: "✓✓", says: "Everybody has it" },
  refused: { mark: "!", says: "Refused" },
} as const;

export function Chat({ room, onChannel }: { room: Room; onChannel: (channel: string) => void }) {
  const following = useSignal(true);
  const unseen = useSignal(0);
  const toEnd = useSignal(0);
  const newest = useRef(0);
  const pane = useRef<HTMLElement>(null);
  const inView = useSignal(false);
  const dense = useSignal(stored(DENSE) === "1");
  const { lines, past, shown, target, together } = room;

  useEffect(() => {
    return lines.subscribe((now) => {
      const last = now.findLast((line) => line.seq > 0)?.seq ?? 0;
      if (!following.value) unseen.value += now.filter((line) => line.seq > newest.current).length;
      newest.current = Math.max(newest.current, last);
    });
  }, [room]);

  // Read is what somebody looks at: the newest messages, in a chat that is in view, of a page that is.
  useEffect(() => {
    const look = () => {
      const last = lines.value.findLast((line) => line.seq > 0)?.seq ?? 0;
      if (inView.value && following.value && past.value === null && document.visibilityState === "visible") together.saw(last);
    };
    const observer = new IntersectionObserver(([entry]) => { inView.value = entry?.isIntersecting === true; });
    if (pane.current) observer.observe(pane.current);
    const ends = [lines.subscribe(look), inView.subscribe(look), following.subscribe(look), past.subscribe(look)];
    document.addEventListener("visibilitychange", look);
    return () => { observer.disconnect(); document.removeEventListener("visibilitychange", look); ends.forEach((end) => end()); };
  }, [room]);

  const ownLast = useComputed(() => lines.value.findLast((line) => line.seq > 0 && (line.mine || (room.user !== "" && line.sender === room.user)) && !line.system)?.seq ?? 0);
  const targetKey = useComputed(() => (target.value === null ? null : (shown.value.find((line) => line.seq === target.value)?.key ?? null)));
  const jump = () => {
    room.toNewest();
    toEnd.value += 1;
    unseen.value = 0;
  };
  const onFollowing = (now: boolean) => {
    following.value = now;
    room.readingBack.value = !now;
    if (now) unseen.value = 0;
  };

  return (
    <section class={dense.value ? "pane pane-chat dense" : "pane pane-chat"} aria-labelledby="chat-title" ref={pane}>
      <header class="pane-head">
        <h2 id="chat-title">{t("Chat")}</h2>
        {!past.value && <About room={room} />}
        <button type="button" class="density" aria-pressed={dense.value} title={t("More messages at once")} onClick={() => { dense.value = !dense.value; keep(DENSE, dense.value ? "1" : ""); }}>{t("Dense")}</button>
        {past.value && <span class="pane-note">{t("Older messages, around the one that was found")}</span>}
      </header>
      <RoomHead room={room} onChannel={onChannel} />
      <PinnedLine room={room} />
      <div class="chat-body">
        {shown.value.length === 0 ? <Empty room={room} /> : (
          <VirtualList
            key={past.value ? "past" : "live"}
            items={shown.value}
            label={t("Messages")}
            live={past.value === null}
            target={targetKey.value}
            toEnd={toEnd.value}
            onStart={() => void room.loadOlder()}
            onEnd={() => void room.loadNewer()}
            onFollowing={onFollowing}
            head={<Beginning room={room} />}
            row={(line, before) => <Row line={line} before={before} found={line.seq > 0 && line.seq === target.value} latest={line.seq > 0 && line.seq === ownLast.value} room={room} />}
          />
        )}
        {(!following.value || past.value) && (
          <button type="button" class="button jump" onClick={jump}>
            {unseen.value > 0 ? `${many(unseen.value, "{n} new message", "{n} new messages")} ↓` : t("Jump to newest ↓")}
          </button>
        )}
      </div>
      {room.chatProblem.value && shown.value.length > 0 && <p class="notice" role="alert">{room.chatProblem.value}</p>}
      <Applause room={room} />
      <p class="typing" role="status">{typingWords(together.typing.value)}</p>
      <Composer room={room} onSent={jump} />
    </section>
  );
}

function Beginning({ room }: { room: Room }) {
  const more = room.past.value ? room.past.value.older : room.more.value;
  if (room.loadingMore.value) return <p class="beginning">{t("Loading older messages…")}</p>;
  return <p class="beginning">{more ? "" : t("This is where the chat begins.")}</p>;
}

function Empty({ room }: { room: Room }) {
  if (room.status.value.state === "refused") return <p class="empty">{t("What is said here is for those who are let in.")}</p>;
  if (room.chatProblem.value) return <p class="empty"><strong>{t("You cannot read this chat")}</strong>{room.chatProblem.value}</p>;
  if (!room.chatLoaded.value) return <p class="empty" aria-busy="true">{t("Getting the last messages…")}</p>;
  return <p class="empty"><strong>{t("Nobody has said anything yet")}</strong>{t("Write the first message below.")}</p>;
}

function Row({ room, line, before, found, latest }: { room: Room; line: Line; before: Line | undefined; found: boolean; latest: boolean }) {
  if (line.gap) return <p class="chat-gap">{t("Some messages before this point are no longer kept.")}</p>;
  const name = line.name || (line.mine ? "You" : "Somebody");
  const goes = goesOn(line, before);
  const called = !line.retracted && calls(line.text, room.user);
  return (
    <>
    {dayBegins(line, before) && <p class="chat-day"><time dateTime={line.at}>{dayWords(line.at, new Date())}</time></p>}
    <article class={`line${goes ? " goes-on" : ""}${line.mine ? " mine" : ""}${called ? " calls-me" : ""}${found ? " found" : ""}`}>
      <Kit name={name} />
      <div class="line-main">
        <p class="line-head">
          <Name name={name} signed={line.signed} own={line.mine} />
          <time dateTime={line.at} title={fullTime(line.at)}>{clockTime(line.at)}</time>
          {line.tick && <span class={`tick ${line.tick}`} title={t(TICKS[line.tick].says)}><span aria-hidden="true">{TICKS[line.tick].mark}</span><span class="sr-only">{t(TICKS[line.tick].says)}</span></span>}
        </p>
        <Thread room={room} line={line} />
        {line.retracted ? <p class="line-text gone">{line.moderated ? t("Taken back by a moderator") : t("Taken back")}</p> : line.poll ? <PollView room={room} line={line} /> : line.text !== "" && <Words line={line} me={room.user} />}
        {/* Whoever has sent it can get it once the message is there. */}
        {line.seq > 0 && <Attached room={room} ids={line.attachments} />}
        <Reactions room={room} line={line} />
        {latest && <Receipts room={room} line={line} />}
        <Actions room={room} line={line} />
        {line.tick === "refused" && <Refused room={room} line={line} />}
      </div>
    </article>
    </>
  );
}

/** What was not let in: sent again as it is, or written anew, or let go. */
function Refused({ room, line }: { room: Room; line: Line }) {
  const rewrite = () => {
    const gone = room.drop(line.key);
    if (!gone) return;
    room.draft.value = gone.text;
    toComposer();
  };
  const drop = () => {
    room.drop(line.key);
    toComposer();
  };
  return (
    <p class="problem">
      {line.problem} <button type="button" onClick={() => { room.sayAgain(line.key); toComposer(); }}>{t("Send again")}</button>
      {line.attachments.length === 0 && <button type="button" data-do="rewrite" onClick={rewrite}>{t("Change it")}</button>}
      <button type="button" data-do="drop" onClick={drop}>{t("Let it go")}</button>
    </p>
  );
}

/** The focus goes where one goes on writing: the button that had it is gone. */
function toComposer(): void {
  requestAnimationFrame(() => document.getElementById("message")?.focus());
}

/** How far the others are with one's latest message, where the room tells. */
function Receipts({ room, line }: { room: Room; line: Line }) {
  const words = receiptWords(room.together.receipts.value, line.seq, room.user);
  return words === "" ? null : <p class="receipt">{words}</p>;
}

/** What fills the screen by itself is shown in part, until somebody wants it. */
function Words({ line: { text, edited }, me }: { line: Line; me: string }) {
  const whole = useSignal(false);
  const long = !whole.value && (text.length > LONG || text.split("\n", LONG_LINES + 1).length > LONG_LINES);
  return (
    <>
      <p class={long ? "line-text long" : "line-text"} dir="auto"><Said text={text} me={me} />{edited && <small> {t("(edited)")}</small>}</p>
      {long && <button type="button" class="all" onClick={() => (whole.value = true)}>{t("Show all of it")}</button>}
    </>
  );
}

function Composer({ room, onSent }: { room: Room; onSent: () => void }) {
  const text = room.draft;
  const saving = useSignal(false);
  const name = useSignal(stored(NAME));
  const problem = useSignal("");
  const asking = useSignal(false);
  const { attaching, about } = room;
  const { names, take, onKey } = useNames(room, text);
  const { slow, left: wait } = useSlow(room);
  useEffect(() => about.subscribe((now) => { if (now?.edit) text.value = now.line.text; }), [room]);
  const left = LONGEST - text.value.length;
  const empty = text.value.trim() === "" && attaching.files.value.length === 0;
  const waits = wait.value > 0 && !about.value?.edit;
  const brought = (event: Event, transfer: DataTransfer | null) => {
    const files = filesOf(transfer);
    if (files.length === 0) return; // text goes where text goes
    event.preventDefault();
    attaching.add(files);
  };
  const send = (event: Event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (empty || left < 0 || !attaching.ready.value || saving.value || waits) return;
    const about = room.about.value;
    problem.value = "";
    if (about?.edit) return void save(about.line, words);
    void room.say(words, name.value.trim(), attaching.take(), about?.line.id ?? "");
    room.about.value = null;
    text.value = "";
    onSent();
  };
  /** What is written stays until it is known that the message says so. */
  const save = async (line: Line, words: string) => {
    saving.value = true;
    try {
      await room.change(line, words);
      if (room.about.value?.line.id === line.id) [room.about.value, text.value] = [null, ""];
    } catch (error) {
      problem.value = error instanceof Error ? error.message : t("It could not be changed.");
    } finally {
      saving.value = false;
    }
  };
  const { state } = room.status.value;
  const shut = state === "refused";
  /** Neither an answer nor a change any more. */
  const stop = () => {
    if (about.value?.edit) text.value = "";
    [about.value, problem.value] = [null, ""];
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape" && about.value) stop();
    if (onKey(event)) return;
    if (event.key === "ArrowUp" && text.value === "" && !about.value) {
      const last = room.lines.value.findLast((line) => line.seq > 0 && !line.system && !line.retracted && !line.poll && (line.mine || (room.user !== "" && line.sender === room.user)));
      if (last) {
        event.preventDefault();
        about.value = { line: last, edit: true };
      }
      return;
    }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  if (asking.value) return <PollForm room={room} onDone={() => (asking.value = false)} />;
  return (
    <form class="composer" onSubmit={send} onPaste={(event) => brought(event, event.clipboardData)} onDrop={(event) => brought(event, event.dataTransfer)}
      onDragOver={(event) => event.dataTransfer?.types.includes("Files") && event.preventDefault()}>
      <PendingFiles attaching={attaching} />
      {about.value && (
        <p class="composer-note about">
          {about.value.edit ? saving.value ? t("Saving…") : t("Changing your message") : t("Answering {n}: {text}", { n: about.value.line.name || t("somebody"), text: about.value.line.text.slice(0, 60) })}
          <button type="button" aria-label={t("Do not")} onClick={() => { stop(); toComposer(); }}>✕</button>
        </p>
      )}
      {problem.value && <p class="composer-note problem" role="alert">{problem.value}</p>}
      {(state === "offline" || state === "waiting") && <p class="composer-note" role="status">{t("You are not connected. What you write is sent when you are.")}</p>}
      {!room.user && (
        <>
          <label class="sr-only" for="own-name">{t("Your name")}</label>
          <input id="own-name" class="field own-name" disabled={shut} maxLength={LONGEST_NAME} placeholder={t("Your name")} autocomplete="nickname" value={name.value}
            onInput={(event) => { name.value = event.currentTarget.value; keep(NAME, name.value); }} />
        </>
      )}
      {names.value.length > 0 && (
        <ul class="composer-note names" aria-label={t("Who is meant")}>
          {names.value.map((one) => <li key={one}><button type="button" onClick={() => take(one)}>@{one}</button></li>)}
        </ul>
      )}
      {waits && <p class="composer-note slow" role="timer">{t("Slow mode: you can write again in {n} s.", { n: wait.value })}</p>}
      {!waits && slow.value > 0 && <p class="composer-note">{t("Slow mode: one message every {n} s.", { n: slow.value })}</p>}
      <label class="sr-only" for="message">{t("Message")}</label>
      <textarea id="message" class="field" rows={1} disabled={shut} placeholder={t("Say something")} value={text.value} enterkeyhint="send"
        onInput={(event) => { text.value = event.currentTarget.value; room.together.types(); }} onKeyDown={onKeyDown} />
      <button type="button" class="attach" disabled={shut} aria-label={t("Ask everybody: a poll")} data-do="poll" onClick={() => (asking.value = true)}>📊</button>
      <EmojiButton text={text} disabled={shut} />
      <AttachButton attaching={attaching} disabled={shut} />
      <button class="button" type="submit" disabled={empty || left < 0 || !attaching.ready.value || saving.value || waits}>{about.value?.edit ? t("Save") : t("Send")}</button>
      {left < 200 && <p class={left < 0 ? "left over" : "left"} role="status">{left < 0 ? many(-left, "{n} character too many", "{n} characters too many") : many(left, "{n} character left", "{n} characters left")}</p>}
    </form>
  );
}

function stored(name: string): string {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Asked for again at the next visit.
  }
}
