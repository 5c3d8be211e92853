import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { get, path } from "../api/client";
import type { DataItem, Page } from "../api/types";

const FIRST_PAGE = 200;
const PAGE = 1000;

export interface Items {
  total: number;
  at: (index: number) => DataItem | undefined;
  loaded: DataItem[];
  /** Load on until the item at `index` is there. */
  reach: (index: number) => void;
  isPending: boolean;
  error: unknown;
}

/** The data of a dataset that a query selects, read page by page as they come into sight. */
export function useItems(eid: string, dataset: string, query: string, output: string): Items {
  const pages = useInfiniteQuery<Page<DataItem>, Error, InfiniteData<Page<DataItem>>, string[], string | null>({
    queryKey: ["items", eid, dataset, query, output],
    queryFn: ({ pageParam, signal }) =>
      get(
        path`/experiments/${eid}/datasets/${dataset}/data`,
        { query, output, cursor: pageParam, limit: pageParam === null ? FIRST_PAGE : PAGE },
        signal,
      ),
    initialPageParam: null,
    getNextPageParam: (last) => last.next,
    retry: false,
  });
  const loaded = useMemo(() => pages.data?.pages.flatMap((page) => page.items) ?? [], [pages.data]);
  const { hasNextPage, isFetching, fetchNextPage } = pages;
  const reach = useCallback(
    (index: number) => {
      if (index >= loaded.length - FIRST_PAGE / 2 && hasNextPage && !isFetching) void fetchNextPage();
    },
    [loaded.length, hasNextPage, isFetching, fetchNextPage],
  );
  const total = pages.data?.pages[0]?.total ?? loaded.length + (hasNextPage ? 1 : 0);
  return {
    total,
    at: useCallback((index: number) => loaded[index], [loaded]),
    loaded,
    reach,
    isPending: pages.isPending,
    error: pages.error,
  };
}
