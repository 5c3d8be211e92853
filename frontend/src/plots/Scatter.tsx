import * as Plot from "@observablehq/plot";
import { useCallback, useMemo } from "react";
import type { Measurements } from "../api/types";
import { Chart } from "./Chart";
import { pointsOf, thinned } from "./table";

interface Props {
  table: Measurements;
  x: string;
  y: string;
  by: string;
  open: (did: string) => void;
}

/** One measurement against another. */
export function Scatter({ table, x, y, by, open }: Props) {
  const points = useMemo(() => pointsOf(table, x, y, by), [table, x, y, by]);
  const shown = useMemo(() => thinned(points), [points]);
  const make = useCallback(
    (width: number, height: number): Plot.PlotOptions => ({
      width,
      height,
      marginLeft: 64,
      marginBottom: 44,
      marginTop: 30,
      style: { fontSize: "12px" },
      x: { label: x, grid: true, nice: true, tickFormat: "~s", labelAnchor: "center" },
      y: { label: y, grid: true, nice: true, tickFormat: "~s" },
      color: { scheme: "Observable10", legend: false },
      marks: [
        Plot.dot(shown, { x: "x", y: "y", r: 2.6, fill: by ? "group" : "var(--accent)", fillOpacity: 0.8 }),
        Plot.dot(shown, Plot.pointer({ x: "x", y: "y", r: 6, stroke: "var(--text)", strokeWidth: 2 })),
      ],
    }),
    [shown, x, y, by],
  );
  const groups = by ? [...new Set(shown.map((point) => point.group))] : [];
  const colors = Plot.scale({ color: { scheme: "Observable10", domain: groups, type: "categorical" } });
  return (
    <>
      {groups.length ? (
        <ul className="legend" aria-label={by}>
          {groups.map((group) => (
            <li key={group}>
              <span className="swatch" style={{ background: String(colors.apply(group)) }} aria-hidden="true" />
              {group || "none"}
            </li>
          ))}
        </ul>
      ) : null}
      <Chart label={`${y} against ${x}`} make={make} open={open} />
      <p className="quiet plot-note">
        A click on a point opens the image that it was measured in.
        {shown.length < points.length
          ? ` ${shown.length.toLocaleString("en")} of ${points.length.toLocaleString("en")} points are drawn.`
          : ""}
      </p>
    </>
  );
}
