import type { KeyboardEvent } from "react";
import { moveBy, type Selection } from "./useSelection";

interface Ways {
  selection: Selection;
  total: number;
  columns: number;
  page: number;
  open: (index: number) => void;
}

/** The keyboard in a list of data: arrows go, Shift extends, Space toggles, Enter opens, Ctrl+A selects all. */
export function listKeys({ selection, total, columns, page, open }: Ways) {
  return (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget) return;
    if (event.key === "Enter") open(selection.active);
    else if (event.key === " ") selection.choose(selection.active, { toggle: true });
    else if (event.key === "Escape") selection.clear();
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) selection.chooseAll();
    else {
      const next = moveBy(event.key, selection.active, columns, page, total);
      if (next === null) return;
      selection.choose(next, { extend: event.shiftKey });
    }
    event.preventDefault();
  };
}
