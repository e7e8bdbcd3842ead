// Where questions are written.
import { upload } from "../documents.js";
import { cut } from "../format.js";
import { html, useLayoutEffect, useRef, useState } from "../html.js";
import { Icon, IconButton } from "../icons.js";
import { attempt } from "../notices.js";
import { busy, live, side, speaker, thread, waiting } from "../state.js";
import { ask, stop } from "../turns.js";

export function Composer() {
  const [text, setText] = useState("");
  const area = useRef(null);
  useLayoutEffect(() => {
    // On a phone the keyboard would cover the page at once.
    if (matchMedia("(pointer: fine)").matches) area.current.focus();
  }, [thread.value?.id]);
  useLayoutEffect(() => {
    area.current.style.height = "auto";
    area.current.style.height = `${area.current.scrollHeight}px`;
  }, [text]);
  const submitted = (event) => {
    event.preventDefault();
    const asked = text.trim();
    if (!asked || busy.value) return;
    setText("");
    ask(asked);
  };
  const pressed = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submitted(event);
  };
  return html`
    <div class="composer">
      <${Busy} onBack=${setText} />
      <form onSubmit=${submitted}>
        <textarea
          id="question"
          rows="1"
          placeholder="Ask a question"
          aria-label="Your question"
          title="Enter sends, Shift+Enter begins a new line"
          ref=${area}
          value=${text}
          onInput=${(event) => setText(event.target.value)}
          onKeyDown=${pressed}
        ></textarea>
        <div class="tools">
          <${Attach} />
          <span class="with">${speaker.value?.name}</span>
          ${live.value && html`<${IconButton} kind="round stop" name="stop" label="Stop" hint="Stop (Esc)" onClick=${stop} />`}
          <${IconButton} kind="round" type="submit" name="arrow" label="Send" hint="Send (Enter)" disabled=${!text.trim()} />
        </div>
      </form>
      <p class="hint small">
        ${waiting.value ? "Asking something else withdraws what waits for you." : "Answers can be wrong. Check the sources."}
      </p>
    </div>
  `;
}

function Attach() {
  const chosen = (event) => {
    side.value = { kind: "documents" };
    attempt(() => upload([...event.target.files]));
    event.target.value = "";
  };
  return html`
    <label class="attach" title="Add documents">
      <input class="unseen" type="file" multiple aria-label="Add documents" onChange=${chosen} />
      <${Icon} name="attach" />
    </label>
  `;
}

// Offers to ask later what cannot be asked now.
function Busy({ onBack }) {
  if (!busy.value) return null;
  const { text } = busy.value;
  const back = () => {
    busy.value = null;
    onBack(text);
  };
  return html`
    <div class="busy" role="alert">
      <p>An answer is still being written. Ask “${cut(text, 60)}” next?</p>
      <button type="button" onClick=${back}>Not now</button>
      <button class="primary" type="button" onClick=${() => ask(text, "queue")}>Ask next</button>
    </div>
  `;
}
