import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useEffect, useRef } from "react";
import type { DataItem } from "../api/types";
import { useWidth } from "../ui/useSize";
import { listKeys } from "./listKeys";
import { Thumbnail } from "./Thumbnail";
import type { Items } from "./useItems";
import type { Selection } from "./useSelection";

interface Props {
  items: Items;
  selection: Selection;
  /** Least side of a thumbnail, in CSS pixels: they grow until a row is full. */
  size: number;
  open: (index: number) => void;
}

const CAPTION = 40;
const GAP = 8;
const PADDING = 12;

/** A wall of thumbnails of which only what is in sight exists. */
export function Thumbnails({ items, selection, size: least, open }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const width = useWidth(scroller);
  const columns = Math.max(1, Math.floor((width - 2 * PADDING + GAP) / (least + GAP)));
  const size = width > 0 ? Math.floor((width - 2 * PADDING + GAP) / columns) - GAP : least;
  const rows = Math.ceil(items.total / columns);
  const rowHeight = size + CAPTION + GAP;
  const virtualizer = useVirtualizer({
    count: rows,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 3,
    paddingStart: PADDING,
    paddingEnd: PADDING,
    scrollPaddingStart: PADDING,
    scrollPaddingEnd: PADDING,
  });
  const visible = virtualizer.getVirtualItems();
  const first = (visible[0]?.index ?? 0) * columns;
  const last = Math.min(((visible.at(-1)?.index ?? 0) + 1) * columns, items.total) - 1;
  const { reach } = items;
  useEffect(() => reach(first, last), [reach, first, last]);
  // sizes are kept until they are measured anew
  useEffect(() => virtualizer.measure(), [rowHeight, virtualizer]);
  const activeRow = Math.floor(selection.active / columns);
  useEffect(() => {
    virtualizer.scrollToIndex(activeRow, { align: "auto" });
  }, [activeRow, virtualizer]);

  const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? rowHeight) / rowHeight));
  return (
    <div
      ref={scroller}
      className="scroller"
      role="listbox"
      aria-label="Data"
      aria-multiselectable="true"
      aria-activedescendant={items.at(selection.active) ? `item-${selection.active}` : undefined}
      tabIndex={0}
      onKeyDown={listKeys({ selection, total: items.total, columns, page, open })}
    >
      <div className="wall" role="presentation" style={{ height: virtualizer.getTotalSize() }}>
        {visible.map((row) => (
          <div
            key={row.key}
            className="wall-row"
            role="presentation"
            style={{ transform: `translateY(${row.start}px)`, gap: GAP, padding: `0 ${PADDING}px` }}
          >
            {Array.from({ length: Math.min(columns, items.total - row.index * columns) }, (_, column) => {
              const index = row.index * columns + column;
              return (
                <Cell
                  key={index}
                  index={index}
                  item={items.at(index)}
                  total={items.total}
                  size={size}
                  selection={selection}
                  open={open}
                />
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}

interface CellProps extends Omit<Props, "items"> {
  index: number;
  item: DataItem | undefined;
  total: number;
}

function Cell({ index, item, total, size, selection, open }: CellProps) {
  if (!item)
    return <div className="cell cell-empty" role="presentation" style={{ width: size, height: size + CAPTION }} />;
  const choose = (event: MouseEvent) =>
    selection.choose(index, { toggle: event.ctrlKey || event.metaKey, extend: event.shiftKey });
  const values = Object.values(item.key_values).filter(Boolean);
  return (
    <div
      id={`item-${index}`}
      className="cell"
      role="option"
      aria-selected={selection.isSelected(item.id)}
      aria-setsize={total}
      aria-posinset={index + 1}
      data-active={index === selection.active || undefined}
      style={{ width: size }}
      onClick={choose}
      onDoubleClick={() => open(index)}
    >
      <Thumbnail url={item.thumbnail} format={item.format} size={size} />
      <span className="cell-name">{item.name}</span>
      <span className="cell-values">{values.length ? values.join(" · ") : (item.output?.label ?? item.format)}</span>
    </div>
  );
}
