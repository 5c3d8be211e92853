/** The layers that deck.gl draws for an image and the labels over it. */

import type { Layer } from "@deck.gl/core";
import { ColorPaletteExtension, ImageLayer, MultiscaleImageLayer } from "@hms-dbmi/viv";
import { Matrix4 } from "@math.gl/core";
import { LabelColors } from "./labelColors";
import { type Channel, type Source, selectionOf } from "./source";

export interface Pane {
  source: Source;
  channels: Channel[];
  labels: Source | null;
  labelStrength: number;
}

const palette = [new ColorPaletteExtension()];
const labelColors = [new LabelColors()];

/** Which pane a layer is drawn in is said by its id. */
export const tagOf = (pane: number) => `-#pane${pane}#`;

export function layersOf(pane: Pane, index: number, z: number, t: number, onHover: (info: unknown) => void): Layer[] {
  const tag = tagOf(index);
  const { source } = pane;
  const layers = source.info.is_labels
    ? [labelLayer(source, `${source.id}-labels${tag}`, index, z, t, 1, source, onHover)]
    : [imageLayer(pane, `${source.id}-image${tag}`, index, z, t, onHover)];
  if (pane.labels) {
    layers.push(
      labelLayer(pane.labels, `${pane.labels.id}-over${tag}`, index, z, t, pane.labelStrength, source, () => undefined),
    );
  }
  return layers;
}

function imageLayer(
  pane: Pane,
  id: string,
  index: number,
  z: number,
  t: number,
  onHover: (info: unknown) => void,
): Layer {
  const { source, channels } = pane;
  const shown = channels.map((channel, c) => ({ channel, c })).filter(({ channel }) => channel.isVisible);
  return make(source, {
    id,
    viewportId: `pane${index}`,
    selections: source.isRgb
      ? [selectionOf(source, 0, z, t)]
      : remembered(`${id} ${shown.map(({ c }) => c)} ${z} ${t}`, () =>
          shown.map(({ c }) => selectionOf(source, c, z, t)),
        ),
    contrastLimits: source.isRgb ? [[0, 255]] : shown.map(({ channel }) => channel.limits),
    colors: source.isRgb ? [[255, 255, 255]] : shown.map(({ channel }) => channel.color),
    channelsVisible: source.isRgb ? [true] : shown.map(() => true),
    extensions: palette,
    onHover,
  });
}

function labelLayer(
  labels: Source,
  id: string,
  index: number,
  z: number,
  t: number,
  strength: number,
  under: Source,
  onHover: (info: unknown) => void,
): Layer {
  const scale = under.width / labels.width;
  return make(labels, {
    id,
    viewportId: `pane${index}`,
    selections: remembered(`${id} ${z} ${t}`, () => [selectionOf(labels, 0, z, t)]),
    contrastLimits: [[0, 1]], // as they are: a label is no intensity
    channelsVisible: [true],
    excludeBackground: true, // it would be interpolated, and what lies between two labels is none
    strength,
    modelMatrix: scale === 1 ? undefined : new Matrix4().scale([scale, scale, 1]),
    extensions: labelColors,
    onHover,
  });
}

function make(source: Source, props: Record<string, unknown>): Layer {
  const isPyramid = source.levels.length > 1;
  const Made = (isPyramid ? MultiscaleImageLayer : ImageLayer) as unknown as new (props: unknown) => Layer;
  return new Made({ ...props, loader: isPyramid ? source.levels : source.levels[0], opacity: 1 });
}

// Viv compares selections by identity, and reads all tiles anew where they are others
const kept = new Map<string, unknown>();

function remembered<T>(key: string, make: () => T): T {
  if (!kept.has(key)) {
    if (kept.size > 500) kept.clear();
    kept.set(key, make());
  }
  return kept.get(key) as T;
}
