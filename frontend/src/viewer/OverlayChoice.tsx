import { Label, Slider, SliderOutput, SliderThumb, SliderTrack } from "react-aria-components";
import { useDataLineage } from "../api/queries";
import { Choice } from "../ui/Choice";
import { Failure } from "../ui/Failure";

interface Props {
  did: string;
  labels: string | undefined;
  beside: string | undefined;
  strength: number;
  onStrength: (strength: number) => void;
  error: unknown;
  onChange: (change: { labels?: string; beside?: string }) => void;
}

/** What was made of this image, or this of: laid over it as labels, or put beside it. */
export function OverlayChoice({ did, labels, beside, strength, onStrength, error, onChange }: Props) {
  const lineage = useDataLineage(did).data;
  const related = (lineage?.nodes ?? []).filter((node) => node.kind === "data" && node.is_image && node.id !== did);
  if (related.length === 0 && !labels && !beside) return null;
  const options = [
    { value: "", label: "none" },
    ...related.map((node) => ({ value: node.id, label: `${node.dataset} / ${node.name}` })),
  ];
  return (
    <section className="panel stack">
      <h3>With it</h3>
      <Choice
        label="Labels over it"
        options={options}
        value={labels ?? ""}
        onChange={(id) => onChange({ labels: id || undefined })}
      />
      {error ? (
        <Failure title="Not laid over it" error={error instanceof Error ? error : new Error(String(error))} />
      ) : null}
      {labels && !error ? (
        <Slider
          className="slider channel-slider"
          value={strength}
          minValue={0}
          maxValue={1}
          step={0.05}
          onChange={onStrength}
        >
          <Label>Opacity</Label>
          <SliderOutput />
          <SliderTrack className="slider-track">
            <SliderThumb className="slider-thumb" />
          </SliderTrack>
        </Slider>
      ) : null}
      <Choice
        label="Image beside it"
        options={options}
        value={beside ?? ""}
        onChange={(id) => onChange({ beside: id || undefined })}
      />
    </section>
  );
}
