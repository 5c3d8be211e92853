import { useNavigate } from "@tanstack/react-router";
import { Columns2, Download, Eye, History, Play, Tag, X } from "lucide-react";
import { useState } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { path, urlOf } from "../api/client";
import { useSession } from "../api/queries";
import { AnnotateOverlay } from "./AnnotateOverlay";
import { HistoryOverlay } from "./HistoryOverlay";
import { queryOf } from "./queryOf";
import { StatusChip } from "./StatusBanner";
import { UploadButton } from "./UploadButton";
import type { Items } from "./useItems";
import type { Selection } from "./useSelection";

export interface Chosen {
  eid: string;
  dataset: string;
  query: string;
  output: string;
  items: Items;
  selection: Selection;
}

const EXPORTS = [
  { id: "ro-crate", label: "RO-Crate: data with their provenance" },
  { id: "ome-zarr", label: "OME-Zarr images" },
  { id: "ome-tiff", label: "OME-TIFF images" },
  { id: "data-table", label: "Table of all data and annotations" },
  { id: "measurements", label: "Table of all measurements" },
  { id: "bioimage-archive", label: "Submission to the BioImage Archive" },
];

/** What can be done with what is selected, or with all that the query selects. */
export function Actions({ isRaw, ...chosen }: Chosen & { isRaw: boolean }) {
  const { eid, dataset, query, output, items, selection } = chosen;
  const navigate = useNavigate();
  const role = useSession().data?.role;
  const [isAnnotating, setAnnotating] = useState(false);
  const [isHistory, setHistory] = useState(false);
  const ids = [...selection.chosen.keys()];
  const [first, second] = ids;
  const canWrite = role === "annotator" || role === "owner";
  return (
    <div className="actions" role="toolbar" aria-label="With the data">
      <span className="actions-count" aria-live="polite">
        {selection.count
          ? `${selection.count.toLocaleString("en")} of ${items.total.toLocaleString("en")} selected`
          : `${items.total.toLocaleString("en")} data`}
      </span>
      {selection.count ? (
        <Button className="button button-icon" aria-label="Select nothing" onPress={selection.clear}>
          <X size={14} aria-hidden="true" />
        </Button>
      ) : (
        <Button className="button button-plain" onPress={selection.chooseAll} isDisabled={items.total === 0}>
          Select all
        </Button>
      )}
      {isRaw ? null : <StatusChip eid={eid} dataset={dataset} />}
      <span className="grow" />
      {first && ids.length === 1 ? (
        <Button
          className="button button-plain"
          onPress={() => void navigate({ to: "/view/$did", params: { did: first } })}
        >
          <Eye size={15} aria-hidden="true" />
          <span className="action-name">View</span>
        </Button>
      ) : null}
      {first && second && ids.length === 2 ? (
        <Button
          className="button button-plain"
          onPress={() => void navigate({ to: "/view/$did", params: { did: first }, search: { beside: second } })}
        >
          <Columns2 size={15} aria-hidden="true" />
          <span className="action-name">Compare</span>
        </Button>
      ) : null}
      {canWrite && isRaw ? (
        <Button className="button button-plain" isDisabled={items.total === 0} onPress={() => setAnnotating(true)}>
          <Tag size={15} aria-hidden="true" />
          <span className="action-name">Annotate</span>
        </Button>
      ) : null}
      {role === "owner" ? (
        <Button
          className="button button-plain"
          isDisabled={items.total === 0}
          onPress={() =>
            void navigate({
              to: "/e/$eid/run",
              params: { eid },
              search: { dataset, q: queryOf(query, selection) || undefined, output: output || undefined },
            })
          }
        >
          <Play size={15} aria-hidden="true" />
          <span className="action-name">Run a tool</span>
        </Button>
      ) : null}
      {canWrite && isRaw ? <UploadButton eid={eid} /> : null}
      <MenuTrigger>
        <Button className="button button-plain">
          <Download size={15} aria-hidden="true" />
          <span className="action-name">Export</span>
        </Button>
        <Popover className="popover">
          <Menu
            className="options"
            onAction={(key) => {
              const id = String(key);
              location.assign(
                id === "file"
                  ? urlOf(path`/data/${first ?? ""}/file`)
                  : urlOf(path`/experiments/${eid}/export`, { format: id }),
              );
            }}
          >
            {[...(ids.length === 1 ? [{ id: "file", label: "File of the selected data" }] : []), ...EXPORTS].map(
              (one) => (
                <MenuItem key={one.id} id={one.id} className="option">
                  {one.label}
                </MenuItem>
              ),
            )}
          </Menu>
        </Popover>
      </MenuTrigger>
      <Button className="button button-icon" aria-label="History" onPress={() => setHistory(true)}>
        <History size={15} aria-hidden="true" />
      </Button>
      <AnnotateOverlay chosen={chosen} isOpen={isAnnotating} onClose={() => setAnnotating(false)} />
      <HistoryOverlay eid={eid} isOpen={isHistory} onClose={() => setHistory(false)} canUndo={canWrite} />
    </div>
  );
}
