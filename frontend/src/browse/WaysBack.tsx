import { Link } from "@tanstack/react-router";
import { ArrowLeft, ChartScatter, GitFork } from "lucide-react";
import type { DataDetail } from "../api/types";

/** The ways from a data to where it lies, and to where it comes from. */
export function WaysBack({ detail, hasPlots = false }: { detail: DataDetail; hasPlots?: boolean }) {
  const { experiment: eid, dataset } = detail;
  const place = eid && dataset ? { eid, dataset } : null;
  return (
    <>
      {place ? (
        <Link to="/e/$eid/d/$dataset" params={place} className="button">
          <ArrowLeft size={15} aria-hidden="true" />
          {dataset}
        </Link>
      ) : null}
      <Link to="/lineage/$did" params={{ did: detail.id }} className="button">
        <GitFork size={15} aria-hidden="true" />
        Lineage
      </Link>
      {place && hasPlots ? (
        <Link to="/e/$eid/d/$dataset/plots" params={place} className="button">
          <ChartScatter size={15} aria-hidden="true" />
          Plots
        </Link>
      ) : null}
    </>
  );
}
