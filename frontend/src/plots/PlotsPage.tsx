import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { useExperiment, useMeasurements } from "../api/queries";
import type { Measurements } from "../api/types";
import { Choice } from "../ui/Choice";
import { Failure, Nothing } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Distribution } from "./Distribution";
import { Scatter } from "./Scatter";
import { numberColumns, textColumns } from "./table";

const route = getRouteApi("/e/$eid/d/$dataset/plots");

/** Plots of the measurements in a dataset of tables, joined with the annotations of what was measured. */
export function PlotsPage() {
  const { eid, dataset } = route.useParams();
  const navigate = route.useNavigate();
  const measurements = useMeasurements(eid, dataset);
  const experiment = useExperiment(eid).data;
  const keys = useMemo(() => experiment?.keys ?? [], [experiment]);
  const datasets = experiment?.datasets.filter((one) => one.kind === "processed") ?? [];
  const hasNone = Boolean(measurements.error) || measurements.data?.rows.length === 0;
  return (
    <div className="page plots">
      <div className="page-head">
        <h1>Plots</h1>
        {datasets.length ? (
          <Choice
            label="Dataset"
            isLabelHidden
            options={datasets.map((one) => ({ value: one.name, label: one.name }))}
            value={dataset}
            onChange={(name) => void navigate({ params: { eid, dataset: name }, search: {} })}
          />
        ) : null}
      </div>
      {measurements.isPending ? <Loading what="Reading the measurements" /> : null}
      {hasNone ? (
        <Nothing title="There are no measurements in this dataset">
          {measurements.error ? <Failure title="They cannot be read" error={measurements.error} /> : null}
          <p>Tools that write tables make some; choose their output dataset above.</p>
        </Nothing>
      ) : null}
      {measurements.data && !hasNone ? <Plots table={measurements.data} keys={keys} /> : null}
    </div>
  );
}

function Plots({ table, keys }: { table: Measurements; keys: string[] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const numbers = useMemo(() => numberColumns(table), [table]);
  const texts = useMemo(() => textColumns(table, keys), [table, keys]);
  const kind = search.kind ?? "distribution";
  const y = numbers.includes(search.y ?? "") ? (search.y as string) : (numbers[numbers.length > 1 ? 1 : 0] ?? "");
  const x = numbers.includes(search.x ?? "") ? (search.x as string) : (numbers.find((name) => name !== y) ?? y);
  const by = search.by === "-" ? "" : texts.includes(search.by ?? "") ? (search.by as string) : (texts[0] ?? "");
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const open = (did: string) => void navigate({ to: "/view/$did", params: { did } });
  const options = (names: string[]) => names.map((name) => ({ value: name, label: name }));
  if (!y) return <Nothing title="No column of these tables holds numbers" />;
  return (
    <Tabs selectedKey={kind} onSelectionChange={(key) => set({ kind: key === "scatter" ? "scatter" : undefined })}>
      <div className="plot-bar">
        <TabList aria-label="Plot" className="tabs">
          <Tab id="distribution" className="tab">
            Distribution
          </Tab>
          <Tab id="scatter" className="tab">
            Scatter
          </Tab>
        </TabList>
        {kind === "scatter" ? (
          <Choice label="X" options={options(numbers)} value={x} onChange={(name) => set({ x: name })} />
        ) : null}
        <Choice
          label={kind === "scatter" ? "Y" : "Measurement"}
          options={options(numbers)}
          value={y}
          onChange={(name) => set({ y: name })}
        />
        <Choice
          label={kind === "scatter" ? "Colour by" : "Group by"}
          options={[{ value: "", label: "nothing" }, ...options(texts)]}
          value={by}
          onChange={(name) => set({ by: name || "-" })}
        />
        <span className="quiet">
          {table.rows.length.toLocaleString("en")} rows{table.truncated ? ", the first of more" : ""}
        </span>
      </div>
      <TabPanel id="distribution">
        <Distribution table={table} y={y} by={by} open={open} />
      </TabPanel>
      <TabPanel id="scatter">
        <Scatter table={table} x={x} y={y} by={by} open={open} />
      </TabPanel>
    </Tabs>
  );
}
