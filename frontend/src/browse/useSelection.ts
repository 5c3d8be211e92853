import { useCallback, useEffect, useState } from "react";
import type { Items } from "./useItems";

export interface Selection {
  /** Where the keyboard is. */
  active: number;
  ids: ReadonlySet<string>;
  /** All that the query selects, loaded or not. */
  isAll: boolean;
  count: number;
  isSelected: (id: string) => boolean;
  choose: (index: number, how: { toggle?: boolean; extend?: boolean }) => void;
  chooseAll: () => void;
  clear: () => void;
}

/** Which data are selected, as file managers do it: click, Ctrl or Cmd and click, Shift and click. */
export function useSelection(items: Items, place: string): Selection {
  const [active, setActive] = useState(0);
  const [anchor, setAnchor] = useState(0);
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [isAll, setAll] = useState(false);
  const clear = useCallback(() => {
    setIds(new Set());
    setAll(false);
  }, []);
  // another place is another selection
  useEffect(() => {
    clear();
    setActive(0);
    setAnchor(0);
  }, [place, clear]);

  const choose: Selection["choose"] = (index, { toggle = false, extend = false }) => {
    const item = items.at(index);
    setActive(index);
    if (!item) return;
    setAll(false);
    if (extend) {
      const [first, last] = anchor < index ? [anchor, index] : [index, anchor];
      setIds(new Set(items.loaded.slice(first, last + 1).map((one) => one.id)));
      return;
    }
    setAnchor(index);
    if (toggle) {
      const next = new Set(isAll ? items.loaded.map((one) => one.id) : ids);
      if (!next.delete(item.id)) next.add(item.id);
      setIds(next);
    } else {
      setIds(new Set([item.id]));
    }
  };
  const chooseAll = () => {
    setIds(new Set());
    setAll(true);
  };
  return {
    active,
    ids,
    isAll,
    count: isAll ? items.total : ids.size,
    isSelected: (id) => isAll || ids.has(id),
    choose,
    chooseAll,
    clear,
  };
}

/** What a key does in a list that is `columns` wide. Returns where to go, or null where the key is not ours. */
export function moveBy(key: string, index: number, columns: number, page: number, total: number): number | null {
  const steps: Record<string, number> = {
    ArrowRight: columns > 1 ? 1 : 0,
    ArrowLeft: columns > 1 ? -1 : 0,
    ArrowDown: columns,
    ArrowUp: -columns,
    PageDown: page * columns,
    PageUp: -page * columns,
    Home: -index,
    End: total - 1 - index,
  };
  const step = steps[key];
  if (step === undefined) return null;
  return Math.max(0, Math.min(total - 1, index + step));
}
