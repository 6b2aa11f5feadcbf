// What parts of the page have in common: a card with a heading, how it stands with what was asked for, a table, and sentences with elements in them.

import { signal } from "@preact/signals";
import type { ComponentChild, ComponentChildren } from "preact";
import { useEffect, useId } from "preact/hooks";

import { t } from "../shared/tongue.ts";

/** A sentence with elements in its places: `woven(t("It is at {place}."), { place: <code>here</code> })`. */
export function woven(sentence: string, given: Readonly<Record<string, ComponentChild>>): ComponentChild[] {
  return sentence.split(/\{(\w+)\}/).map((part, n) => (n % 2 ? given[part] : part));
}

interface CardProps {
  readonly title: string;
  readonly class?: string;
  /** Asks anew, where one may. */
  readonly onLook?: () => void;
  readonly children: ComponentChildren;
}

export function Card({ title, class: look = "", onLook, children }: CardProps) {
  const id = useId();
  return (
    <section class={`card-table ${look}`} aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        {onLook && <button type="button" class="button plain small" onClick={onLook}>{t("Look again")}</button>}
      </div>
      {children}
    </section>
  );
}

/** What is wrong; or that an answer is on its way. */
export function Asked({ problem, waits }: { problem: string; waits: boolean }) {
  if (problem) return <p class="notice" role="alert">{problem}</p>;
  return waits ? <p class="quiet" aria-busy="true">{t("Looking…")}</p> : null;
}

type Later = typeof import("./later.tsx");
const later = signal<Later | null>(null);
const failed = signal(false);

/** What is not needed at the first view, once it is here. */
export function Fetched({ children, onLeave }: { children: (parts: Later) => ComponentChild; onLeave?: () => void }) {
  useEffect(() => {
    failed.value = false;
    import("./later.tsx").then((parts) => (later.value = parts), () => (failed.value = true));
  }, []);
  if (later.value) return children(later.value);
  return (
    <>
      <Asked problem={failed.value ? `${t("The gateway cannot be reached right now.")} ${t("Load it again in a moment.")}` : ""} waits />
      {failed.value && onLeave && <p class="dialog-buttons"><button class="button plain" type="button" onClick={onLeave}>{t("Close")}</button></p>}
    </>
  );
}

interface TableProps {
  readonly label: string;
  /** The last, where it is empty, is of what one may do. */
  readonly head: readonly string[];
  /** Of the columns. */
  readonly looks?: readonly (string | undefined)[];
  readonly tall?: boolean;
  readonly children: ComponentChildren;
}

export function Table({ label, head, looks = [], tall = false, children }: TableProps) {
  return (
    <div class={tall ? "scroller tall" : "scroller"} tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead><tr>{head.map((name, n) => <th scope="col" key={name} class={looks[n]}>{name || <span class="sr-only">{t("What to do")}</span>}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A value as it was decoded, or as text where it is none, or too long. */
export interface Shown {
  readonly schema: string | null;
  readonly problem: string | null;
  readonly value: unknown;
  readonly text: string | null;
  readonly cut: boolean;
}

export function Value({ shown: { value, text, problem, cut } }: { shown: Shown }) {
  return (
    <>
      {problem && <p class="bad">{problem}</p>}
      <pre class="value" tabIndex={0} role="region" aria-label={t("Value")}>{text ?? (value === null ? t("no value") : JSON.stringify(value, null, 2))}</pre>
      {cut && <p class="quiet">{t("This is its beginning; it is longer than what is shown.")}</p>}
    </>
  );
}
