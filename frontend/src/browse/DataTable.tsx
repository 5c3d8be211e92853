import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { DataItem } from "../api/types";
import { listKeys } from "./listKeys";
import { Thumbnail } from "./Thumbnail";
import type { Items } from "./useItems";
import type { Selection } from "./useSelection";

interface Props {
  items: Items;
  selection: Selection;
  keys: string[];
  isProcessed: boolean;
  open: (index: number) => void;
}

interface Column {
  id: string;
  title: string;
  width: number;
  show: (item: DataItem) => string;
}

const ROW = 34;

/** The data as rows, with their key-values in columns. */
export function DataTable({ items, selection, keys, isProcessed, open }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const columns = columnsOf(keys, isProcessed);
  const virtualizer = useVirtualizer({
    count: items.total,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
    scrollPaddingStart: ROW,
  });
  const visible = virtualizer.getVirtualItems();
  const first = visible[0]?.index ?? 0;
  const last = visible.at(-1)?.index ?? 0;
  const { reach } = items;
  useEffect(() => reach(first, last), [reach, first, last]);
  useEffect(() => {
    virtualizer.scrollToIndex(selection.active, { align: "auto" });
  }, [selection.active, virtualizer]);
  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? ROW) / ROW) - 2);
  const template = `34px ${columns.map((column) => `minmax(${column.width}px, 1fr)`).join(" ")}`;
  const width = 34 + columns.reduce((sum, column) => sum + column.width + 12, 0);
  return (
    <div
      ref={scroller}
      className="scroller"
      role="grid"
      aria-label="Data"
      aria-multiselectable="true"
      aria-rowcount={items.total + 1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={items.at(selection.active) ? `item-${selection.active}` : undefined}
      tabIndex={0}
      onKeyDown={listKeys({ selection, total: items.total, columns: 1, page, open })}
    >
      <div
        role="row"
        aria-rowindex={1}
        className="trow trow-head"
        style={{ gridTemplateColumns: template, minWidth: width }}
      >
        <span role="columnheader">
          <span className="hidden">Picture</span>
        </span>
        {columns.map((column) => (
          <span role="columnheader" key={column.id}>
            {column.title}
          </span>
        ))}
      </div>
      <div role="rowgroup" className="tbody" style={{ height: virtualizer.getTotalSize(), minWidth: width }}>
        {visible.map((row) => {
          const item = items.at(row.index);
          return (
            <div
              key={row.key}
              id={`item-${row.index}`}
              role="row"
              aria-rowindex={row.index + 2}
              aria-selected={item ? selection.isSelected(item.id) : false}
              data-active={row.index === selection.active || undefined}
              className="trow"
              style={{ gridTemplateColumns: template, transform: `translateY(${row.start}px)` }}
              onClick={(event) =>
                selection.choose(row.index, { toggle: event.ctrlKey || event.metaKey, extend: event.shiftKey })
              }
              onDoubleClick={() => open(row.index)}
            >
              <span role="gridcell">
                {item ? <Thumbnail url={item.thumbnail} format={item.format} size={26} /> : null}
              </span>
              {columns.map((column) => (
                <span role="gridcell" key={column.id} className="ellipsis">
                  {item ? column.show(item) : ""}
                </span>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function columnsOf(keys: string[], isProcessed: boolean): Column[] {
  const fixed: Column[] = [{ id: "name", title: "Name", width: 220, show: (item) => item.name }];
  if (isProcessed) fixed.push({ id: "output", title: "Output", width: 120, show: (item) => item.output?.label ?? "" });
  return [
    ...fixed,
    ...keys.map((key) => ({
      id: `key ${key}`,
      title: key,
      width: 110,
      show: (item: DataItem) => item.key_values[key] ?? "",
    })),
    { id: "author", title: "Author", width: 90, show: (item) => item.author },
    { id: "date", title: "Date", width: 100, show: (item) => item.date },
    { id: "format", title: "Format", width: 100, show: (item) => item.format },
  ];
}
