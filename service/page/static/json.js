// JSON whose numbers stay as they are written, where they are only shown and sent back.

// Members whose numbers nobody calculates with here.
const SHOWN = new Set(["args", "resolved", "result"]);

// False in browsers of before April 2025, which round long numbers.
export const exact = Boolean(JSON.rawJSON);

// Reads what the service sends.
export const parse = (text) => (exact ? countable(asWritten(text)) : JSON.parse(text));

// Reads JSON; a number that would be written in another way becomes raw JSON.
export const asWritten = (text) =>
  JSON.parse(text, (_name, value, { source } = {}) =>
    typeof value === "number" && String(value) !== source ? JSON.rawJSON(source) : value,
  );

function countable(value) {
  if (value === null || typeof value !== "object") return value;
  if (JSON.isRawJSON(value)) return Number(value.rawJSON);
  for (const name of Object.keys(value)) if (!SHOWN.has(name)) value[name] = countable(value[name]);
  return value;
}
