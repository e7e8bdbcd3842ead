// Giving the focus to what appears.
import { useLayoutEffect, useRef } from "./html.js";

export function useFocus() {
  const element = useRef(null);
  useLayoutEffect(() => element.current.focus(), []);
  return element;
}
