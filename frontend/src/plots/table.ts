/** A table of measurements as plots want it. */

import type { Measurements } from "../api/types";

export interface Point {
  x: number;
  y: number;
  group: string;
  did: string;
}

const MOST_GROUPS = 24;
const MOST_POINTS = 4000;

export const numberColumns = (table: Measurements): string[] =>
  table.columns.filter((column) => column.type === "number").map((column) => column.name);

/** The columns that tell few enough groups apart to be seen. */
export function textColumns(table: Measurements, keys: string[]): string[] {
  return table.columns
    .map((column, at) => ({ column, values: new Set(table.rows.map((row) => row[at])) }))
    .filter(({ column, values }) => column.type === "text" && values.size <= MOST_GROUPS)
    .sort((a, b) => rank(b) - rank(a))
    .map(({ column }) => column.name);

  function rank({ column, values }: { column: { name: string }; values: Set<unknown> }): number {
    return 2 * Number(values.size > 1) + Number(keys.includes(column.name)); // annotations first
  }
}

export function pointsOf(table: Measurements, x: string, y: string, by: string): Point[] {
  const [atX, atY, atBy] = [x, y, by].map((name) => table.columns.findIndex((column) => column.name === name));
  return table.rows.flatMap((row, index) => {
    const [px, py] = [row[atX ?? -1], row[atY ?? -1]];
    if (typeof px !== "number" || typeof py !== "number") return [];
    return [{ x: px, y: py, group: String(row[atBy ?? -1] ?? ""), did: table.data_ids[index] ?? "" }];
  });
}

/** Every n-th point where there are more than can be drawn: the same ones each time. */
export function thinned(points: Point[]): Point[] {
  const step = Math.ceil(points.length / MOST_POINTS);
  return step > 1 ? points.filter((_, index) => index % step === 0) : points;
}

/** Shorten a text in its middle. */
export function shortened(text: string, most: number): string {
  const part = Math.max(1, Math.floor((most - 1) / 2));
  return text.length > most ? `${text.slice(0, part)}…${text.slice(-part)}` : text;
}

export interface Summary {
  group: string;
  n: number;
  median: number;
  low: number;
  high: number;
}

/** Count, median and quartiles of each group. */
export function summaries(points: Point[]): Summary[] {
  const groups = new Map<string, number[]>();
  for (const point of points) {
    const values = groups.get(point.group);
    if (values) values.push(point.y);
    else groups.set(point.group, [point.y]);
  }
  return [...groups]
    .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    .map(([group, values]) => {
      values.sort((a, b) => a - b);
      return {
        group,
        n: values.length,
        median: quantile(values, 0.5),
        low: quantile(values, 0.25),
        high: quantile(values, 0.75),
      };
    });
}

/** A quantile of sorted values, interpolated linearly (method 7 of Hyndman and Fan 1996). */
export function quantile(sorted: number[], p: number): number {
  const at = (sorted.length - 1) * p;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}
