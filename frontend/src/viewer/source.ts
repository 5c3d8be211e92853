/** Opens an image as Viv reads it: levels of a pyramid, and what its channels look like at first sight. */

import { getChannelStats, loadOmeTiff, loadOmeZarr } from "@hms-dbmi/viv";
import type { ImageInfo } from "../api/types";

export type Selection = Record<string, number>;

export interface PixelData {
  data: ArrayLike<number>;
  width: number;
  height: number;
}

/** What Viv calls a PixelSource: one level of an image. */
export interface Level {
  shape: number[];
  labels: string[];
  dtype: string;
  tileSize: number;
  getRaster: (which: { selection: Selection }) => Promise<PixelData>;
}

export interface Channel {
  name: string;
  color: [number, number, number];
  isVisible: boolean;
  limits: [number, number];
  domain: [number, number];
}

export interface Source {
  id: string;
  info: ImageInfo;
  levels: Level[];
  width: number;
  height: number;
  sizes: { t: number; c: number; z: number };
  isRgb: boolean;
}

// in the order of wavelengths that most eyes tell apart, and that add up to white
const PALETTE: [number, number, number][] = [
  [70, 130, 255],
  [60, 220, 90],
  [255, 80, 70],
  [230, 80, 230],
  [255, 190, 50],
  [60, 220, 220],
];
const GREY: [number, number, number] = [255, 255, 255];
const MOST_VISIBLE = 6;

export async function openSource(id: string, info: ImageInfo): Promise<Source> {
  const url = new URL(info.url, location.href).href;
  const opened = info.kind === "ome-zarr" ? await loadOmeZarr(url, { type: "multiscales" }) : await loadOmeTiff(url);
  const levels = opened.data as unknown as Level[];
  const first = levels[0];
  if (!first) throw new Error("This image has no pixels.");
  const size = (axis: string) => {
    const index = first.labels.indexOf(axis);
    return index < 0 ? 1 : (first.shape[index] ?? 1);
  };
  const isRgb = first.labels.at(-1) === "_c";
  return {
    id,
    info,
    levels,
    width: size("x"),
    height: size("y"),
    sizes: { t: size("t"), c: isRgb ? 1 : size("c"), z: size("z") },
    isRgb,
  };
}

/** Which plane is meant, by the axes that the image has besides Y and X. */
export function selectionOf(source: Source, c: number, z: number, t: number): Selection {
  const all: Selection = { t: Math.min(t, source.sizes.t - 1), c, z: Math.min(z, source.sizes.z - 1) };
  const labels = source.levels[0]?.labels ?? [];
  return Object.fromEntries(Object.entries(all).filter(([axis]) => labels.includes(axis)));
}

/** Give each channel a colour and limits of contrast: the file's, else those of the plane that is shown first. */
export async function channelsOf(source: Source): Promise<Channel[]> {
  const lowest = source.levels.at(-1);
  if (!lowest || source.isRgb) return [];
  const first = { z: Math.floor(source.sizes.z / 2), t: 0 };
  return Promise.all(
    Array.from({ length: source.sizes.c }, async (_, c) => {
      const said = source.info.channels[c];
      const raster = await lowest.getRaster({ selection: selectionOf(source, c, first.z, first.t) });
      const stats = getChannelStats(raster.data as never) as { domain: number[]; contrastLimits: number[] };
      const domain = widened(stats.domain[0] ?? 0, stats.domain[1] ?? 1);
      const measured = widened(stats.contrastLimits[0] ?? domain[0], stats.contrastLimits[1] ?? domain[1]);
      const limits = said?.window && said.window[1] > said.window[0] ? said.window : measured;
      return {
        name: said?.name || `Channel ${c + 1}`,
        color: colorOf(said?.color) ?? (source.sizes.c === 1 ? GREY : (PALETTE[c % PALETTE.length] ?? GREY)),
        isVisible: c < MOST_VISIBLE,
        limits,
        domain: [Math.min(domain[0], limits[0]), Math.max(domain[1], limits[1])] as [number, number],
      };
    }),
  );
}

function widened(low: number, high: number): [number, number] {
  return high > low ? [low, high] : [low, low + 1];
}

export function colorOf(text: string | null | undefined): [number, number, number] | null {
  const match = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(text ?? "");
  return match
    ? ([1, 2, 3].map((group) => Number.parseInt(match[group] ?? "0", 16)) as [number, number, number])
    : null;
}

export function hexOf(color: [number, number, number]): string {
  return `#${color.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
