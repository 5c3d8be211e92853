import * as Plot from "@observablehq/plot";
import { useCallback, useMemo } from "react";
import type { Measurements } from "../api/types";
import { Chart } from "./Chart";
import { pointsOf, type Summary, shortened, summaries, thinned } from "./table";

interface Props {
  table: Measurements;
  y: string;
  by: string;
  open: (did: string) => void;
}

/** How a measurement is distributed in each group: every value as a dot, median and quartiles as a box. */
export function Distribution({ table, y, by, open }: Props) {
  const points = useMemo(() => pointsOf(table, y, y, by), [table, y, by]);
  const groups = useMemo(() => summaries(points), [points]);
  const make = useCallback(
    (width: number, height: number): Plot.PlotOptions => {
      const dots = thinned(points);
      const jitter = (index: number) => ((index * 0.618034) % 1) - 0.5; // spread evenly, the same each time
      const order = groups.map((group) => group.group);
      const spread = Math.min(0.6, 90 / (width / Math.max(1, order.length)));
      const placed = dots.map((point, index) => ({
        ...point,
        place: order.indexOf(point.group) + jitter(index) * spread,
      }));
      const most = Math.max(6, Math.floor((width - 80) / Math.max(1, order.length) / 8));
      const named = (place: number) => shortened(order[Math.round(place)] ?? "", most);
      return {
        width,
        height,
        marginLeft: 64,
        marginBottom: 44,
        marginTop: 30,
        style: { fontSize: "12px" },
        x: {
          domain: [-0.5, order.length - 0.5],
          ticks: order.map((_, index) => index),
          tickFormat: named,
          label: by || null,
          labelAnchor: "center",
        },
        y: { label: y, grid: true, nice: true, tickFormat: "~s" },
        marks: [
          Plot.dot(placed, { x: "place", y: "y", r: 2.2, fill: "var(--accent)", fillOpacity: 0.55 }),
          Plot.rect(groups, {
            x1: (group: Summary) => order.indexOf(group.group) - spread / 2 - 0.04,
            x2: (group: Summary) => order.indexOf(group.group) + spread / 2 + 0.04,
            y1: "low",
            y2: "high",
            fill: "none",
            stroke: "var(--text)",
            strokeWidth: 1.2,
          }),
          Plot.link(groups, {
            x1: (group: Summary) => order.indexOf(group.group) - spread / 2 - 0.04,
            x2: (group: Summary) => order.indexOf(group.group) + spread / 2 + 0.04,
            y1: "median",
            y2: "median",
            stroke: "var(--text)",
            strokeWidth: 2.4,
          }),
          Plot.dot(placed, Plot.pointer({ x: "place", y: "y", r: 5, stroke: "var(--accent)", strokeWidth: 2 })),
        ],
      };
    },
    [points, groups, y, by],
  );
  return (
    <>
      <Chart label={`Distribution of ${y}${by ? ` by ${by}` : ""}`} make={make} open={open} />
      <SummaryTable groups={groups} y={y} by={by} />
    </>
  );
}

function SummaryTable({ groups, y, by }: { groups: Summary[]; y: string; by: string }) {
  const short = (value: number) => Number(value.toPrecision(4)).toLocaleString("en");
  return (
    <table className="summary">
      <caption>{y}: a dot is a value, a click on it opens its image; the box goes from quartile to quartile.</caption>
      <thead>
        <tr>
          <th scope="col">{by || "Group"}</th>
          <th scope="col">n</th>
          <th scope="col">Median</th>
          <th scope="col">First quartile</th>
          <th scope="col">Third quartile</th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={group.group}>
            <th scope="row">{group.group || (by ? "none" : "all")}</th>
            <td>{group.n.toLocaleString("en")}</td>
            <td>{short(group.median)}</td>
            <td>{short(group.low)}</td>
            <td>{short(group.high)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
