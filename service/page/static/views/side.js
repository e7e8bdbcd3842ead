// The frame of what is looked at beside the conversation.
import { html, useEffect, useRef } from "../html.js";
import { IconButton } from "../icons.js";
import { side } from "../state.js";

export function Side({ title, children }) {
  const heading = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    heading.current.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  return html`
    <aside class="side" aria-label=${title}>
      <div class="side-top">
        <h2 tabindex="-1" ref=${heading}>${title}</h2>
        <${IconButton} name="close" label="Close" hint="Close (Esc)" onClick=${() => (side.value = null)} />
      </div>
      ${children}
    </aside>
  `;
}
