// Light or dark: as the system wishes, until a person chooses.
import { html, signal } from "../html.js";
import { IconButton } from "../icons.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const dark = signal(isDark());

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

system.addEventListener("change", () => (dark.value = isDark()));

export function ThemeButton() {
  const label = dark.value ? "Light colours" : "Dark colours";
  const turn = () => {
    const theme = dark.value ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("selfhelp-theme", theme);
    dark.value = isDark();
  };
  return html`<${IconButton} name=${dark.value ? "sun" : "moon"} label=${label} onClick=${turn} />`;
}
