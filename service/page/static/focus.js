// Giving the focus to what appears, with all of its form in view.
import { useLayoutEffect, useRef } from "./html.js";

export function useFocus() {
  const element = useRef(null);
  useLayoutEffect(() => {
    element.current.focus();
    element.current.form?.scrollIntoView({ block: "nearest" });
  }, []);
  return element;
}
