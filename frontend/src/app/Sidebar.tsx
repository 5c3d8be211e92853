import { Link, useParams } from "@tanstack/react-router";
import { ChartScatter, FlaskConical, GitFork, Images, Layers, TriangleAlert, Wand } from "lucide-react";
import { useData, useExperiment, useSession, useStatus } from "../api/queries";
import type { DatasetSummary } from "../api/types";
import { isStale } from "../browse/staleness";

/** The datasets of an experiment, each with how many it has and whether it is up to date. */
export function Sidebar({ eid }: { eid: string }) {
  const experiment = useExperiment(eid).data;
  const isOwner = useSession().data?.role === "owner";
  const current = useCurrentDataset() ?? "data";
  return (
    <nav className="sidebar" aria-label="Datasets">
      <div className="sidebar-head">
        <FlaskConical size={15} aria-hidden="true" />
        <strong>{experiment?.name ?? "…"}</strong>
        <span className="quiet">{experiment ? `${experiment.author || "no author"} · ${experiment.date}` : ""}</span>
      </div>
      <h2>Raw</h2>
      <ul>
        {experiment?.datasets
          .filter((dataset) => dataset.kind === "raw")
          .map((dataset) => (
            <DatasetLink key={dataset.name} eid={eid} dataset={dataset} />
          ))}
      </ul>
      <h2>Processed</h2>
      <ul>
        {experiment?.datasets
          .filter((dataset) => dataset.kind === "processed")
          .map((dataset) => (
            <DatasetLink key={dataset.name} eid={eid} dataset={dataset} />
          ))}
      </ul>
      {experiment?.datasets.some((dataset) => dataset.kind === "processed") ? null : (
        <p className="quiet sidebar-note">Nothing processed yet.</p>
      )}
      <h2>Look</h2>
      <ul>
        <li>
          <Link to="/e/$eid/d/$dataset/lineage" params={{ eid, dataset: current }} className="sidebar-link">
            <GitFork size={15} aria-hidden="true" />
            Lineage
          </Link>
        </li>
        <li>
          <Link to="/e/$eid/d/$dataset/plots" params={{ eid, dataset: current }} className="sidebar-link">
            <ChartScatter size={15} aria-hidden="true" />
            Plots
          </Link>
        </li>
        {isOwner ? (
          <li>
            <Link to="/e/$eid/run" params={{ eid }} search={{ dataset: current }} className="sidebar-link">
              <Wand size={15} aria-hidden="true" />
              Run a tool
            </Link>
          </li>
        ) : null}
      </ul>
    </nav>
  );
}

function useCurrentDataset(): string | undefined {
  const { dataset, did } = useParams({ strict: false }) as { dataset?: string; did?: string };
  const data = useData(did);
  return dataset ?? data.data?.dataset ?? undefined;
}

function DatasetLink({ eid, dataset }: { eid: string; dataset: DatasetSummary }) {
  const status = useStatus(eid, dataset.name, dataset.kind === "processed").data;
  const Icon = dataset.kind === "raw" ? Images : Layers;
  return (
    <li>
      <Link
        to="/e/$eid/d/$dataset"
        params={{ eid, dataset: dataset.name }}
        activeOptions={{ exact: true, includeSearch: false }}
        className="sidebar-link"
      >
        <Icon size={15} aria-hidden="true" />
        <span className="ellipsis">{dataset.name}</span>
        {isStale(status) ? <TriangleAlert size={14} className="warn" role="img" aria-label="out of date" /> : null}
        <span className="count">{dataset.size.toLocaleString("en")}</span>
      </Link>
    </li>
  );
}
