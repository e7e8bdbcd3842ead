// The history of conversations. On a phone it is a drawer.
import { key, keepKey } from "../api.js";
import { useFocus } from "../focus.js";
import { day } from "../format.js";
import { html, useState } from "../html.js";
import { Icon, IconButton } from "../icons.js";
import { drawer, me, side, thread } from "../state.js";
import { loaded, more, next, query, remove, rename, save, search, threads } from "../threads.js";
import { confirmed } from "./dialogs.js";
import { Menu } from "./menu.js";
import { ThemeButton } from "./theme.js";

export function Sidebar() {
  const shut = () => (drawer.value = false);
  return html`
    <div class="veil" hidden=${!drawer.value} onClick=${shut}></div>
    <nav class=${drawer.value ? "sidebar open" : "sidebar"} aria-label="Conversations">
      <div class="brand">
        <span>Selfhelp</span>
        <${IconButton} kind="quiet phone" name="close" label="Close the history" onClick=${shut} />
      </div>
      <a class="button new" href="#" onClick=${shut}><${Icon} name="add" /> New conversation</a>
      <label class="search">
        <${Icon} name="search" />
        <input
          id="search"
          type="search"
          placeholder="Search"
          title="Search the history (Ctrl+K)"
          aria-label="Search the history"
          value=${query.value}
          onInput=${(event) => search(event.target.value)}
        />
        <kbd>Ctrl K</kbd>
      </label>
      <div class="history"><${History} /></div>
      <div class="foot">
        <button class="quiet wide" type="button" onClick=${showDocuments}><${Icon} name="document" /> Documents</button>
        <${ThemeButton} />
        ${key.value && html`<${SignOut} />`}
      </div>
    </nav>
  `;
}

function showDocuments() {
  drawer.value = false;
  side.value = { kind: "documents" };
}

function SignOut() {
  const leave = () => {
    keepKey("");
    location.replace(location.pathname);
  };
  const hint = me.value ? `Sign out ${me.value.owner}` : "Sign out";
  return html`<${IconButton} name="out" label="Sign out" hint=${hint} onClick=${leave} />`;
}

function History() {
  if (!threads.value.length && loaded.value) {
    return html`<p class="hint">${query.value ? "No conversation has these words." : "Your conversations will be kept here."}</p>`;
  }
  const groups = Map.groupBy(threads.value, (each) => day(each.updated));
  return html`
    ${[...groups].map(
      ([name, items]) => html`
        <section key=${name}>
          <h2>${name}</h2>
          <ul>
            ${items.map((each) => html`<${Entry} key=${each.id} entry=${each} />`)}
          </ul>
        </section>
      `,
    )}
    ${next.value && html`<button class="quiet wide" type="button" onClick=${more}>Show more</button>`}
  `;
}

function Entry({ entry }) {
  const [renaming, setRenaming] = useState(false);
  if (renaming) return html`<${Renaming} entry=${entry} onDone=${() => setRenaming(false)} />`;
  const open = entry.id === thread.value?.id;
  const erase = async () => {
    const text = `“${titled(entry)}” and all that belongs to it will be gone for good.`;
    if (await confirmed("Delete this conversation?", text, "Delete")) await remove(entry.id);
  };
  const items = [
    { label: "Rename", icon: "edit", run: () => setRenaming(true) },
    { label: "Export as Markdown", icon: "document", run: () => save(entry, "markdown") },
    { label: "Export as JSON", icon: "copy", run: () => save(entry, "json") },
    { label: "Delete", icon: "bin", run: erase, danger: true },
  ];
  return html`
    <li class=${open ? "entry open" : "entry"}>
      <a href=${`#${entry.id}`} aria-current=${open ? "page" : undefined} onClick=${() => (drawer.value = false)}>
        ${entry.status !== "idle" && html`<i class="dot ${entry.status}" title=${STATUS[entry.status]}></i>`}
        <span>${titled(entry)}</span>
      </a>
      <${Menu} label=${`Actions for ${titled(entry)}`} items=${items} />
    </li>
  `;
}

const STATUS = { running: "An answer is being written", waiting: "Waits for your decision" };
const titled = (entry) => entry.title || "Untitled";

function Renaming({ entry, onDone }) {
  const settle = (event) => {
    const title = event.target.value.trim();
    onDone();
    if (title && title !== entry.title) rename(entry.id, title);
  };
  const pressed = (event) => {
    if (event.key === "Enter") event.target.blur();
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.target.value = entry.title;
    event.target.blur();
  };
  return html`
    <li class="entry">
      <input
        aria-label="New title"
        maxlength="200"
        value=${entry.title}
        ref=${useFocus()}
        onKeyDown=${pressed}
        onBlur=${settle}
      />
    </li>
  `;
}
