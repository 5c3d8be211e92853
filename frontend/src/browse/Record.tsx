import { Link } from "@tanstack/react-router";
import type { DataDetail, Quantity } from "../api/types";

/** How a processed data came to be. */
export function Origin({ detail }: { detail: DataDetail }) {
  if (!detail.run) return null;
  return (
    <section className="panel">
      <h3>Origin</h3>
      <dl className="pairs">
        <Pair name="Tool">{detail.run.tool}</Pair>
        {detail.output ? <Pair name="Output">{detail.output.label || detail.output.name}</Pair> : null}
        {detail.inputs.map((input) => (
          <Pair key={input.name} name={`Input ${input.name}`}>
            {input.id ? (
              <Link to="/view/$did" params={{ did: input.id }}>
                {input.data_name ?? "open"}
              </Link>
            ) : (
              "not in this workspace"
            )}
          </Pair>
        ))}
        {detail.run.parameters.map((parameter) => (
          <Pair key={parameter.name} name={parameter.name}>
            {String(parameter.value)}
          </Pair>
        ))}
      </dl>
    </section>
  );
}

/** What a record says of its data, and what the image says of itself. */
export function Facts({ detail }: { detail: DataDetail }) {
  const sizes = Object.entries(detail.pixel_sizes ?? {});
  const metadata = Object.entries(detail.metadata ?? {});
  return (
    <>
      <section className="panel">
        <h3>Data</h3>
        <dl className="pairs">
          {detail.shape && detail.axes ? <Pair name="Size">{shapeOf(detail.axes, detail.shape)}</Pair> : null}
          {sizes.length ? (
            <Pair name="Pixel size">{sizes.map(([axis, size]) => `${axis} ${lengthOf(size)}`).join(", ")}</Pair>
          ) : null}
          <Pair name="Format">{detail.format}</Pair>
          <Pair name="Author">{detail.author || "–"}</Pair>
          <Pair name="Date">{detail.date}</Pair>
          {detail.size === null || detail.size === undefined ? null : <Pair name="File">{bytesOf(detail.size)}</Pair>}
          <Pair name="UUID">
            <code className="uuid">{detail.uuid}</code>
          </Pair>
        </dl>
      </section>
      {metadata.length ? (
        <details className="panel">
          <summary>
            <h3>Metadata</h3>
          </summary>
          <dl className="pairs">
            {metadata.map(([name, value]) => (
              <Pair key={name} name={name}>
                {typeof value === "object" ? JSON.stringify(value) : String(value)}
              </Pair>
            ))}
          </dl>
        </details>
      ) : null}
    </>
  );
}

function Pair({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Axes of one element say nothing. */
export function shapeOf(axes: string, shape: number[]): string {
  return [...axes]
    .map((axis, index) => ({ axis, size: shape[index] ?? 1 }))
    .filter(({ axis, size }) => size > 1 || axis === "Y" || axis === "X")
    .map(({ axis, size }) => `${axis} ${size}`)
    .join(" × ");
}

export function lengthOf({ value, unit }: Quantity): string {
  return `${Number(value.toPrecision(4))} ${shortUnit(unit)}`;
}

const UNITS: Record<string, string> = {
  micrometer: "µm",
  micrometre: "µm",
  nanometer: "nm",
  nanometre: "nm",
  millimeter: "mm",
  millimetre: "mm",
  angstrom: "Å",
  um: "µm",
  second: "s",
  millisecond: "ms",
  minute: "min",
  hour: "h",
};

export function shortUnit(unit: string): string {
  return UNITS[unit.toLowerCase()] ?? unit;
}

export function bytesOf(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}
