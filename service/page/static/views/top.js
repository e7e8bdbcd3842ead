// The line above the conversation.
import { html } from "../html.js";
import { Icon, IconButton } from "../icons.js";
import { drawer, thread } from "../state.js";

export function Top() {
  return html`
    <header class="top">
      <${IconButton} kind="quiet phone" name="menu" label="Open the history" onClick=${() => (drawer.value = true)} />
      <h1>${thread.value?.title || "New conversation"}</h1>
      <a class="button quiet phone" href="#" aria-label="New conversation"><${Icon} name="add" /></a>
    </header>
  `;
}
