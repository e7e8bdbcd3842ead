// Numbers, times and places in words.

const COUNT = new Intl.NumberFormat("en");
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const count = (number, thing) => `${COUNT.format(number)} ${thing}${number === 1 ? "" : "s"}`;
export const moment = (seconds) => TIME.format(new Date(seconds * 1000));
export const cut = (text, longest) => (text.length > longest ? `${text.slice(0, longest)}…` : text);
export const pretty = (value) => JSON.stringify(value, null, 2);

export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const [value, unit] = bytes < 1024 ** 2 ? [bytes / 1024, "KB"] : [bytes / 1024 ** 2, "MB"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

// Where a passage stands: "manual.pdf, page 2", "returns.md, lines 8–12".
export function place({ document, page, first_line: first, last_line: last }) {
  if (page) return `${document}, page ${page}`;
  if (!first) return document;
  return first === last ? `${document}, line ${first}` : `${document}, lines ${first}–${last}`;
}

export function usageLine(usage, milliseconds) {
  const tokens = `${COUNT.format(usage.input)} tokens in, ${COUNT.format(usage.output)} out`;
  const cost = usage.cost === null ? "cost unknown" : usage.cost ? `$${usage.cost.toFixed(5)}` : "no cost";
  const removed = [
    usage.citations_removed && `${count(usage.citations_removed, "false citation")} removed`,
    usage.links_removed && `${count(usage.links_removed, "link")} removed`,
  ];
  return [tokens, cost, milliseconds && duration(milliseconds), ...removed].filter(Boolean).join(" · ");
}

// Which group of the history a time belongs to.
export function day(seconds) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const age = midnight - seconds * 1000;
  if (age <= 0) return "Today";
  if (age <= 86_400_000) return "Yesterday";
  return age <= 7 * 86_400_000 ? "This week" : "Earlier";
}
