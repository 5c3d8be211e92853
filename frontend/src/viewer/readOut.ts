/** What lies under the pointer: its place, and the value of each channel there. */

interface Hovered {
  coordinate?: number[];
  tile?: {
    content?: { data?: ArrayLike<number>[]; width: number; height: number } | null;
    bbox?: { left: number; top: number };
    index?: { z: number };
  };
  sourceLayer?: { props: { channelData?: { data: ArrayLike<number>[]; width: number; height: number } } };
}

export function readOut(info: unknown): string {
  const { coordinate, tile, sourceLayer } = info as Hovered;
  const [x, y] = coordinate ?? [];
  if (x === undefined || y === undefined) return "";
  const place = `x ${Math.floor(x)}  y ${Math.floor(y)}`;
  const raster = tile?.content ?? sourceLayer?.props.channelData;
  if (!raster?.data || !Array.isArray(raster.data)) return place;
  const scale = tile?.index ? 2 ** Math.round(-tile.index.z) : 1;
  const column = Math.floor((x - (tile?.bbox?.left ?? 0)) / scale);
  const row = Math.floor((y - (tile?.bbox?.top ?? 0)) / scale);
  if (column < 0 || row < 0 || column >= raster.width || row >= raster.height) return place;
  const values = raster.data.map((channel: ArrayLike<number>) => channel[row * raster.width + column]);
  return `${place}  =  ${values.map((value) => (value === undefined ? "–" : Number(value.toPrecision(5)))).join(", ")}`;
}
