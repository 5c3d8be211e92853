import { useQueries, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { get, path } from "../api/client";
import type { DataItem, Page } from "../api/types";

const WINDOW = 200;
/** How many windows are kept up to date: those in sight and the last ones that were. */
const KEPT = 8;
const LARGEST_PAGE = 1000;
/** Windows that are only scrolled past within this time, in milliseconds, are not asked for. */
const REST = 80;

export interface Items {
  total: number;
  at: (index: number) => DataItem | undefined;
  loaded: DataItem[];
  /** Load the windows that the items from `first` to `last` are in. */
  reach: (first: number, last: number) => void;
  /** Give the items from `first` to `last`, read where they are not loaded. */
  range: (first: number, last: number) => Promise<DataItem[]>;
  isPending: boolean;
  error: unknown;
}

/** The data of a dataset that a query selects; only the windows that are looked at are read, wherever they stand. */
export function useItems(eid: string, dataset: string, query: string, output: string, inherited: boolean): Items {
  const read = useCallback(
    (offset: number, limit: number, signal?: AbortSignal) =>
      get<Page<DataItem>>(
        path`/experiments/${eid}/datasets/${dataset}/data`,
        { query, output, offset, limit, inherited: inherited || null },
        signal,
      ),
    [eid, dataset, query, output, inherited],
  );
  const key = useMemo(
    () => ["items", eid, dataset, query, output, String(inherited)],
    [eid, dataset, query, output, inherited],
  );
  const [windows, reach] = useWindows(key);
  const options = (window: number) => ({
    queryKey: [...key, window],
    queryFn: ({ signal }: { signal: AbortSignal }) => read(window * WINDOW, WINDOW, signal),
    retry: false,
  });
  const first = useQuery(options(0));
  const pages = useQueries({
    queries: windows.map(options),
    combine: useCallback(
      (results: { data?: Page<DataItem> }[]) =>
        new Map(windows.map((window, place) => [window, results[place]?.data?.items])),
      [windows],
    ),
  });
  const at = useCallback(
    (index: number) => {
      const window = Math.floor(index / WINDOW);
      return (window === 0 ? first.data?.items : pages.get(window))?.[index % WINDOW];
    },
    [first.data, pages],
  );
  const loaded = useMemo(
    () => [...(first.data?.items ?? []), ...[...pages.values()].flatMap((items) => items ?? [])],
    [first.data, pages],
  );
  const range = async (from: number, to: number) => {
    const items: DataItem[] = [];
    for (let index = from; index <= to;) {
      const item = at(index);
      const found = item ? [item] : (await read(index, Math.min(LARGEST_PAGE, to + 1 - index))).items;
      if (found.length === 0) break;
      items.push(...found);
      index += found.length;
    }
    return items;
  };
  return {
    total: first.data?.total ?? 0,
    at,
    loaded,
    reach,
    range,
    isPending: first.isPending,
    error: first.error,
  };
}

/** Which windows after the first are looked at or were just now, and how to look at others. */
function useWindows(key: string[]): [number[], Items["reach"]] {
  const [windows, setWindows] = useState<number[]>([]);
  const timer = useRef<number>(undefined);
  useEffect(() => {
    setWindows([]);
    return () => clearTimeout(timer.current);
  }, [key]);
  const reach = useCallback(
    (first: number, last: number) => {
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => {
        setWindows((before) => {
          const seen: number[] = [];
          for (let at = Math.max(1, Math.floor(first / WINDOW)); at <= Math.floor(last / WINDOW); at++) seen.push(at);
          if (seen.every((one) => before.includes(one))) return before;
          return [...seen, ...before.filter((one) => !seen.includes(one))].slice(0, Math.max(KEPT, seen.length));
        });
      }, REST);
    },
    [key],
  );
  return [windows, reach];
}
