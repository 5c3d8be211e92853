import { useCallback, useEffect, useRef, useState } from "react";
import type { DataItem } from "../api/types";
import type { Items } from "./useItems";

export interface Selection {
  /** Where the keyboard is. */
  active: number;
  /** What is selected, by id; empty where all is. */
  chosen: ReadonlyMap<string, DataItem>;
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
  const [chosen, setChosen] = useState<ReadonlyMap<string, DataItem>>(new Map());
  const [isAll, setAll] = useState(false);
  // what is selected may have to be read first: who selects something else meanwhile does not want it any more
  const turn = useRef(0);
  const select = useCallback((next: Iterable<DataItem>, all = false) => {
    turn.current += 1;
    setChosen(new Map(Array.from(next, (item) => [item.id, item])));
    setAll(all);
  }, []);
  const clear = useCallback(() => select([]), [select]);
  // another place is another selection
  useEffect(() => {
    clear();
    setActive(0);
    setAnchor(0);
  }, [place, clear]);

  const choose: Selection["choose"] = (index, { toggle = false, extend = false }) => {
    setActive(index);
    if (!extend) setAnchor(index);
    const own = ++turn.current;
    const read = async (first: number, last: number) => {
      const found = await items.range(first, last);
      return own === turn.current ? found : null;
    };
    const wanted = async () => {
      if (extend) return read(Math.min(anchor, index), Math.max(anchor, index));
      const item = (await read(index, index))?.[0];
      if (!item || !toggle) return item ? [item] : null;
      const before = isAll ? await read(0, items.total - 1) : [...chosen.values()];
      const others = before?.filter((one) => one.id !== item.id);
      return others && others.length === before?.length ? [...others, item] : others;
    };
    // a list that cannot be read is told by the list
    void wanted().then(
      (next) => next && select(next),
      () => undefined,
    );
  };
  return {
    active,
    chosen,
    isAll,
    count: isAll ? items.total : chosen.size,
    isSelected: (id) => isAll || chosen.has(id),
    choose,
    chooseAll: () => select([], true),
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
