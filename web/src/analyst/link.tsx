// The search as a link: whoever opens it asks the same, and sees of it what they may.

import { useSignal, useSignalEffect } from "@preact/signals";

import type { Model } from "./model.ts";
import { t } from "../shared/tongue.ts";

export function Link({ model }: { model: Model }) {
  const said = useSignal("");
  useSignalEffect(() => { void model.wanted.value; said.value = ""; });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(model.link());
      said.value = t("Copied.");
    } catch {
      said.value = t("Copy it from the address above.");
    }
  };
  return (
    <p class="link">
      <span class="said" role="status">{said.value}</span>
      <button type="button" class="button plain small" onClick={() => void copy()}>{t("Copy the link")}</button>
    </p>
  );
}
