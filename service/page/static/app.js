// The page: history at the left, the conversation, and what is looked at beside it.
import { get } from "./api.js";
import { upload } from "./documents.js";
import { effect, html, render, useEffect } from "./html.js";
import { attempt } from "./notices.js";
import { drawer, live, me, persona, personas, side, thread } from "./state.js";
import { onChangedElsewhere, refresh } from "./threads.js";
import { open, reload, stop } from "./turns.js";
import { Composer } from "./views/composer.js";
import { Confirmation, KeyDialog } from "./views/dialogs.js";
import { Documents } from "./views/documents.js";
import { Conversation } from "./views/conversation.js";
import { Notices } from "./views/notices.js";
import { Sidebar } from "./views/sidebar.js";
import { Source } from "./views/source.js";
import { Top } from "./views/top.js";

const SIDES = { source: Source, documents: Documents };

function App() {
  useEffect(start, []);
  const Side = SIDES[side.value?.kind];
  return html`
    <a class="skip" href="#question" onClick=${toQuestion}>Skip to the question</a>
    <${Sidebar} />
    <main>
      <${Top} />
      <${Conversation} />
      <${Composer} />
    </main>
    ${Side && html`<${Side} ...${side.value} />`}
    <${Notices} />
    <${KeyDialog} />
    <${Confirmation} />
  `;
}

function toQuestion(event) {
  event.preventDefault();
  document.getElementById("question").focus();
}

function start() {
  addEventListener("hashchange", () => open(location.hash.slice(1)));
  addEventListener("popstate", () => thread.value?.id !== location.hash.slice(1) && open(location.hash.slice(1)));
  addEventListener("keydown", pressed);
  addEventListener("dragover", dragged);
  addEventListener("drop", dropped);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && reload());
  onChangedElsewhere((id) => {
    refresh();
    if (id === thread.value?.id) reload();
  });
  const known = (read) => (me.value = read);
  get("me").then(known, () => {}); // where it fails, so does all that follows, and says so
  attempt(async () => {
    const { items } = await get("personas");
    personas.value = items;
    persona.value ??= items[0]?.name ?? null;
  });
  open(location.hash.slice(1));
  refresh();
}

// Files may be dropped anywhere: a browser would leave the page for one that is not taken.
function dragged(event) {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  if (side.value?.kind !== "documents") side.value = { kind: "documents" };
}

function dropped(event) {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  attempt(() => upload([...event.dataTransfer.files]));
}

function pressed(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    drawer.value = matchMedia("(max-width: 48rem)").matches;
    // Behind the drawing of the drawer: what is hidden takes no focus.
    requestAnimationFrame(() => document.getElementById("search").focus());
  } else if (
    event.key === "Escape" &&
    !event.defaultPrevented &&
    !document.querySelector("dialog[open], :popover-open")
  ) {
    escaped();
  }
}

// Escape closes what is open, the nearest first, and then stops the answer.
function escaped() {
  if (drawer.value) drawer.value = false;
  else if (side.value) side.value = null;
  else if (live.value) stop();
}

effect(() => {
  document.title = thread.value?.title ? `${thread.value.title} · Selfhelp` : "Selfhelp";
});

render(html`<${App} />`, document.getElementById("app"));
