// Short messages at the edge of the page, and whether the service can be heard.
import { html } from "../html.js";
import { IconButton } from "../icons.js";
import { dismiss, notices } from "../notices.js";
import { connected, live } from "../state.js";

export function Notices() {
  const lost = live.value && !connected.value;
  return html`
    <div class="notices" role="status" aria-live="polite">
      ${lost && html`<p class="notice">The connection is lost. The answer goes on as soon as it is back.</p>`}
      ${notices.value.map(
        (notice) => html`
          <p class="notice ${notice.kind}">
            <span>${notice.text}</span>
            <${IconButton} name="close" label="Dismiss" onClick=${() => dismiss(notice)} />
          </p>
        `,
      )}
    </div>
  `;
}
