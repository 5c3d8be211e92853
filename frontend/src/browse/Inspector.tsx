import { Link } from "@tanstack/react-router";
import { Columns2, Download, Eye, GitFork, X } from "lucide-react";
import { Button } from "react-aria-components";
import { path, urlOf } from "../api/client";
import { useData, useSession } from "../api/queries";
import type { DataDetail, DataItem } from "../api/types";
import { Failure } from "../ui/Failure";
import { KeyValues } from "./KeyValues";
import { Facts, Origin } from "./Record";
import { Thumbnail } from "./Thumbnail";
import type { Items } from "./useItems";
import type { Selection } from "./useSelection";

interface Props {
  eid: string;
  dataset: string;
  query: string;
  items: Items;
  selection: Selection;
  keys: string[];
}

/** What is known of what is selected. */
export function Inspector({ eid, dataset, query, items, selection, keys }: Props) {
  const [only] = selection.chosen.keys();
  const canWrite = useCanWrite();
  if (selection.count === 0) {
    return (
      <aside className="inspector inspector-empty" aria-label="Details">
        <p className="quiet">
          Select data to see what is known of them. <kbd>Enter</kbd> or a double click opens the viewer, <kbd>Ctrl</kbd>{" "}
          and <kbd>Shift</kbd> select several.
        </p>
      </aside>
    );
  }
  if (selection.chosen.size === 1 && only)
    return (
      <One
        key={only}
        eid={eid}
        dataset={dataset}
        id={only}
        item={items.loaded.find((item) => item.id === only) ?? selection.chosen.get(only)}
        keys={keys}
        onClose={selection.clear}
      />
    );
  const chosen = selection.isAll ? items.loaded : [...selection.chosen.values()];
  return (
    <aside className="inspector" aria-label="Details">
      <header className="inspector-head">
        <h2>{selection.count.toLocaleString("en")} data</h2>
        <Close onClose={selection.clear} />
      </header>
      <div className="mosaic" aria-hidden="true">
        {chosen.slice(0, 12).map((item) => (
          <Thumbnail key={item.id} url={item.thumbnail} format={item.format} size={62} />
        ))}
      </div>
      <KeyValues
        eid={eid}
        dataset={dataset}
        which={selection.isAll ? { query } : { ids: [...selection.chosen.keys()] }}
        values={common(chosen)}
        keys={keys}
        canEdit={canWrite && chosen.every((item) => item.kind === "raw")}
      />
    </aside>
  );
}

function useCanWrite(): boolean {
  const role = useSession().data?.role;
  return role === "annotator" || role === "owner";
}

/** The value that all have of each key; null where they differ. */
export function common(items: DataItem[]): Record<string, string | null> {
  const values: Record<string, string | null> = {};
  for (const item of items) {
    for (const key of new Set([...Object.keys(values), ...Object.keys(item.key_values)])) {
      const value = item.key_values[key] ?? "";
      if (!(key in values)) values[key] = item === items[0] ? value : null;
      else if (values[key] !== value) values[key] = null;
    }
  }
  return values;
}

function Close({ onClose }: { onClose: () => void }) {
  return (
    <Button className="button button-icon" aria-label="Close the details" onPress={onClose}>
      <X size={15} aria-hidden="true" />
    </Button>
  );
}

interface OneProps {
  eid: string;
  dataset: string;
  id: string;
  /** What the list says of it, shown until all is known. */
  item: DataItem | undefined;
  keys: string[];
  onClose: () => void;
}

function One({ eid, dataset, id, item, keys, onClose }: OneProps) {
  const data = useData(id);
  const canWrite = useCanWrite();
  if (data.error) {
    return (
      <aside className="inspector" aria-label="Details">
        <Failure title="These details cannot be read" error={data.error} />
      </aside>
    );
  }
  const detail = data.data;
  const shown = detail ?? item;
  if (!shown) return <aside className="inspector" aria-label="Details" aria-busy="true" />;
  return (
    <aside className="inspector" aria-label="Details">
      <header className="inspector-head">
        <h2>{shown.name}</h2>
        <Close onClose={onClose} />
      </header>
      <Link to="/view/$did" params={{ did: id }} className="preview" aria-label={`View ${shown.name}`}>
        <Thumbnail url={shown.thumbnail} format={shown.format} size={200} />
      </Link>
      {detail ? <Ways detail={detail} /> : null}
      <KeyValues
        key={id}
        eid={eid}
        dataset={dataset}
        which={{ ids: [id] }}
        values={shown.key_values}
        keys={keys}
        canEdit={canWrite && shown.kind === "raw"}
      />
      {detail ? (
        <>
          <Origin detail={detail} />
          <Facts detail={detail} />
        </>
      ) : null}
    </aside>
  );
}

function Ways({ detail }: { detail: DataDetail }) {
  const source = detail.inputs.find((input) => input.id);
  return (
    <div className="ways">
      <Link to="/view/$did" params={{ did: detail.id }} className="button">
        <Eye size={15} aria-hidden="true" />
        View
      </Link>
      {source?.id ? (
        <Link to="/view/$did" params={{ did: source.id }} search={{ beside: detail.id }} className="button">
          <Columns2 size={15} aria-hidden="true" />
          Compare with input
        </Link>
      ) : null}
      <Link to="/lineage/$did" params={{ did: detail.id }} className="button">
        <GitFork size={15} aria-hidden="true" />
        Lineage
      </Link>
      <a className="button" href={urlOf(path`/data/${detail.id}/file`)} download>
        <Download size={15} aria-hidden="true" />
        Download
      </a>
    </div>
  );
}
