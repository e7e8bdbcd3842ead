// The history: everybody's own conversations, newest first.
import { get, patch, remove as removeAt, send } from "./api.js";
import { signal } from "./html.js";
import { attempt } from "./notices.js";
import { thread } from "./state.js";

const PAGE = 40;
const tabs = new BroadcastChannel("selfhelp");

export const threads = signal([]);
export const query = signal("");
export const next = signal(null);
export const loaded = signal(false);

const listed = (after) => {
  const asked = new URLSearchParams({
    limit: PAGE,
    ...(query.value && { query: query.value }),
    ...(after && { after }),
  });
  return get(`threads?${asked}`);
};

export async function refresh() {
  await attempt(async () => {
    const asked = query.value;
    const page = await listed();
    if (asked !== query.value) return;
    threads.value = page.items;
    next.value = page.next;
    loaded.value = true;
    const open = page.items.find(({ id }) => id === thread.value?.id);
    if (open) thread.value = { ...thread.value, title: open.title };
  });
}

export async function more() {
  await attempt(async () => {
    const page = await listed(next.value);
    threads.value = [...threads.value, ...page.items];
    next.value = page.next;
  });
}

let typing = null;

export function search(text) {
  query.value = text;
  clearTimeout(typing);
  typing = setTimeout(refresh, 150);
}

export async function rename(id, title) {
  await attempt(async () => {
    const renamed = await patch(`threads/${id}`, { title });
    if (thread.value?.id === id) thread.value = { ...thread.value, title: renamed.title };
    changed(id);
    await refresh();
  });
}

export async function remove(id) {
  await attempt(async () => {
    await removeAt(`threads/${id}`);
    if (thread.value?.id === id) location.hash = "";
    changed(id);
    await refresh();
  });
}

// Saves a conversation as a file.
export async function save({ id, title }, format) {
  await attempt(async () => {
    const response = await send("GET", `threads/${id}/export?format=${format}`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${title.replace(/[^\p{L}\p{N} _-]+/gu, " ").trim() || "conversation"}.${format === "json" ? "json" : "md"}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

// Tells the other tabs that a conversation went on.
export const changed = (id) => tabs.postMessage(id);

export function onChangedElsewhere(listener) {
  tabs.onmessage = ({ data }) => listener(data);
}
