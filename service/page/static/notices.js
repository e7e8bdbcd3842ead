// Short messages at the edge of the page.
import { signal } from "./html.js";

const SHOWN = 6000;
export const notices = signal([]);

export function notify(text, kind = "info", action = null) {
  const notice = { text, kind, action };
  notices.value = [...notices.value.filter((other) => other.text !== text), notice];
  setTimeout(() => dismiss(notice), SHOWN);
}

export function dismiss(notice) {
  notices.value = notices.value.filter((other) => other !== notice);
}

// Runs something that a person asked for, and tells them where it fails.
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") notify(error.message, "error");
    return undefined;
  }
}
