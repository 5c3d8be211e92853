import { getRouteApi } from "@tanstack/react-router";
import { LayoutGrid, Rows3 } from "lucide-react";
import { useState } from "react";
import { Label, Slider, SliderThumb, SliderTrack, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { useExperiment, useRuns } from "../api/queries";
import { Choice } from "../ui/Choice";
import { Failure, Nothing } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Actions } from "./Actions";
import { DataTable } from "./DataTable";
import { Inspector } from "./Inspector";
import { QueryField } from "./QueryField";
import { StatusBanner } from "./StatusBanner";
import { Thumbnails } from "./Thumbnails";
import { useItems } from "./useItems";
import { useSelection } from "./useSelection";

const route = getRouteApi("/e/$eid/d/$dataset");

/** The data of a dataset: found, looked at, selected, and what can be done with them. */
export function DatasetPage() {
  const { eid, dataset } = route.useParams();
  const { q = "", output = "", view } = route.useSearch();
  const navigate = route.useNavigate();
  const experiment = useExperiment(eid);
  const items = useItems(eid, dataset, q, output, view === "table");
  const selection = useSelection(items, `${eid} ${dataset} ${q} ${output}`);
  const [size, setSize] = useState(136);

  if (experiment.error) return <Failure title="This experiment cannot be read" error={experiment.error} />;
  const summary = experiment.data?.datasets.find((one) => one.name === dataset);
  if (experiment.data && !summary) return <Failure title={`There is no dataset ${dataset}`} />;
  const isProcessed = summary?.kind === "processed";
  const keys = experiment.data?.keys ?? [];
  const search = (change: { q?: string; output?: string; view?: "table" }) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const open = (index: number) => {
    const item = items.at(index);
    if (item) void navigate({ to: "/view/$did", params: { did: item.id } });
  };
  const list = { items, selection, open };
  return (
    <div className="browse">
      <h1 className="hidden">
        {dataset} of {experiment.data?.name}
      </h1>
      <div className="toolbar">
        <QueryField
          key={`${eid} ${dataset}`}
          eid={eid}
          dataset={dataset}
          query={q}
          onQuery={(text) => search({ q: text || undefined })}
          error={items.error}
        />
        {isProcessed ? (
          <OutputChoice
            eid={eid}
            dataset={dataset}
            output={output}
            items={items.loaded}
            onChange={(name) => search({ output: name || undefined })}
          />
        ) : null}
        <span className="grow" />
        {view === "table" ? null : <SizeSlider size={size} onChange={setSize} />}
        <ToggleButtonGroup
          aria-label="Show as"
          className="segmented"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[view ?? "grid"]}
          onSelectionChange={([key]) => search({ view: key === "table" ? "table" : undefined })}
        >
          <ToggleButton id="grid" aria-label="Thumbnails">
            <LayoutGrid size={15} aria-hidden="true" />
          </ToggleButton>
          <ToggleButton id="table" aria-label="Table">
            <Rows3 size={15} aria-hidden="true" />
          </ToggleButton>
        </ToggleButtonGroup>
      </div>
      {isProcessed ? <StatusBanner eid={eid} dataset={dataset} /> : null}
      <Actions
        eid={eid}
        dataset={dataset}
        query={q}
        output={output}
        items={items}
        selection={selection}
        isRaw={summary?.kind === "raw"}
      />
      <div className="browse-body">
        {items.isPending ? (
          <Loading what="Loading data" />
        ) : items.error ? (
          <Nothing title="Nothing to show">
            <p>The query above is not understood.</p>
          </Nothing>
        ) : items.total === 0 ? (
          <Nothing title={q ? "No data match this query" : "This dataset is empty"}>
            {q ? null : (
              <p>
                Upload files here, or import a folder with <code>bioimageit import</code>.
              </p>
            )}
          </Nothing>
        ) : view === "table" ? (
          <DataTable {...list} keys={keys} isProcessed={isProcessed} />
        ) : (
          <Thumbnails {...list} size={size} />
        )}
        <Inspector eid={eid} dataset={dataset} query={q} items={items} selection={selection} keys={keys} />
      </div>
    </div>
  );
}

function SizeSlider({ size, onChange }: { size: number; onChange: (size: number) => void }) {
  return (
    <Slider
      className="slider slider-small wide-only"
      value={size}
      minValue={72}
      maxValue={280}
      step={8}
      onChange={onChange}
    >
      <Label className="hidden">Size of thumbnails</Label>
      <SliderTrack className="slider-track">
        <SliderThumb className="slider-thumb" />
      </SliderTrack>
    </Slider>
  );
}

interface OutputProps {
  eid: string;
  dataset: string;
  output: string;
  items: { output?: { name: string; label: string } | null }[];
  onChange: (name: string) => void;
}

/** Which output of the tool is looked at, where it has several. */
function OutputChoice({ eid, dataset, output, items, onChange }: OutputProps) {
  const runs = useRuns(eid, dataset).data;
  const [known, setKnown] = useState<Record<string, string>>({});
  const found = { ...known };
  for (const item of items) if (item.output) found[item.output.name] = item.output.label || item.output.name;
  if (Object.keys(found).length > Object.keys(known).length) setKnown(found);
  if (!runs || (Object.keys(found).length < 2 && !output)) return null;
  const options = [
    { value: "", label: "All outputs" },
    ...Object.entries(found).map(([value, label]) => ({ value, label })),
  ];
  return <Choice label="Output" isLabelHidden options={options} value={output} onChange={onChange} />;
}
