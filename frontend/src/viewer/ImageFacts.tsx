import type { DataDetail, ImageInfo } from "../api/types";
import { Facts, Origin } from "../browse/Record";

export function ImageFacts({ detail, info }: { detail: DataDetail; info: ImageInfo | undefined }) {
  const known = info ? { axes: info.axes, shape: info.shape, pixel_sizes: info.pixel_sizes } : {};
  const pairs = Object.entries(detail.key_values).filter(([, value]) => value);
  return (
    <>
      {pairs.length ? (
        <section className="panel">
          <h3>Annotations</h3>
          <dl className="pairs">
            {pairs.map(([key, value]) => (
              <div key={key}>
                <dt>{key}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </section>
      ) : null}
      <Origin detail={detail} />
      <Facts detail={{ ...detail, ...known }} />
    </>
  );
}
