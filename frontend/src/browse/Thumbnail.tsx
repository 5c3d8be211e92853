import { FileSpreadsheet, Hash, Image as ImageIcon } from "lucide-react";
import { useState } from "react";

interface Props {
  url: string | null;
  format: string;
  size: number;
}

/** A browser asks one server six things at a time: a picture that is no longer shown must not keep others waiting. */
const givenUp = (picture: HTMLImageElement) => {
  const { left } = picture.dataset;
  if (left) picture.src = left; // shown again, as React does in development
  return () => {
    picture.dataset.left = picture.src;
    picture.removeAttribute("src");
  };
};

/** The picture of a data, or a sign of what it is. The caption beside it says the name, so it is decoration. */
export function Thumbnail({ url, format, size }: Props) {
  const [failed, setFailed] = useState<string | null>(null);
  const [loaded, setLoaded] = useState<string | null>(null);
  const style = { width: size, height: size };
  if (url && failed !== url) {
    return (
      <img
        key={url}
        ref={givenUp}
        className={loaded === url ? "thumb" : "thumb thumb-waiting"}
        src={url}
        alt=""
        width={size}
        height={size}
        style={style}
        loading="lazy"
        decoding="async"
        draggable={false}
        onLoad={() => setLoaded(url)}
        onError={() => setFailed(url)}
      />
    );
  }
  const Icon =
    format.startsWith("table") || format.startsWith("array")
      ? FileSpreadsheet
      : format.startsWith("number")
        ? Hash
        : ImageIcon;
  return (
    <span className="thumb thumb-none" style={style}>
      <Icon size={Math.min(28, size * 0.5)} strokeWidth={1.4} aria-hidden="true" />
    </span>
  );
}
