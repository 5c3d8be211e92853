import { OrthographicView } from "@deck.gl/core";
import DeckGL from "@deck.gl/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { shortUnit } from "../browse/Record";
import { useSize } from "../ui/useSize";
import { layersOf, type Pane, tagOf } from "./layers";
import { readOut } from "./readOut";
import { fitted, followed, type Look, scaleBar } from "./views";
import { ZoomButtons } from "./ZoomButtons";

interface Props {
  panes: Pane[];
  z: number;
  t: number;
  isLinked: boolean;
}

const GAP = 2;

/** One image, or two side by side whose views are linked. */
export function Canvas({ panes, z, t, isLinked }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(frame);
  const isStacked = width < 640 && panes.length > 1;
  const paneWidth = isStacked ? width : (width - GAP * (panes.length - 1)) / panes.length;
  const paneHeight = isStacked ? (height - GAP) / 2 : height;
  const [looks, setLooks] = useState<Look[]>([]);
  const [hovered, setHovered] = useState("");
  const sources = panes.map((pane) => pane.source.id).join(" ");
  const fit = useCallback(
    () => setLooks(panes.map((pane) => fitted(pane.source, paneWidth, paneHeight))),
    [panes, paneWidth, paneHeight],
  );
  // another image is looked at anew, another contrast is not
  useEffect(() => {
    if (width > 0) fit();
  }, [sources, width > 0, isStacked]);
  const onHover = useCallback((info: unknown) => setHovered(readOut(info)), []);
  const layers = useMemo(
    () => panes.flatMap((pane, index) => layersOf(pane, index, z, t, onHover)),
    [panes, z, t, onHover],
  );
  const move = (index: number, next: (look: Look) => Look) =>
    setLooks((before) => {
      const moved = before[index];
      if (!moved) return before;
      const after = next(moved);
      return before.map((look, at) => (at === index ? after : isLinked ? followed(look, moved, after) : look));
    });
  const zoomBy = (step: number) => move(0, (look) => ({ ...look, zoom: look.zoom + step }));
  const pan = (x: number, y: number) =>
    move(0, (look) => ({
      ...look,
      target: [look.target[0] + x / 2 ** look.zoom, look.target[1] + y / 2 ** look.zoom],
    }));
  const views = panes.map(
    (_, index) =>
      new OrthographicView({
        id: `pane${index}`,
        x: isStacked ? 0 : index * (paneWidth + GAP),
        y: isStacked ? index * (paneHeight + GAP) : 0,
        width: paneWidth,
        height: paneHeight,
        controller: { keyboard: false },
      }),
  );
  const isReady = width > 0 && looks.length === panes.length;
  return (
    <div
      ref={frame}
      className="canvas"
      role="application"
      aria-label={`Image ${panes.map((pane) => pane.source.info.axes).join(" and ")}; arrows move, plus and minus zoom, 0 shows all`}
      data-zoom={looks[0]?.zoom.toFixed(3)}
      data-zoom-beside={looks[1]?.zoom.toFixed(3)}
      tabIndex={0}
      onKeyDown={(event) => {
        const pans: Record<string, [number, number]> = {
          ArrowLeft: [-60, 0],
          ArrowRight: [60, 0],
          ArrowUp: [0, -60],
          ArrowDown: [0, 60],
        };
        const way = pans[event.key];
        if (event.target !== event.currentTarget) return;
        if (way) pan(...way);
        else if (event.key === "+" || event.key === "=") zoomBy(0.5);
        else if (event.key === "-") zoomBy(-0.5);
        else if (event.key === "0") fit();
        else return;
        event.preventDefault();
      }}
    >
      {isReady ? (
        <DeckGL
          views={views}
          viewState={Object.fromEntries(
            looks.map((look, index) => [`pane${index}`, { ...look, minZoom: -12, maxZoom: 8 }]),
          )}
          onViewStateChange={({ viewId, viewState }) => {
            const seen = viewState as unknown as { target: number[]; zoom: number | number[] };
            const zoom = Array.isArray(seen.zoom) ? (seen.zoom[0] ?? 0) : seen.zoom;
            move(Number(viewId.slice(4)), () => ({ target: [seen.target[0] ?? 0, seen.target[1] ?? 0], zoom }));
          }}
          layers={layers}
          layerFilter={({ layer, viewport }) => layer.id.includes(tagOf(Number(viewport.id.slice(4))))}
          getCursor={({ isDragging }) => (isDragging ? "grabbing" : "crosshair")}
        />
      ) : null}
      {isReady
        ? panes.map((pane, index) => (
            <ScaleBar
              key={index}
              pane={pane}
              zoom={looks[index]?.zoom ?? 0}
              left={isStacked ? 0 : index * (paneWidth + GAP)}
              bottom={isStacked ? (1 - index) * (paneHeight + GAP) : 0}
            />
          ))
        : null}
      <output className="read-out" aria-live="off">
        {hovered}
      </output>
      <ZoomButtons onZoom={zoomBy} onFit={fit} />
    </div>
  );
}

interface BarProps {
  pane: Pane;
  zoom: number;
  left: number;
  bottom: number;
}

function ScaleBar({ pane, zoom, left, bottom }: BarProps) {
  const size = pane.source.info.pixel_sizes.X;
  if (!size?.value) return null;
  const { length, width } = scaleBar(size.value, zoom, 140);
  const text = `${Number(length.toPrecision(3))} ${shortUnit(size.unit)}`;
  return (
    <div
      className="scale-bar"
      style={{ left: left + 14, bottom: bottom + 12 }}
      role="img"
      aria-label={`Scale bar, ${text}`}
    >
      <span style={{ width }} />
      {text}
    </div>
  );
}
