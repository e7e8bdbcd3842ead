// Answers as Markdown. They are hostile until cleaned: no markup but plain text's, no address but the web's and e-mail's.
import { copy } from "./clipboard.js";
import { html, useLayoutEffect, useRef } from "./html.js";
import { Marked } from "./vendor/marked.js";
import DOMPurify from "./vendor/purify.js";

// Markup within an answer is shown as the text that it is, but for line breaks.
const asText = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const renderer = { html: ({ text }) => (/^\s*<br ?\/?>\s*$/i.test(text) ? "<br>" : asText(text)) };
const marked = new Marked({ gfm: true, renderer });
const purify = DOMPurify(window);
const CLEAN = {
  ALLOWED_TAGS:
    "p br hr strong em del code pre blockquote ul ol li h1 h2 h3 h4 h5 h6 table thead tbody tr th td a img sub sup".split(
      " ",
    ),
  ALLOWED_ATTR: ["href", "src", "alt", "title", "align", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const CITATION = /\[(\d{1,4}(?:, ?\d{1,4})*)\]/;

purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
  if (node.nodeName === "IMG") {
    node.setAttribute("loading", "lazy");
    node.setAttribute("referrerpolicy", "no-referrer");
  }
});

// Shows a text, block by block, so that what stands already is left alone while more streams in.
export function Markdown({ text, titles, flags, onCite }) {
  const blocks = marked.lexer(text).filter((token) => token.type !== "space");
  const clicked = (event) => {
    const cited = event.target.closest(".citation");
    if (cited) return onCite(Number(cited.dataset.number));
    const copied = event.target.closest(".copy-code");
    if (copied) copyCode(copied);
  };
  return html`<div class="markdown" onClick=${clicked}>
    ${blocks.map((block, place) => html`<${Block} key=${place} raw=${block.raw} titles=${titles} flags=${flags} />`)}
  </div>`;
}

function Block({ raw, titles, flags }) {
  const element = useRef(null);
  useLayoutEffect(() => element.current.replaceChildren(drawn(raw, titles, flags)), [raw, titles, flags]);
  return html`<div class="block" ref=${element}></div>`;
}

// Returns a Markdown text as clean nodes, with citations to press.
function drawn(raw, titles, flags = []) {
  const fragment = purify.sanitize(marked.parse(raw), CLEAN);
  cite(fragment, titles);
  for (const flag of flags) if (flag.text) doubt(fragment, flag);
  for (const pre of fragment.querySelectorAll("pre")) {
    pre.tabIndex = 0;
    wrap(pre, "code-block", made("button", { className: "copy-code", type: "button" }, "Copy"));
  }
  for (const table of fragment.querySelectorAll("table")) wrap(table, "table-block");
  for (const image of fragment.querySelectorAll("img")) {
    image.addEventListener("error", () => image.replaceWith(image.alt || "(image)"), { once: true });
  }
  return fragment;
}

// Marks the words that a flag is about, but not within longer words and numbers: 1 is not marked in 10 or 4.1.
function doubt(fragment, { text: words, detail }) {
  const before = /^[\p{L}\p{N}]/u.test(words) ? "(?<![\\p{L}\\p{N}]|\\p{N}[.,])" : "";
  const after = /[\p{L}\p{N}]$/u.test(words) ? "(?![\\p{L}\\p{N}]|[.,]\\p{N})" : "";
  const whole = new RegExp(`${before}${words.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}${after}`, "u");
  for (const text of textsOf(fragment, "code, mark, button")) {
    const pieces = text.data.split(whole);
    const marked = () => made("mark", { title: detail }, words);
    if (pieces.length > 1) text.replaceWith(...pieces.flatMap((piece, i) => (i ? [marked(), piece] : piece)));
  }
}

function textsOf(fragment, outside) {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) if (!walker.currentNode.parentElement?.closest(outside)) texts.push(walker.currentNode);
  return texts;
}

function cite(fragment, titles) {
  for (const text of textsOf(fragment, "code, a")) {
    const pieces = text.data.split(CITATION);
    if (pieces.length > 1) text.replaceWith(...pieces.flatMap((piece, i) => (i % 2 ? marks(piece, titles) : piece)));
  }
}

const marks = (numbers, titles) =>
  numbers.split(",").map((given) => {
    const number = Number(given);
    const title = titles?.get(number);
    const mark = made("button", { className: "citation", type: "button", title: title ?? "" }, String(number));
    mark.dataset.number = String(number);
    mark.setAttribute("aria-label", `Source ${number}${title ? `: ${title}` : ""}`);
    return mark;
  });

async function copyCode(button) {
  await copy(button.parentElement.querySelector("pre").textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function wrap(element, className, ...before) {
  const around = made("div", { className });
  element.replaceWith(around);
  around.append(...before, element);
}

function made(tag, properties, text = "") {
  const element = Object.assign(document.createElement(tag), properties);
  element.textContent = text;
  return element;
}
