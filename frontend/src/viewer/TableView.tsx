import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { get, path } from "../api/client";
import type { DataDetail } from "../api/types";
import { WaysBack } from "../browse/WaysBack";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { ImageFacts } from "./ImageFacts";

interface TablePage {
  columns: string[];
  rows: (string | number | null)[][];
  next: string | null;
}

const ROW = 28;

/** A table of measurements, row by row. */
export function TableView({ detail }: { detail: DataDetail }) {
  return (
    <div className="viewer">
      <h1 className="hidden">{detail.name}</h1>
      <div className="stage stage-table">
        <Rows did={detail.id} name={detail.name} />
      </div>
      <aside className="inspector viewer-side" aria-label="Details">
        <div className="ways">
          <WaysBack detail={detail} hasPlots />
        </div>
        <ImageFacts detail={detail} info={undefined} />
      </aside>
    </div>
  );
}

function Rows({ did, name }: { did: string; name: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const pages = useInfiniteQuery({
    queryKey: ["table", did],
    queryFn: ({ pageParam }) => get<TablePage>(path`/data/${did}/table`, { cursor: pageParam, limit: 500 }),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    retry: false,
  });
  const rows = pages.data?.pages.flatMap((page) => page.rows) ?? [];
  const columns = pages.data?.pages[0]?.columns ?? [];
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const visible = virtualizer.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;
  const { hasNextPage, isFetching, fetchNextPage } = pages;
  useEffect(() => {
    if (last >= rows.length - 30 && hasNextPage && !isFetching) void fetchNextPage();
  }, [last, rows.length, hasNextPage, isFetching, fetchNextPage]);
  if (pages.error) return <Failure title="This table cannot be read" error={pages.error} />;
  if (pages.isPending) return <Loading what="Reading the table" />;
  const template = `repeat(${columns.length}, minmax(96px, 1fr))`;
  const width = columns.length * 108;
  return (
    <div
      ref={scroller}
      className="scroller"
      role="table"
      aria-label={name}
      aria-rowcount={rows.length + 1}
      tabIndex={0}
    >
      <div
        role="row"
        aria-rowindex={1}
        className="trow trow-head"
        style={{ gridTemplateColumns: template, minWidth: width }}
      >
        {columns.map((column) => (
          <span role="columnheader" key={column} className="ellipsis">
            {column}
          </span>
        ))}
      </div>
      <div role="rowgroup" className="tbody" style={{ height: virtualizer.getTotalSize(), minWidth: width }}>
        {visible.map((row) => (
          <div
            key={row.key}
            role="row"
            aria-rowindex={row.index + 2}
            className="trow trow-short"
            style={{ gridTemplateColumns: template, transform: `translateY(${row.start}px)` }}
          >
            {rows[row.index]?.map((cell, at) => (
              <span role="cell" key={columns[at]} className="ellipsis">
                {typeof cell === "number" ? Number(cell.toPrecision(6)) : (cell ?? "")}
              </span>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}
