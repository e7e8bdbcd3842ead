// A button that opens a short list of actions.
import { html, useRef } from "../html.js";
import { Icon, IconButton } from "../icons.js";

let count = 0;

// `items` are {label, icon, run, danger}.
export function Menu({ label, items }) {
  const id = useRef(null);
  id.current ??= `menu-${++count}`;
  const list = useRef(null);
  const place = (event) => {
    if (event.newState !== "open") return;
    const { bottom, right } = event.target.previousElementSibling.getBoundingClientRect();
    const above = bottom + 44 * items.length + 16 > innerHeight;
    list.current.style.left = `${Math.max(8, right - 200)}px`;
    list.current.style.top = `${above ? bottom - 44 * items.length - 48 : bottom + 4}px`;
  };
  const moved = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const entries = [...list.current.children];
    entries.at((entries.indexOf(document.activeElement) + step) % entries.length).focus();
  };
  const chosen = (run) => () => {
    list.current.hidePopover();
    run();
  };
  return html`
    <${IconButton} name="more" label=${label} aria-haspopup="menu" popovertarget=${id.current} />
    <div class="menu" id=${id.current} popover="auto" role="menu" ref=${list} onBeforeToggle=${place} onKeyDown=${moved}>
      ${items.map(
        ({ label, icon, run, danger }) => html`
          <button class=${danger ? "danger" : ""} type="button" role="menuitem" onClick=${chosen(run)}>
            <${Icon} name=${icon} /> ${label}
          </button>
        `,
      )}
    </div>
  `;
}
