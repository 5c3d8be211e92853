import { getRouteApi, Link } from "@tanstack/react-router";
import { Link2, Link2Off, X } from "lucide-react";
import { useMemo, useState } from "react";
import { Label, Slider, SliderOutput, SliderThumb, SliderTrack, ToggleButton } from "react-aria-components";
import { useData } from "../api/queries";
import type { DataDetail } from "../api/types";
import { WaysBack } from "../browse/WaysBack";
import { Choice } from "../ui/Choice";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Canvas } from "./Canvas";
import { Channels } from "./Channels";
import { ImageFacts } from "./ImageFacts";
import type { Pane } from "./layers";
import { OverlayChoice } from "./OverlayChoice";
import { TableView } from "./TableView";
import { useSource } from "./useSource";

const route = getRouteApi("/view/$did");

export function ViewerPage() {
  const { did } = route.useParams();
  const data = useData(did);
  if (data.error) return <Failure title="These data cannot be read" error={data.error} />;
  if (!data.data) return <Loading />;
  if (/^(table|array|number|txt)/.test(data.data.format)) return <TableView detail={data.data} />;
  return <Images key={did} detail={data.data} />;
}

function Images({ detail }: { detail: DataDetail }) {
  const { beside, labels, scene } = route.useSearch();
  const navigate = route.useNavigate();
  const first = useSource(detail.id, scene);
  const second = useSource(beside);
  const over = useSource(labels);
  const other = useData(beside);
  const [place, setPlace] = useState<{ z?: number; t?: number }>({});
  const [isLinked, setLinked] = useState(true);
  const [strength, setStrength] = useState(0.45);
  const overlay = over.source?.info.is_labels ? over.source : null;
  const panes = useMemo(
    () =>
      [first, ...(beside ? [second] : [])].flatMap(({ source, channels }): Pane[] =>
        source && (channels.length > 0 || source.isRgb || source.info.is_labels)
          ? [{ source, channels, labels: overlay, labelStrength: strength }]
          : [],
      ),
    [first, second, beside, overlay, strength],
  );
  const sizes = {
    z: Math.max(1, ...panes.map((pane) => pane.source.sizes.z)),
    t: Math.max(1, ...panes.map((pane) => pane.source.sizes.t)),
  };
  const z = place.z ?? Math.floor(sizes.z / 2);
  const t = place.t ?? 0;
  const error = first.error ?? (beside ? second.error : null);
  const isReady = panes.length === (beside ? 2 : 1);
  return (
    <div className="viewer">
      <h1 className="hidden">{detail.name}</h1>
      <div className="stage">
        {beside ? (
          <div className="pane-names">
            <span>{detail.name}</span>
            <span>
              {other.data?.name}
              <Link
                to="/view/$did"
                params={{ did: detail.id }}
                search={{ labels }}
                className="button button-icon"
                aria-label="Close the second image"
              >
                <X size={14} aria-hidden="true" />
              </Link>
            </span>
          </div>
        ) : null}
        {error ? (
          <Failure title="This image cannot be shown" error={error} />
        ) : isReady ? (
          <Canvas panes={panes} z={z} t={t} isLinked={isLinked} />
        ) : (
          <Loading what="Opening the image" />
        )}
        {sizes.z > 1 ? (
          <Axis name="Z" size={sizes.z} value={z} onChange={(next) => setPlace({ ...place, z: next })} />
        ) : null}
        {sizes.t > 1 ? (
          <Axis name="T" size={sizes.t} value={t} onChange={(next) => setPlace({ ...place, t: next })} />
        ) : null}
      </div>
      <aside className="inspector viewer-side" aria-label="How it is shown">
        <h2 className="hidden">How it is shown</h2>
        <div className="ways">
          <WaysBack detail={detail} />
          {beside ? (
            <ToggleButton className="button" isSelected={isLinked} onChange={setLinked}>
              {isLinked ? <Link2 size={15} aria-hidden="true" /> : <Link2Off size={15} aria-hidden="true" />}
              Linked views
            </ToggleButton>
          ) : null}
        </div>
        <SceneChoice
          scenes={first.source?.info.scenes ?? []}
          scene={scene ?? 0}
          onChange={(next) => void navigate({ search: (before) => ({ ...before, scene: next || undefined }) })}
        />
        <Channels title={beside ? detail.name : "Channels"} opened={first} />
        {beside ? <Channels title={other.data?.name ?? "Second image"} opened={second} /> : null}
        <OverlayChoice
          did={detail.id}
          labels={labels}
          beside={beside}
          strength={strength}
          onStrength={setStrength}
          error={labels && over.source && !overlay ? "This image holds no labels." : over.error}
          onChange={(change) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true })}
        />
        <ImageFacts detail={detail} info={first.source?.info} />
      </aside>
    </div>
  );
}

interface SceneProps {
  scenes: string[];
  scene: number;
  onChange: (scene: number) => void;
}

/** Which image of a file that holds several. */
function SceneChoice({ scenes, scene, onChange }: SceneProps) {
  if (scenes.length < 2) return null;
  return (
    <section className="panel">
      <Choice
        label={`Image ${scene + 1} of ${scenes.length} in this file`}
        options={scenes.map((name, index) => ({ value: String(index), label: name || `${index + 1}` }))}
        value={String(scene)}
        onChange={(value) => onChange(Number(value))}
      />
    </section>
  );
}

interface AxisProps {
  name: string;
  size: number;
  value: number;
  onChange: (value: number) => void;
}

function Axis({ name, size, value, onChange }: AxisProps) {
  return (
    <Slider className="slider axis" value={value} minValue={0} maxValue={size - 1} onChange={onChange}>
      <Label>{name}</Label>
      <SliderTrack className="slider-track">
        <SliderThumb className="slider-thumb" />
      </SliderTrack>
      <SliderOutput>
        {value + 1} / {size}
      </SliderOutput>
    </Slider>
  );
}
