import { type RefObject, useEffect, useState } from "react";

/** Whether an element was in sight once: what it needs is asked for then, and not for all at once. */
export function useSeen(element: RefObject<Element | null>): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const at = element.current;
    if (!at || isSeen) return;
    const observer = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && setSeen(true));
    observer.observe(at);
    return () => observer.disconnect();
  }, [element, isSeen]);
  return isSeen;
}
