// Line icons, drawn on a grid of 24.
import { html } from "./html.js";

const PATHS = {
  add: "M12 5v14M5 12h14",
  arrow: "M12 19V6M6 11.5 12 5.500l6 6",
  attach:
    "M20 11.500l-8 8a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700l-8.500 8.500a1.600 1.600 0 0 1-2.300-2.300l7.800-7.800",
  bin: "M4.500 7h15M9.500 7V4.500h5V7M6.500 7l.8 12.500h9.400L17.500 7M10.500 11v5M13.500 11v5",
  check: "M5 12.500l4.500 4.500L19 7.500",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h10.500v10.500H9zM5.500 15H4.500V4.500H15v1",
  document: "M6 3.500h8l4.500 4.500v12.500H6zM13.500 3.500v5h5M9 13h6M9 16.500h6",
  down: "M7 10l5 5 5-5",
  edit: "M4.500 19.500l1-4L16 5l3 3L8.500 18.500zM14 7l3 3",
  menu: "M4.500 7h15M4.500 12h15M4.500 17h15",
  moon: "M20 13.500A8 8 0 1 1 10.500 4a6.500 6.500 0 0 0 9.500 9.500z",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  out: "M14 4.500h5.500v15H14M10 8l-4 4 4 4M6 12h9",
  search: "M10.500 4.500a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  skipped: "M6 12h12",
  stop: "M8 8h8v8H8z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1.100 1.100M17.300 17.300l1.100 1.100M5.600 18.400l1.100-1.100M17.300 6.700l1.100-1.100",
  up: "M7.500 10.500v9H5v-9zM7.500 11l3.500-7c1.500 0 2.300 1 2 2.500l-.6 3h5.100c1.200 0 2 1 1.700 2.200l-1.300 6a2 2 0 0 1-2 1.600H7.500",
  warning: "M12 4 2.800 19.500h18.400zM12 10v4.500M12 17.200v.1",
};

export const Icon = ({ name, turned = false }) => html`
  <svg class=${turned ? "icon turned" : "icon"} viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>
`;

// A button that shows an icon alone. `hint` is what the mouse is told, where it is more than the label.
export const IconButton = ({ name, label, hint = label, kind = "quiet", turned = false, ...rest }) => html`
  <button class=${kind} type="button" aria-label=${label} title=${hint} ...${rest}>
    <${Icon} name=${name} turned=${turned} />
  </button>
`;
