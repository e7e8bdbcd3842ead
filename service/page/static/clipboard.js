// Copying texts.
import { notify } from "./notices.js";

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    notify("The browser did not allow copying. Pages served over HTTPS may copy.", "error");
    throw new Error("nothing was copied");
  }
}
