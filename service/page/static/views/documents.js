// The person's own documents.
import { documents, refresh, reindex, remove, upload, uploads } from "../documents.js";
import { count, size } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Icon } from "../icons.js";
import { attempt } from "../notices.js";
import { confirmed } from "./dialogs.js";
import { Menu } from "./menu.js";
import { Side } from "./side.js";

export function Documents() {
  useEffect(() => void attempt(refresh), []);
  return html`
    <${Side} title="Documents">
      <p class="hint">What you add here, answers may draw on.</p>
      <${Drop} />
      <ul class="documents" aria-live="polite">
        ${uploads.value.map((each) => html`<${Upload} key=${each.name} upload=${each} />`)}
        ${documents.value?.map((each) => html`<${Entry} key=${each.id} entry=${each} />`)}
      </ul>
      ${documents.value?.length === 0 && !uploads.value.length && html`<p class="hint">There are none yet.</p>`}
    <//>
  `;
}

function Drop() {
  const [over, setOver] = useState(false);
  const dragged = (event) => setOver(event.type === "dragover");
  const chosen = (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    attempt(() => upload(files));
  };
  return html`
    <label class=${over ? "drop over" : "drop"} onDragOver=${dragged} onDragLeave=${dragged} onDrop=${dragged}>
      <input class="unseen" type="file" multiple onChange=${chosen} />
      <${Icon} name="attach" />
      <span>Drop files here, or <u>choose them</u></span>
      <span class="hint small">Markdown, HTML, PDF, Word, text, code, CSV, JSON</span>
    </label>
  `;
}

function Upload({ upload: { name, done } }) {
  return html`
    <li class="document">
      <${Icon} name="document" />
      <div>
        <p class="name">${name}</p>
        <progress aria-label=${`Uploading ${name}`} value=${done.value}></progress>
      </div>
    </li>
  `;
}

function stateOf({ status, progress, bytes, passages }) {
  if (status === "queued") return "Waits to be indexed";
  if (status !== "indexing") return `${size(bytes)} · ${count(passages ?? 0, "passage")}`;
  return progress ? `${progress.done} of ${count(progress.total, "passage")} indexed` : "Being read…";
}

function Entry({ entry }) {
  const erase = async () => {
    const text = `“${entry.name}” will be gone for good, and no answer can draw on it any more.`;
    if (await confirmed("Delete this document?", text, "Delete")) await attempt(() => remove(entry.id));
  };
  const items = [
    { label: "Index again", icon: "document", run: () => attempt(() => reindex(entry.id)) },
    { label: "Delete", icon: "bin", run: erase, danger: true },
  ];
  return html`
    <li class="document ${entry.status}">
      <${Icon} name="document" />
      <div>
        <p class="name" title=${entry.name}>${entry.name}</p>
        ${entry.status === "failed" ? html`<p class="wrong">${entry.error ?? "It could not be read."}</p>` : html`<p class="hint small" aria-live=${entry.progress ? "off" : null}>${stateOf(entry)}</p>`}
        ${entry.progress && html`<progress aria-label=${`Indexing ${entry.name}`} max=${entry.progress.total} value=${entry.progress.done}></progress>`}
      </div>
      <${Menu} label=${`Actions for ${entry.name}`} items=${items} />
    </li>
  `;
}
