import * as Plot from "@observablehq/plot";
import { useEffect, useRef } from "react";
import { useSize } from "../ui/useSize";
import type { Point } from "./table";

const SPARE = 10; // under the plot, so that its lowest label is not cut

interface Props {
  label: string;
  make: (width: number, height: number) => Plot.PlotOptions;
  open: (did: string) => void;
}

// Plot writes a style element, which the server's policy refuses: it is made where none applies, and left there
const workshop = document.implementation.createHTMLDocument("");
Object.defineProperty(workshop, "defaultView", { value: window });

/** A plot by Observable Plot; a click on a point opens the image that it was measured in. */
export function Chart({ label, make, open }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(frame);
  useEffect(() => {
    const at = frame.current;
    if (!at || width === 0) return;
    const plot = Plot.plot({
      className: "plot",
      document: workshop,
      ariaLabel: label,
      ...make(width, Math.max(280, height) - SPARE),
    });
    const click = () => {
      const point = (plot as { value?: Point | null }).value;
      if (point?.did) open(point.did);
    };
    plot.addEventListener("click", click);
    for (const style of plot.querySelectorAll("style")) style.remove();
    plot.setAttribute("role", "img"); // one picture, whose parts have no names of their own
    for (const part of plot.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");
    at.replaceChildren(document.adoptNode(plot));
    return () => plot.remove();
  }, [width, height, make, open, label]);
  return <div ref={frame} className="chart" />;
}
