/** Where one looks: the centre, in pixels of the image, and the zoom, in powers of two. */

import type { Source } from "./source";

export interface Look {
  target: [number, number];
  zoom: number;
}

/** Show all of an image in a pane. */
export function fitted(source: Source, width: number, height: number): Look {
  const zoom = Math.log2(Math.min(width / source.width, height / source.height)) - 0.06;
  return { target: [source.width / 2, source.height / 2], zoom };
}

/** Move the other pane as this one moved, so that both show the same place, whatever the sizes of the images. */
export function followed(other: Look, before: Look, after: Look): Look {
  const scale = 2 ** (before.zoom - other.zoom);
  return {
    zoom: other.zoom + after.zoom - before.zoom,
    target: [
      other.target[0] + (after.target[0] - before.target[0]) * scale,
      other.target[1] + (after.target[1] - before.target[1]) * scale,
    ],
  };
}

const NICE = [1, 2, 5];

/** The longest nice length that fits: its size in the image's unit, and its width on the screen in CSS pixels. */
export function scaleBar(pixelSize: number, zoom: number, most: number): { length: number; width: number } {
  const perScreenPixel = pixelSize / 2 ** zoom;
  const longest = most * perScreenPixel;
  const power = 10 ** Math.floor(Math.log10(longest));
  const length = power * (NICE.findLast((step) => step * power <= longest) ?? 1);
  return { length, width: length / perScreenPixel };
}
